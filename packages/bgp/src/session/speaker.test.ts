import { type AddressInfo, createServer } from 'node:net';
import { asn, ip, prefix, printPrefix } from '@weir/wire/inet';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeUpdate, nlriRun, prefixAt, sessionContext, shutdownCommunication } from '../codec/index.ts';
import { type PeerConfig, SessionConfigError, type SpeakerConfig } from './config.ts';
import { BgpSpeaker } from './speaker.ts';
import { StaticRoutes } from './static-routes.ts';
import { A, B, FAST, FakeClock, type PairOptions, pair, passiveSpeaker, RawPeer, TestSpeaker } from './test-session.ts';

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

const NEXT_HOP = ip('192.0.2.1');

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

describe('both sides connect', () => {
  for (const [name, ids] of [
    ['the first identifier is higher', ['192.0.2.9', '192.0.2.2']],
    ['the second is', ['192.0.2.1', '192.0.2.2']],
    ['they are equal', ['192.0.2.2', '192.0.2.2']],
  ] as const) {
    it(`and settle on one session: ${name}`, async () => {
      const families = ['ipv4 unicast'] as const;
      const speakers = [0, 1].map(
        (i) =>
          new TestSpeaker({
            localAs: asn(64512 + i),
            routerId: ip(ids[i]!),
            listen: [{ address: [A, B][i]!, port: 0 }],
            peers: [],
          }),
      );
      open.push(...speakers);
      const ports: number[] = [];
      for (const { speaker } of speakers) speaker.start();
      for (const test of speakers) ports.push((await test.until('listening')).port);
      speakers.forEach(({ speaker }, i) => {
        const peerAs = asn(64513 - i);
        speaker.addPeer({ name: 'other', address: [B, A][i]!, source: [A, B][i]!, port: ports[1 - i]!, peerAs, families, ...FAST });
      });
      await Promise.all(speakers.map((test) => test.until('update')));
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (const test of speakers) expect(test.speaker.status('other').state).toBe('Established');
      expect(speakers[0]!.speaker.status('other').sessions).toBe(speakers[1]!.speaker.status('other').sessions);
    });
  }
});

describe('changes while running', () => {
  it('adds and removes peers', async () => {
    const { a, b } = await up();
    const { config } = a.speaker;
    a.speaker.removePeer('b');
    expect(await b.until('down')).toMatchObject({ notification: { code: 6, subcode: 9, data: Uint8Array.of(6, 3) }, graceful: false });
    expect(a.all('down')[0]).toMatchObject({ reason: 'peer-removed' });
    expect(() => a.speaker.status('b')).toThrow(SessionConfigError);
    const from = b.events.length;
    a.speaker.addPeer(config.peers[0]!);
    await b.until('established', () => true, from);
  });

  it('bounces only peers whose offer changed', async () => {
    const { a, b } = await up();
    const { config } = a.speaker;
    const [peer] = config.peers;
    a.speaker.reconfigure({ ...config, hostname: 'edge', peers: [{ ...peer!, connectRetry: { initial: 60, max: 90 }, maxPrefixes: {} }] });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(a.all('down')).toEqual([]);
    const from = b.events.length;
    a.speaker.reconfigure({ ...config, peers: [{ ...peer!, families: ['ipv6 unicast'] }] });
    expect(await b.until('down')).toMatchObject({ notification: { code: 6, subcode: 6 }, graceful: true });
    expect(a.all('down')[0]).toMatchObject({ reason: 'reconfigured', graceful: true });
    const { negotiated } = await b.until('established', () => true, from);
    expect(negotiated.missingFamilies).toEqual(['ipv4 unicast']);
    a.speaker.reconfigure({ ...config, peers: [] });
    expect(await b.until('down', (e) => e.notification?.data[1] === 3)).toMatchObject({ graceful: false });
  });

  it('changes nothing when the new configuration cannot be run', async () => {
    const { a } = await up();
    const { config } = a.speaker;
    expect(() => a.speaker.reconfigure({ ...config, peers: [...config.peers, ...config.peers] })).toThrow(/used twice/);
    expect(a.speaker.config).toBe(config);
    expect(a.speaker.status('b').state).toBe('Established');
  });
});

describe('limits', () => {
  it('warns, and restarts the session when there are too many prefixes', async () => {
    const maxPrefixes = { 'ipv4 unicast': { limit: 100, warnAt: 80, action: 'restart', restartAfter: 600 } } as const;
    const { a, b } = await up({ b: { maxPrefixes } });
    for (const count of [10, 80, 99, 90, 101, 102]) b.speaker.setPrefixCount('a', 'ipv4 unicast', count);
    expect(b.all('max-prefixes').map((e) => [e.count, e.level])).toEqual([
      [80, 'warning'],
      [101, 'exceeded'],
    ]);
    const down = await a.until('down');
    expect([...down.notification!.data]).toEqual([6, 1, 0, 1, 1, 0, 0, 0, 100]);
    expect(b.all('down')[0]).toMatchObject({ reason: 'max-prefixes', graceful: false });
    expect(b.speaker.status('a').state).toBe('Idle');
    const from = a.events.length;
    await a.until('attempt-failed', () => true, from);
    expect(b.all('established')).toHaveLength(1);
  });

  it('reads no more from a peer that is paused', async () => {
    const { a, b } = await up();
    await b.until('update', (e) => e.update.endOfRib === 'ipv6 unicast');
    const run = nlriRun('ipv4 unicast', [prefix('203.0.113.0/24')]);
    const before = b.all('update').length;
    let after = 0;
    b.speaker.pause('a');
    for (let i = 0; i < 1000; i++) a.speaker.sendUpdate('b', { withdraw: [run] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(b.all('update')).toHaveLength(before);
    expect(b.speaker.status('a').paused).toBe(true);
    b.speaker.resume('a');
    await b.until('update', () => ++after > 0 && b.all('update').length === before + 1000);
  });

  it('pauses in the middle of a chunk when its sink says so', async () => {
    let speaker: BgpSpeaker | undefined;
    let seen = 0;
    const { test, port } = await passiveSpeaker();
    open.push(test);
    speaker = test.speaker;
    test.onEvent = (event) => {
      if (event.kind === 'update' && event.update.withdraw.length > 0 && ++seen === 10) speaker?.pause('a');
    };
    const raw = await RawPeer.connect(port);
    raw.open();
    await raw.until('keepalive');
    raw.keepalive();
    const [message] = [...encodeUpdate({ withdraw: [nlriRun('ipv4 unicast', [prefix('203.0.113.0/24')])] }, sessionContext())];
    raw.socket.write(Buffer.concat(Array.from({ length: 100 }, () => message!)));
    await test.until('update', () => seen === 10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toBe(10);
    speaker.resume('a');
    await test.until('update', () => seen === 100);
  });

  it('refuses what does not fit the send queue and says when there is room', async () => {
    const { a, b } = await up({ a: { sendQueue: 65536 } });
    const run = nlriRun(
      'ipv4 unicast',
      Array.from({ length: 800 }, (_, i) => prefix(`198.51.${100 + (i >> 8)}.${i & 255}/32`)),
    );
    let queued = 0;
    while (a.speaker.sendUpdate('b', { withdraw: [run] }) === 'queued') queued++;
    expect(queued).toBeLessThan(30);
    await a.until('drain');
    expect(a.speaker.sendUpdate('b', { withdraw: [run] })).toBe('queued');
    let count = 0;
    await b.until('update', (e) => e.update.withdraw.length > 0 && ++count >= queued);
  });
});

describe('refresh', () => {
  it('asks, and is answered by what announces', async () => {
    const routes = new StaticRoutes();
    routes.announce([prefix('203.0.113.0/24')]);
    const { a, b } = await up({ aSpeaker: { announcer: routes } });
    await b.until('update', (e) => e.update.endOfRib === 'ipv6 unicast');
    expect(b.all('update').map((e) => e.update.endOfRib ?? e.update.announce.length)).toEqual([1, 'ipv4 unicast', 'ipv6 unicast']);
    const from = b.events.length;
    expect(b.speaker.requestRefresh('a', 'ipv4 unicast')).toBe(true);
    await b.until('route-refresh', (e) => e.message.subtype === 2);
    expect(b.events.slice(from).map((e) => (e.kind === 'route-refresh' ? e.message.subtype : e.kind))).toEqual([1, 'update', 2]);
    expect(a.all('route-refresh')[0]?.message).toEqual({ kind: 'route-refresh', family: { afi: 1, safi: 1 }, subtype: 0 });
    expect(routes.unsendable).toBe(0);
  });
});

describe('listening', () => {
  it('reports an address that it cannot have, once, and tries again; peers are not affected', async () => {
    const clock = new FakeClock();
    const { a } = await up();
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.3', resolve));
    const { port } = blocker.address() as AddressInfo;
    const test = new TestSpeaker(
      { localAs: asn(64514), routerId: ip('192.0.2.3'), listen: [{ address: ip('127.0.0.3'), port }], peers: [] },
      clock,
    );
    open.push(test);
    test.speaker.start();
    expect(test.all('listen-failed')).toMatchObject([{ address: '127.0.0.3', port, error: { code: 'EADDRINUSE' } }]);
    clock.advance(60_000);
    expect(test.all('listen-failed')).toHaveLength(1);
    await new Promise((resolve) => blocker.close(resolve));
    clock.advance(15_000);
    expect(await test.until('listening')).toMatchObject({ port });
    expect(a.speaker.status('b').state).toBe('Established');
  });
});

describe('restarting', () => {
  it('says so in the first OPEN of each peer only', async () => {
    const { a, b } = await up({ aSpeaker: { restarting: true } });
    expect(b.all('established')[0]?.gracefulRestart).toMatchObject({ restarting: true, notification: true, restartTime: 120 });
    const from = b.events.length;
    a.speaker.resetPeer('b');
    expect((await b.until('established', () => true, from)).gracefulRestart).toMatchObject({ restarting: false });
  });
});

describe('configurations that cannot be run', () => {
  const good: PeerConfig = { name: 'x', address: B, peerAs: asn(64513), families: ['ipv4 unicast'] };
  const speaker: SpeakerConfig = { localAs: asn(64512), routerId: ip('192.0.2.1'), peers: [good] };
  const rows: { name: string; config: Partial<SpeakerConfig>; peer?: Partial<PeerConfig>; want: RegExp }[] = [
    { name: 'AS 0', config: { localAs: asn(0) }, want: /AS 0/ },
    { name: 'router id 0', config: { routerId: ip('0.0.0.0') }, want: /router id/ },
    { name: 'an IPv6 router id', config: { routerId: ip('::1') }, want: /router id/ },
    { name: 'a name twice', config: { peers: [good, { ...good, address: A }] }, want: /peer x: the name is used twice/ },
    { name: 'an address twice', config: { peers: [good, { ...good, name: 'y' }] }, want: /peer y: has the address of x/ },
    { name: 'peer AS 0', config: {}, peer: { peerAs: asn(0) }, want: /AS 0/ },
    { name: 'no families', config: {}, peer: { families: [] }, want: /no address families/ },
    { name: 'hold time 2', config: {}, peer: { holdTime: 2 }, want: /hold time/ },
    { name: 'hold time 65536', config: {}, peer: { holdTime: 65536 }, want: /hold time is 0-65535/ },
    { name: 'port 0', config: {}, peer: { port: 0 }, want: /port is 1-65535/ },
    { name: 'a source of the other family', config: {}, peer: { source: ip('::1') }, want: /different families/ },
    { name: 'link-local without a device', config: {}, peer: { address: ip('fe80::1') }, want: /needs a device/ },
    { name: 'an unspecified address', config: {}, peer: { address: ip('::') }, want: /unspecified/ },
    { name: 'a long password', config: {}, peer: { password: 'x'.repeat(81) }, want: /password/ },
    { name: 'TTL security and multihop', config: {}, peer: { ttlSecurity: 1, multihop: 3 }, want: /exclude/ },
    { name: 'a send hold time within the hold time', config: {}, peer: { sendHoldTime: 90 }, want: /send hold time/ },
    { name: 'a role inside one AS', config: {}, peer: { peerAs: asn(64512), role: 'peer' }, want: /no role/ },
    { name: 'a limit of 0', config: {}, peer: { maxPrefixes: { 'ipv4 unicast': { limit: 0, action: 'warn' } } }, want: /prefix limit/ },
  ];
  for (const { name, config, peer, want } of rows) {
    it(name, () => {
      const make = (): BgpSpeaker => new BgpSpeaker({ ...speaker, peers: [{ ...good, ...peer }], ...config }, () => undefined);
      expect(make).toThrow(want);
      expect(make).toThrow(SessionConfigError);
    });
  }
});
