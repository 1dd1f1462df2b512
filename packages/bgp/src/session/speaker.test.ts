import { prefix, printPrefix } from '@weir/wire/inet';
import { afterEach, describe, expect, it } from 'vitest';
import { nlriRun, prefixAt, shutdownCommunication } from '../codec/index.ts';
import { address, type PairOptions, pair, type TestSpeaker } from './test-session.ts';

let open: TestSpeaker[] = [];

async function up(options: PairOptions = {}): Promise<{ a: TestSpeaker; b: TestSpeaker; port: number }> {
  const both = await pair(options);
  open.push(both.a, both.b);
  await Promise.all([both.a.until('established'), both.b.until('established')]);
  return both;
}

afterEach(async () => {
  await Promise.all(open.map(({ speaker }) => speaker.close()));
  open = [];
});

const NEXT_HOP = address('192.0.2.1');

describe('BgpSpeaker', () => {
  it('comes up, exchanges End-of-RIB and routes', async () => {
    const { a, b } = await up();
    await a.until('update', (e) => e.update.endOfRib === 'ipv6 unicast');
    expect(a.all('update').map((e) => e.update.endOfRib)).toEqual(['ipv4 unicast', 'ipv6 unicast']);
    const run = nlriRun('ipv4 unicast', [prefix('203.0.113.0/24'), prefix('198.51.100.7/32')]);
    const sent = a.speaker.sendUpdate('b', {
      attributes: { origin: 'igp', asPath: [{ kind: 'sequence', asns: [a.speaker.config.localAs] }], communities: [(64512 << 16) | 80] },
      announce: [{ nextHop: { address: NEXT_HOP }, run }],
    });
    expect(sent).toBe('queued');
    const { update } = await b.until('update', (e) => e.update.announce.length > 0);
    const got = update.announce[0]!.run;
    expect([0, 1].map((i) => printPrefix(prefixAt(got, i)))).toEqual(['203.0.113.0/24', '198.51.100.7/32']);
    expect(update.attributes.communities?.map((c) => c >>> 0)).toEqual([((64512 << 16) | 80) >>> 0]);
    expect(a.speaker.status('b')).toMatchObject({ state: 'Established', sessions: 1, lastError: undefined, sendPending: 0 });
    expect(b.speaker.status('a').received).toMatchObject({ open: 1, update: 3, notification: 0 });
  });

  it('tells the operator of the peer why it stops, and does not come back until told', async () => {
    const { a, b } = await up();
    a.speaker.stopPeer('b', { message: 'maintenance' });
    const down = await b.until('down');
    expect(down).toMatchObject({ reason: 'notification-received', graceful: false });
    expect(down.notification).toMatchObject({ code: 6, subcode: 9 });
    const inner = down.notification!;
    expect(shutdownCommunication({ code: inner.data[0]!, subcode: inner.data[1]!, data: inner.data.subarray(2) })).toBe('maintenance');
    expect(a.all('down')[0]).toMatchObject({ reason: 'admin', graceful: false });
    a.speaker.startPeer('b');
    await b.until('established', () => true, b.events.indexOf(down));
  });

  it('lets routes be held when the connection is lost or a reset is soft', async () => {
    const { a, b } = await up();
    await a.speaker.close({ silent: true });
    expect(await b.until('down')).toMatchObject({ reason: 'transport', graceful: true, retain: ['ipv4 unicast', 'ipv6 unicast'] });
  });

  it('restarts at once after an administrative reset', async () => {
    const { a, b } = await up();
    const from = b.events.length;
    a.speaker.resetPeer('b', 'new limits');
    expect(await b.until('down')).toMatchObject({ notification: { code: 6, subcode: 4 }, graceful: true });
    await b.until('established', () => true, from);
  });
});
