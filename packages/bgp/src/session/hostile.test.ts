import { connect } from 'node:net';
import { parseHex } from '@weir/wire/bytes';
import { asn, ip, prefix } from '@weir/wire/inet';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeUpdate, nlriRun, sessionContext } from '../codec/index.ts';
import type { PeerConfig } from './config.ts';
import { FakeClock, passiveSpeaker, RawPeer, type TestSpeaker } from './test-session.ts';

let open: TestSpeaker[] = [];
afterEach(async () => {
  await Promise.all(open.map(({ speaker }) => speaker.close()));
  open = [];
});

async function serve(peer: Partial<PeerConfig> = {}, clock?: FakeClock): Promise<{ test: TestSpeaker; port: number }> {
  const served = await passiveSpeaker(peer, clock);
  open.push(served.test);
  return served;
}

/** A raw peer whose session is Established. */
async function established(port: number): Promise<RawPeer> {
  const raw = await RawPeer.connect(port);
  raw.open();
  await raw.until('keepalive');
  raw.keepalive();
  await raw.until('update');
  return raw;
}

const MARKER = 'ff'.repeat(16);

describe('what is wrong with an OPEN is answered', () => {
  const rows: { name: string; say: (raw: RawPeer) => void; want: string }[] = [
    { name: 'wrong AS', say: (raw) => raw.open({ myAs: 64599, capabilities: [] }), want: '2/2' },
    { name: 'hold time 1', say: (raw) => raw.open({ holdTime: 1 }), want: '2/6' },
    { name: 'hold time 2', say: (raw) => raw.open({ holdTime: 2 }), want: '2/6' },
    { name: 'identifier 0', say: (raw) => raw.open({ routerId: ip('0.0.0.0') }), want: '2/3' },
    { name: 'version 5', say: (raw) => raw.open({ version: 5 }), want: '2/1 0 4' },
    {
      name: 'no family in common',
      say: (raw) =>
        raw.open({
          capabilities: [
            { kind: 'multiprotocol', family: { afi: 2, safi: 1 } },
            { kind: 'four-octet-as', asn: asn(64512) },
          ],
        }),
      want: '2/7 1 4 0 1 0 1',
    },
    { name: 'wrong marker', say: (raw) => raw.socket.write(Buffer.alloc(19)), want: '1/1' },
    { name: 'length 18', say: (raw) => raw.socket.write(parseHex(`${MARKER}001204`)!), want: '1/2 0 18' },
    { name: 'length 65535', say: (raw) => raw.socket.write(parseHex(`${MARKER}ffff01`)!), want: '1/2 255 255' },
    { name: 'type 9', say: (raw) => raw.socket.write(parseHex(`${MARKER}001309`)!), want: '1/3 9' },
    { name: 'KEEPALIVE first', say: (raw) => raw.keepalive(), want: '5/1 4' },
    { name: 'UPDATE first', say: (raw) => raw.socket.write(parseHex(`${MARKER}00170200000000`)!), want: '5/1 2' },
    { name: 'another protocol', say: (raw) => raw.socket.write('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n'), want: '1/1' },
  ];
  for (const { name, say, want } of rows) {
    it(name, async () => {
      const { test, port } = await serve();
      const raw = await RawPeer.connect(port);
      say(raw);
      expect(await raw.verdict()).toBe(want);
      expect(test.all('established')).toEqual([]);
      expect(test.all('attempt-failed')).toHaveLength(1);
      // Whatever it was, a decent peer is served afterwards.
      await established(port);
    });
  }
});

describe('what is wrong with a session ends it or not', () => {
  const rows: { name: string; say: (raw: RawPeer) => void; want: string }[] = [
    { name: 'a second OPEN', say: (raw) => raw.open(), want: '5/3 1' },
    { name: 'an UPDATE whose lengths overrun', say: (raw) => raw.socket.write(parseHex(`${MARKER}00170200ff0000`)!), want: '3/1' },
    { name: 'a wrong marker', say: (raw) => raw.socket.write(Buffer.alloc(19)), want: '1/1' },
    { name: 'a ROUTE-REFRESH of the wrong length', say: (raw) => raw.socket.write(parseHex(`${MARKER}0018050001010100`)!), want: '7/1 ' },
  ];
  for (const { name, say, want } of rows) {
    it(name, async () => {
      const { test, port } = await serve();
      const raw = await established(port);
      say(raw);
      expect(await raw.verdict()).toMatch(want);
      expect(await test.until('down')).toMatchObject({ reason: 'notification-sent', graceful: false });
      expect(test.speaker.status('a').state).not.toBe('Established');
    });
  }

  it('keeps the session over what RFC 7606 lets pass, and tells', async () => {
    const { test, port } = await serve();
    const raw = await established(port);
    // ORIGIN 9, AS_PATH 64512, NEXT_HOP, 203.0.113.0/24: treat as withdraw.
    const attributes = '40010109' + '4002060201' + '0000fc00' + '400304c0000201';
    const length = attributes.length / 2;
    raw.socket.write(
      parseHex(
        `${MARKER}${(23 + length + 4).toString(16).padStart(4, '0')}020000${length.toString(16).padStart(4, '0')}${attributes}18cb0071`,
      )!,
    );
    const { update } = await test.until('update', (e) => e.update.errors.length > 0);
    expect(update.announce).toEqual([]);
    expect(update.withdraw).toHaveLength(1);
    expect(test.all('error')[0]?.errors[0]).toMatchObject({ action: 'treat-as-withdraw', attribute: 1 });
    expect(test.speaker.status('a')).toMatchObject({ state: 'Established', errors: { 'treat-as-withdraw': 1, 'session-reset': 0 } });
  });

  it('reads a stream that comes an octet at a time', async () => {
    const { test, port } = await serve();
    const raw = await established(port);
    const [message] = [
      ...encodeUpdate(
        {
          attributes: { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(64512)] }] },
          announce: [{ nextHop: { address: ip('192.0.2.1') }, run: nlriRun('ipv4 unicast', [prefix('203.0.113.0/24')]) }],
        },
        sessionContext(),
      ),
    ];
    for (const octet of message!) {
      raw.socket.write(Uint8Array.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await test.until('update', (e) => e.update.announce.length === 1);
  });
});

describe('connections that lead nowhere', () => {
  it('a silent one is ended when no OPEN comes', async () => {
    const clock = new FakeClock();
    const { test, port } = await serve({ openTime: 20 }, clock);
    const raw = await RawPeer.connect(port);
    await raw.until('open');
    clock.advance(19_999);
    expect(test.all('attempt-failed')).toEqual([]);
    clock.advance(1);
    expect(await raw.verdict()).toBe('4/0');
  });

  it('a dripping one too: octets without a message do not count', async () => {
    const clock = new FakeClock();
    const { port } = await serve({ openTime: 20 }, clock);
    const raw = await RawPeer.connect(port);
    await raw.until('open');
    for (let i = 0; i < 15; i++) {
      raw.socket.write(Uint8Array.of(255));
      clock.advance(1333);
    }
    clock.advance(10);
    expect(await raw.verdict()).toBe('4/0');
  });

  it('only the newest of many without OPEN is kept', async () => {
    const { test, port } = await serve();
    const raws: RawPeer[] = [];
    for (let i = 0; i < 20; i++) raws.push(await RawPeer.connect(port));
    const last = raws.pop()!;
    await Promise.all(raws.map((raw) => raw.closed));
    last.open();
    await last.until('keepalive');
    last.keepalive();
    await test.until('established');
  });

  it('a stray second connection does not disturb a session', async () => {
    const { test, port } = await serve();
    const raw = await established(port);
    const stray = await RawPeer.connect(port);
    stray.open();
    expect(await stray.verdict()).toBe('6/7');
    raw.keepalive();
    expect(test.all('down')).toEqual([]);
    expect(test.speaker.status('a').state).toBe('Established');
  });

  it('a thousand from an unknown address are reset, counted, and leave nothing', async () => {
    const { test, port } = await serve();
    const raw = await established(port);
    let done = 0;
    const one = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect({ host: '127.0.0.2', port, localAddress: '127.0.0.66' });
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          done++;
          resolve();
        });
      });
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await one();
    };
    await Promise.all(Array.from({ length: 50 }, worker));
    expect(done).toBe(1_000);
    expect(test.speaker.unknownConnections).toBe(1_000);
    expect(test.events.filter((e) => e.kind !== 'state').map((e) => e.kind)).toEqual(['listening', 'established']);
    raw.keepalive();
    expect(test.speaker.status('a').state).toBe('Established');
  }, 30_000);
});

describe('peers that stop', () => {
  it('a peer that falls silent is dropped when the hold time is over', async () => {
    const clock = new FakeClock();
    const { test, port } = await serve({}, clock);
    const raw = await established(port);
    clock.advance(89_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(test.all('down')).toEqual([]);
    expect(raw.messages.filter((m) => m.kind === 'keepalive').length).toBeGreaterThan(2);
    clock.advance(1000);
    expect(await raw.verdict()).toBe('4/0');
    expect(test.all('down')[0]).toMatchObject({ reason: 'hold-timer' });
  });

  it('what the peer sent in time counts although it was not read in time', async () => {
    const clock = new FakeClock();
    const { test, port } = await serve({}, clock);
    const raw = await established(port);
    clock.advance(80_000);
    await new Promise<void>((resolve) => raw.socket.write(parseHex(`${MARKER}001304`)!, () => resolve()));
    // The timer fires in the same turn of the loop, before the socket has been polled.
    clock.advance(20_000);
    await test.until('state', (e) => e.to === 'Established');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(test.all('down')).toEqual([]);
    expect(test.speaker.status('a').received.keepalive).toBe(2);
  });

  it('a peer that does not read is dropped when the send hold time is over (RFC 9687)', async () => {
    const clock = new FakeClock();
    const { test, port } = await serve({ sendQueue: 65536, sendHoldTime: 600, holdTime: 0 }, clock);
    const raw = await established(port);
    raw.socket.pause();
    const run = nlriRun(
      'ipv4 unicast',
      Array.from({ length: 900 }, (_, i) => prefix(`198.51.${100 + (i >> 8)}.${i & 255}/32`)),
    );
    const send = (): string => test.speaker.sendUpdate('a', { withdraw: [run] });
    let batches = 0;
    for (let full = 0; full < 5 && batches < 20_000; batches++) {
      if (send() === 'full') {
        full++;
        await new Promise((resolve) => setTimeout(resolve, 5));
      } else full = 0;
    }
    expect(batches).toBeLessThan(20_000);
    expect(test.speaker.status('a').sendPending).toBeLessThan(65536 * 3);
    clock.advance(599_000);
    expect(test.all('down')).toEqual([]);
    clock.advance(2000);
    expect(await test.until('down')).toMatchObject({ reason: 'send-hold-timer', notification: { code: 8, subcode: 0 } });
    clock.advance(3000);
    raw.socket.resume();
    await raw.closed;
  });
});
