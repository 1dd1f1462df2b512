import { readFileSync } from 'node:fs';
import { DecodeError, printHex, Writer } from '@weir/wire/bytes';
import { encodeIp, type Ip, ip4, ip6, printIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeMessage, encodeKeepalive, FAMILY_NAMES, notificationBytes, sessionContext } from '../codec/index.ts';
import type { CaptureEntry } from './entry.ts';
import { readPcap } from './pcap.ts';

const file = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../../conformance/bgp/captures/${name}`, import.meta.url)));

type MessageEntry = Extract<CaptureEntry, { kind: 'message' }>;
const messagesOf = (entries: Iterable<CaptureEntry>): MessageEntry[] => [...entries].filter((e) => e.kind === 'message');

/** One line a message: when (after the first one), from whom, what. */
function story(bytes: Uint8Array): readonly string[] {
  const entries = messagesOf(readPcap(bytes));
  return entries.map((e) => {
    const j = describeMessage(e.bytes, e.context);
    const routes = j.announce.map((a) => `${a.prefix} ${a.pathId} via ${a.nextHop}`);
    return [printIp(e.source.address), j.type, j.outcome, j.eor ?? '', ...routes].join(' ').trim();
  });
}

const SESSION = [
  '192.0.2.2 open accept',
  '192.0.2.1 open accept',
  '192.0.2.2 keepalive accept',
  '192.0.2.1 keepalive accept',
  '192.0.2.1 update accept  203.0.113.7/32 2 via 192.0.2.1',
  '192.0.2.1 update accept ipv6 unicast',
  '192.0.2.1 update accept ipv4 unicast',
  '192.0.2.2 update accept  198.51.100.0/24 2 via 192.0.2.2',
  '192.0.2.2 update accept ipv4 unicast',
  '192.0.2.2 update accept  2001:db8:1::/48 3 via 2001:db8::2',
  '192.0.2.2 update accept ipv6 unicast',
  '192.0.2.1 notification accept',
];

describe('a session that tcpdump recorded', () => {
  it.each(['frr-bird-ethernet.pcap', 'frr-bird-cooked.pcap', 'frr-bird-cooked2-ns.pcap'])('%s', (name) => {
    expect(story(file(name)).slice(0, SESSION.length)).toEqual(SESSION);
  });

  it('learns from the OPENs how to read what follows', () => {
    const [first, second, , , update] = messagesOf(readPcap(file('frr-bird-ethernet.pcap')));
    expect(first?.context.addPath).toEqual([]);
    expect(second?.context).toMatchObject({ peerKind: 'ebgp', localAs: 64512, peerAs: 64513, fourOctetAs: true, extendedMessage: true });
    expect(update?.context.addPath).toEqual(['ipv4 unicast', 'ipv6 unicast']);
  });

  it('microseconds and nanoseconds tell the same time', () => {
    const micro = messagesOf(readPcap(file('frr-bird-cooked.pcap')))[0]?.time ?? 0;
    const nano = messagesOf(readPcap(file('frr-bird-cooked2-ns.pcap')))[0]?.time ?? 1;
    expect(Math.abs(micro - nano)).toBeLessThan(1000);
    expect(new Date(micro / 1000).getUTCFullYear()).toBe(2026);
  });
});

const A = ip4(0xc0000201);
const B = ip4(0xc0000202);

interface Sent {
  readonly from: Ip;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly syn?: boolean;
}

/** An IP packet with one TCP segment between port 40000 of the lower and port 179 of the higher address. */
function packet({ from, sequence, data, syn }: Sent, v6 = false): Uint8Array {
  const client = from === A;
  const to = client ? B : A;
  const wide = (ip: Ip): Ip => (v6 ? ip6(0x20010db8, 0, 0, ip.w0) : ip);
  const w = new Writer();
  if (v6)
    w.u32(0x60000000)
      .u16(20 + data.length)
      .u8(6)
      .u8(64);
  else
    w.u16(0x4500)
      .u16(40 + data.length)
      .u32(0)
      .u8(64)
      .u8(6)
      .u16(0);
  encodeIp(w, wide(from));
  encodeIp(w, wide(to));
  w.u16(client ? 40000 : 179)
    .u16(client ? 179 : 40000)
    .u32(sequence)
    .u32(0)
    .u8(0x50)
    .u8(syn ? 2 : 16)
    .u32(0xffff0000)
    .u16(0)
    .bytes(data);
  return w.finish();
}

const u32 = (w: Writer, little: boolean, value: number): Writer => (little ? w.u32LE(value) : w.u32(value));

function pcap(packets: readonly Uint8Array[], { little = true, nanoseconds = false, linkType = 101 } = {}): Uint8Array {
  const w = new Writer();
  for (const value of [nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 0x00040002, 0, 0, 65535, linkType]) u32(w, little, value);
  packets.forEach((p, i) => {
    for (const value of [1000 + i, nanoseconds ? 5000 : 5, p.length, p.length]) u32(w, little, value);
    w.bytes(p);
  });
  return w.finish();
}

function pcapng(packets: readonly Uint8Array[], little: boolean): Uint8Array {
  const w = new Writer();
  const block = (type: number, body: Writer): void => {
    body.align(4);
    u32(u32(w, little, type), little, 12 + body.length).bytes(body.view());
    u32(w, little, 12 + body.length);
  };
  const u16 = (b: Writer, value: number): Writer => (little ? b.u16LE(value) : b.u16(value));
  const section = u32(new Writer(), little, 0x1a2b3c4d);
  block(0x0a0d0d0a, u32(u32(u32(section, little, 1), little, 0xffffffff), little, 0xffffffff));
  // Nanoseconds, and an option that nobody reads before it.
  const description = u32(u16(u16(new Writer(), 101), 0), little, 0);
  u16(u16(description, 2), 3).u8(0x6c).u8(0x6f).u8(0x30).u8(0);
  u16(u16(description, 9), 1).u32(0x09000000);
  block(1, u32(description, little, 0));
  packets.forEach((p, i) => {
    const stamp = BigInt(1000 + i) * 1_000_000_000n + 5000n;
    const body = u32(new Writer(), little, 0);
    u32(u32(body, little, Number(stamp >> 32n)), little, Number(stamp & 0xffffffffn));
    u32(u32(body, little, p.length), little, p.length).bytes(p);
    block(6, body);
  });
  return w.finish();
}

const keepalive = (): Uint8Array => {
  const w = new Writer();
  encodeKeepalive(w);
  return w.finish();
};

const hex = (entries: Iterable<CaptureEntry>): readonly string[] => messagesOf(entries).map((e) => printHex(e.bytes));
const one = [packet({ from: A, sequence: 7, data: keepalive() })];

describe('file formats', () => {
  it.each([
    { name: 'pcap, little-endian', bytes: pcap(one) },
    { name: 'pcap, big-endian', bytes: pcap(one, { little: false }) },
    { name: 'pcap, nanoseconds', bytes: pcap(one, { nanoseconds: true }) },
    { name: 'pcap, nanoseconds, big-endian', bytes: pcap(one, { nanoseconds: true, little: false }) },
    { name: 'pcapng, little-endian', bytes: pcapng(one, true) },
    { name: 'pcapng, big-endian', bytes: pcapng(one, false) },
    { name: 'raw IPv6', bytes: pcap([packet({ from: A, sequence: 7, data: keepalive() }, true)]) },
    { name: 'BSD loopback', bytes: pcap([Uint8Array.of(2, 0, 0, 0, ...(one[0] ?? []))], { linkType: 0 }) },
    {
      name: 'Ethernet with two VLAN tags',
      bytes: pcap([Uint8Array.of(...new Array<number>(12).fill(0), 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0, ...(one[0] ?? []))], {
        linkType: 1,
      }),
    },
  ])('$name', ({ bytes }) => {
    const [entry] = messagesOf(readPcap(bytes));
    expect(entry).toMatchObject({ time: 1000_000_005, source: { port: 40000 }, destination: { port: 179 }, synthetic: false });
    expect(printHex(entry?.bytes ?? new Uint8Array(0))).toBe(printHex(keepalive()));
  });

  it('a file that is neither is a DecodeError', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(3), new Uint8Array(100)])
      expect(() => [...readPcap(bytes)]).toThrow(DecodeError);
  });

  it('a link type that is not read is said once', () => {
    expect([...readPcap(pcap([...one, ...one], { linkType: 147 }))]).toMatchObject([{ kind: 'unsupported', what: 'link type 147' }]);
  });

  it.each([
    { name: 'pcap', bytes: file('frr-bird-ethernet.pcap').slice(0, 1500) },
    { name: 'pcapng', bytes: pcapng([...one, ...one], true) },
  ])('$name cut anywhere gives what is whole and throws nothing but a DecodeError', ({ bytes }) => {
    for (let k = 0; k < bytes.length; k++) {
      try {
        expect([...readPcap(bytes.subarray(0, k))].length).toBeLessThan(40);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }
  });

  it('random damage throws nothing but a DecodeError', () => {
    const whole = file('frr-bird-ethernet.pcap');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 30 }), (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          for (const e of readPcap(bytes)) if (e.kind === 'message') describeMessage(e.bytes, e.context);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});

describe('TCP', () => {
  const list = [keepalive(), notificationBytes({ code: 6, subcode: 2, data: new Uint8Array(300).fill(1) }), keepalive(), keepalive()];
  const stream = ((): Uint8Array => {
    const w = new Writer();
    for (const m of list) w.bytes(m);
    return w.finish();
  })();
  const want = list.map(printHex);

  it('segments in any order, twice, overlapping, around the end of the sequence space', () => {
    const piece = fc.tuple(fc.nat(stream.length - 1), fc.integer({ min: 1, max: 120 }));
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.constantFrom(7, 0xffffff80, 0xffffffff),
        fc.array(fc.nat()),
        (extra, start, order) => {
          const cover = Array.from({ length: Math.ceil(stream.length / 50) }, (_, i) => [i * 50, 50] as const);
          const all = [...cover, ...extra].map(([from, size], i) => ({ from, size, key: order[i] ?? i }));
          all.sort((a, b) => a.key - b.key);
          const packets = all.map(({ from, size }) =>
            packet({ from: A, sequence: (start + 1 + from) >>> 0, data: stream.subarray(from, from + size) }),
          );
          const syn = packet({ from: A, sequence: start, data: new Uint8Array(0), syn: true });
          const got = [...readPcap(pcap([syn, ...packets]))];
          expect(hex(got)).toEqual(want);
          expect(got.filter((e) => e.kind === 'problem')).toEqual([]);
        },
      ),
    );
  });

  it('a capture that starts in the middle of a message finds the next one', () => {
    const got = [...readPcap(pcap([packet({ from: A, sequence: 1, data: stream.subarray(30) })]))];
    expect(hex(got)).toEqual(want.slice(2));
    expect(got[0]).toMatchObject({ kind: 'problem', message: '310 octets that are no message' });
  });

  it('a segment that never comes costs only the messages it was part of', () => {
    const at = (from: number, to: number): Uint8Array => packet({ from: A, sequence: 1 + from, data: stream.subarray(from, to) });
    const got = [...readPcap(pcap([at(0, 25), at(40, stream.length)]))];
    expect(hex(got)).toEqual([want[0], want[2], want[3]]);
    expect(got.filter((e) => e.kind === 'problem').map((e) => e.message)).toEqual([
      '15 octets are missing',
      '6 octets that are no message',
      '300 octets that are no message',
    ]);
  });

  it('a second connection on the same ports starts anew', () => {
    const connection = (start: number): Uint8Array[] => [
      packet({ from: A, sequence: start, data: new Uint8Array(0), syn: true }),
      packet({ from: A, sequence: start + 1, data: stream }),
    ];
    expect(hex(readPcap(pcap([...connection(1000), ...connection(9)])))).toEqual([...want, ...want]);
  });

  it('a bad header of a sender that was in step is shown, and the stream goes on', () => {
    const bad = keepalive();
    bad[18] = 9;
    const packets = [keepalive(), bad, keepalive()].map((data, i) => packet({ from: A, sequence: 1 + i * 19, data }));
    const got = messagesOf(readPcap(pcap(packets)));
    expect(got.map((e) => describeMessage(e.bytes, e.context).notification)).toEqual([null, { code: 1, subcode: 3, data: '09' }, null]);
  });

  it('fragments and other ports are not read', () => {
    const fragment = one[0]?.slice() ?? new Uint8Array(0);
    fragment[6] = 0x20;
    const other = one[0]?.slice() ?? new Uint8Array(0);
    other[23] = 80;
    expect([...readPcap(pcap([fragment, other]))]).toMatchObject([{ kind: 'problem', message: 'fragment of an IPv4 packet' }]);
  });

  it('defaults are for what no OPEN says', () => {
    const [entry] = messagesOf(readPcap(pcap(one), { defaults: { peerKind: 'ibgp', fourOctetAs: false } }));
    expect(entry?.context).toEqual(
      sessionContext({ families: FAMILY_NAMES, peerKind: 'ibgp', fourOctetAs: false, extendedMessage: true, extendedNextHop: true }),
    );
  });
});
