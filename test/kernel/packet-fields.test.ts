import {
  buildEthernet,
  buildPacket,
  describePacket,
  type Extension,
  finishChecksum,
  inputRefusal,
  Packet,
  type PacketDescription,
  sumWords,
  type Transport,
} from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import { ip4, ip6 } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BATCH, differences, sightOf } from './packet-probes.ts';
import { frameOf, generator, HERE, openProbeLab, type ProbeLab, type Random } from './probe-lab.ts';

const a = ip4(0xc0000201);
const b = ip4(0xc6336407);
const A = ip6(0x20010db8, 0, 0, 1);
const B = ip6(0x20010db8, 1, 0, 7);

let lab: ProbeLab;
beforeAll(async () => {
  lab = await openProbeLab();
});
afterAll(() => lab?.close());

/** Sends frames and says what is not as Packet says: one line a frame, with the packet and all that differs. */
function disagreements(frames: readonly Uint8Array[], conntrack: boolean): { readonly lines: readonly string[]; readonly reached: number } {
  const lines: string[] = [];
  let reached = 0;
  for (let from = 0; from < frames.length; from += BATCH) {
    const part = frames.slice(from, from + BATCH);
    const sights = lab.probe(part, conntrack);
    part.forEach((frame, i) => {
      const framed = Packet.fromEthernet(frame);
      const packet = Packet.fromNetwork(frame.subarray(framed.link.network));
      const refusal = inputRefusal(framed);
      const tell = (what: string): void => void lines.push(`${describePacket(packet)} [${printHex(packet.bytes)}]: ${what}`);
      const before = sights.before[i];
      if ((refusal === undefined) !== (before !== undefined)) tell(`refused: ${String(refusal)}, kernel saw it: ${before !== undefined}`);
      if (before === undefined) return;
      reached++;
      const want = sightOf(packet);
      for (const [place, seen] of [
        ['before', before],
        ['after', sights.after[i]],
      ] as const) {
        // With connections tracked, fragments are put together in between.
        if (place === 'after' && conntrack && isFragment(packet)) continue;
        if (!seen) tell(`not seen at ${place}`);
        else for (const one of differences(seen, want)) if (!(SHORT.test(one) && isTwiceFragment(packet))) tell(`${place} ${one}`);
      }
      for (const difference of differences(sightOf(framed), want)) tell(`frame against packet ${difference}`);
    });
  }
  return { lines: lines.slice(0, 20), reached };
}

/** Where the first fragment header of IPv6 begins. */
function fragmentHeader({ bytes }: Packet): number | undefined {
  let next = bytes[6];
  for (let at = 40; ; ) {
    // It may also be cut off: then it is dropped where fragments are put together.
    if (next === 44) return at;
    if (next === undefined || ![0, 43, 51, 60].includes(next) || at + 2 > bytes.length) return undefined;
    const length = bytes[at + 1] ?? 0;
    const size = next === 51 ? (length + 2) * 4 : (length + 1) * 8;
    next = bytes[at];
    at += size;
  }
}

/** Also an atomic one, which is put together with nothing. */
function isFragment(packet: Packet): boolean {
  return packet.headers.family === 4 ? packet.field('ip.frag') === true : fragmentHeader(packet) !== undefined;
}

/**
 * A later fragment by its second fragment header, the first being of the beginning: what `packet-probes` asks the kernel cannot tell when less than three octets are loaded, and the kernel
 * loads them from the IP header.
 */
function isTwiceFragment(packet: Packet): boolean {
  const at = packet.headers.family === 6 ? fragmentHeader(packet) : undefined;
  if (at === undefined || packet.headers.protocol === undefined || packet.headers.transport !== undefined) return false;
  return (((packet.bytes[at + 2] ?? 0) << 8) | ((packet.bytes[at + 3] ?? 0) & 0xf8)) === 0;
}

const SHORT = /^(tcp|udp|sctp)\.srcport|^icmpv6\.(type|code)/;

const payload = Uint8Array.from({ length: 40 }, (_, i) => i);
const TRANSPORTS: readonly Transport[] = [
  { kind: 'tcp', sourcePort: 51000, destinationPort: 443, flags: 2, window: 64240, options: Uint8Array.of(2, 4, 5, 180), payload },
  { kind: 'tcp', sourcePort: 1, destinationPort: 65535, flags: 0xff, window: 0 },
  { kind: 'tcp', sourcePort: 1, destinationPort: 2, dataOffset: 2, payload },
  { kind: 'tcp', sourcePort: 1, destinationPort: 2, dataOffset: 15, payload },
  { kind: 'tcp', sourcePort: 1, destinationPort: 2, dataOffset: 15 },
  { kind: 'udp', sourcePort: 53, destinationPort: 5353, payload },
  { kind: 'udp', sourcePort: 53, destinationPort: 5353 },
  { kind: 'udp', sourcePort: 7, destinationPort: 9, length: 3, payload },
  { kind: 'icmp', type: 8, code: 0, rest: 0x12340001, payload },
  { kind: 'icmp', type: 128, code: 3, rest: 1 },
  { kind: 'sctp', sourcePort: 5000, destinationPort: 5001, tag: 9, chunks: payload },
  { kind: 'gre', protocol: 0x0800, key: 42, payload },
  { kind: 'esp', spi: 0x100, sequence: 5, payload },
  { kind: 'raw', protocol: 1, payload },
  { kind: 'raw', protocol: 58, payload },
  { kind: 'raw', protocol: 59, payload },
  { kind: 'raw', protocol: 51, payload },
  { kind: 'raw', protocol: 135, payload },
  { kind: 'raw', protocol: 253 },
];
const CHAINS: readonly (readonly Extension[])[] = [
  [],
  [{ kind: 'hop-by-hop' }],
  [
    { kind: 'hop-by-hop', options: Uint8Array.of(5, 2, 0, 0) },
    { kind: 'routing', type: 4, segmentsLeft: 0 },
    { kind: 'destination-options' },
  ],
  [{ kind: 'destination-options', options: new Uint8Array(100) }],
  [{ kind: 'ah', spi: 1, sequence: 2 }],
  [
    { kind: 'ah', spi: 1, sequence: 2 },
    { kind: 'fragment', offset: 0, more: true, id: 3 },
  ],
  [{ kind: 'fragment', offset: 0, more: false, id: 3 }],
  [{ kind: 'fragment', offset: 0, more: true, id: 4 }, { kind: 'destination-options' }],
  [{ kind: 'fragment', offset: 7, more: true, id: 5 }, { kind: 'destination-options' }],
  [
    { kind: 'fragment', offset: 0, more: false, id: 6 },
    { kind: 'fragment', offset: 3, more: false, id: 7 },
  ],
  // Out of place, and lengths that reach past the end.
  [{ kind: 'destination-options' }, { kind: 'hop-by-hop' }],
  [{ kind: 'unknown', header: 60, bytes: Uint8Array.of(0, 255, 0, 0, 0, 0, 0, 0) }],
  [{ kind: 'unknown', header: 43, bytes: Uint8Array.of(0, 20, 0, 0, 0, 0, 0, 0) }],
  [{ kind: 'unknown', header: 51, bytes: Uint8Array.of(0, 200, 0, 0, 0, 0, 0, 0) }],
  [{ kind: 'unknown', header: 59, bytes: new Uint8Array(8) }],
  [{ kind: 'unknown', header: 135, bytes: new Uint8Array(8) }],
  [{ kind: 'unknown', header: 139, bytes: new Uint8Array(40) }],
];
const FRAGMENTS = [undefined, { offset: 0, more: true, id: 9 }, { offset: 5, more: true, id: 9 }, { offset: 8191, more: false, id: 9 }];
const OPTIONS = [undefined, Uint8Array.of(0x94, 4, 0, 0), Uint8Array.of(7, 3, 4), new Uint8Array(40).fill(1)];

function crafted(): PacketDescription[] {
  const out: PacketDescription[] = [];
  for (const [i, transport] of TRANSPORTS.entries()) {
    for (const [j, fragment] of FRAGMENTS.entries()) {
      const id = 100 + i * 8 + j;
      for (const options of OPTIONS) out.push({ source: a, destination: b, ttl: i + 1, tos: i * 8, id, options, fragment, transport });
      for (const extensions of CHAINS)
        out.push({ source: A, destination: B, ttl: i + 1, tos: i * 9, flowLabel: i * 4099, extensions, fragment, transport });
    }
  }
  return out;
}

describe.each([{ conntrack: false }, { conntrack: true }])(
  'what the kernel finds in a packet ($conntrack: connections are tracked)',
  ({ conntrack }) => {
    it('is what Packet finds: crafted packets', () => {
      const descriptions = crafted();
      const { lines, reached } = disagreements(
        descriptions.map((description) => frameOf(buildPacket(description))),
        conntrack,
      );
      expect(lines).toEqual([]);
      // Nothing is wrong with most of them.
      expect(reached).toBeGreaterThan(descriptions.length * 0.9);
    });

    it('is what Packet finds: cut at every octet by their senders', () => {
      const frames: Uint8Array[] = [];
      for (const description of crafted().filter((_, i) => i % 13 === 0)) {
        const whole = buildPacket(description).length;
        for (let cut = description.source.family === 4 ? 20 : 40; cut < Math.min(whole, 130); cut++)
          frames.push(frameOf(buildPacket({ ...description, cut })));
      }
      expect(frames.length).toBeGreaterThan(2_000);
      const { lines } = disagreements(frames, conntrack);
      expect(lines).toEqual([]);
    });

    it('is what Packet finds: damaged packets', () => {
      const random = generator(conntrack ? 1 : 2);
      const base = crafted();
      const frames = Array.from({ length: 6_000 }, () => damaged(base[random(base.length)]!, random));
      const { lines, reached } = disagreements(frames, conntrack);
      expect(lines).toEqual([]);
      expect(reached).toBeGreaterThan(frames.length / 3);
    });

    it('is what Packet finds: padding after the packet, and a priority tag', () => {
      const frames = crafted()
        .slice(0, 40)
        .flatMap((description) => {
          const packet = buildPacket(description);
          return [frameOf(Uint8Array.of(...packet, 1, 2, 3, 4, 5, 6)), frameOf(packet, [{ id: 0 }])];
        });
      const { lines, reached } = disagreements(frames, conntrack);
      expect(lines).toEqual([]);
      expect(reached).toBeGreaterThan(frames.length * 0.9);
    });

    it('headers that contradict themselves come to no hook', () => {
      const transport = TRANSPORTS[5]!;
      const v4 = { source: a, destination: b, transport };
      const v6 = { source: A, destination: B, transport };
      const option = (...octets: readonly number[]): PacketDescription => ({
        ...v6,
        extensions: [{ kind: 'hop-by-hop', options: Uint8Array.from(octets) }],
      });
      const rows: readonly (readonly [PacketDescription, ReturnType<typeof inputRefusal>])[] = [
        [v4, undefined],
        [{ ...v4, wrong: { version: 5 } }, 'version'],
        [{ ...v4, wrong: { headerLength: 4 } }, 'header length'],
        [{ ...v4, wrong: { length: 19 } }, 'total length'],
        [{ ...v4, wrong: { length: 77 } }, 'total length'],
        [{ ...v4, wrong: { length: 20 } }, undefined],
        [{ ...v4, wrong: { checksum: 1 } }, 'checksum'],
        [{ ...v4, captured: 19 }, 'cut short'],
        [{ ...v4, options: new Uint8Array(8), captured: 25 }, 'cut short'],
        [v6, undefined],
        [{ ...v6, wrong: { version: 5 } }, 'version'],
        [{ ...v6, wrong: { length: 49 } }, 'total length'],
        [{ ...v6, wrong: { length: 0 } }, undefined],
        [{ ...v6, captured: 39 }, 'cut short'],
        [{ ...v6, source: ip6(0, 0, 0, 1) }, 'source address'],
        [{ ...v6, source: ip6(0xff020000, 0, 0, 1) }, 'source address'],
        [{ ...v6, destination: ip6(0, 0, 0, 1) }, 'destination address'],
        [{ ...v6, destination: ip6(0xff000000, 0, 0, 1) }, 'destination address'],
        [{ ...v6, destination: ip6(0xff010000, 0, 0, 1) }, 'destination address'],
        [{ ...v6, destination: ip6(0xff050000, 0, 0, 0x99) }, undefined],
        [option(), undefined],
        [option(5, 2, 0, 0), undefined],
        [option(5, 3, 0, 0, 0), 'hop-by-hop options'],
        [option(0x1e, 1, 0), undefined],
        [option(0x5e, 1, 0), 'hop-by-hop options'],
        [option(0x9e, 1, 0), 'hop-by-hop options'],
        [option(0xde, 1, 0), 'hop-by-hop options'],
        [option(1, 3, 0, 0, 1), 'hop-by-hop options'],
        [option(1, 6, 0, 0, 0, 0, 0, 0), 'hop-by-hop options'],
        [option(0, 0, 0, 0, 0, 0, 0, 0), 'hop-by-hop options'],
        [option(0x1e, 200), 'hop-by-hop options'],
        [option(...Array.from({ length: 8 }, () => [0x1e, 0]).flat()), undefined],
        [option(...Array.from({ length: 9 }, () => [0x1e, 0]).flat()), 'hop-by-hop options'],
        [option(0xc2, 4, 0, 1, 0, 0), 'hop-by-hop options'],
        [{ ...option(0xc2, 4, 0, 1, 0, 0), wrong: { length: 0 } }, 'hop-by-hop options'],
        [{ ...option(), wrong: { length: 0 } }, undefined],
        [{ ...v6, extensions: [{ kind: 'unknown', header: 0, bytes: Uint8Array.of(0, 99, 1, 4, 0, 0, 0, 0) }] }, 'hop-by-hop options'],
      ];
      expect(rows.map(([description]) => inputRefusal(Packet.fromNetwork(buildPacket(description))))).toEqual(
        // A version that is neither is not IP to bytes without a link header.
        rows.map(([, want]) => (want === 'version' ? 'not ip' : want)),
      );
      const frames = rows.map(([description]) => buildPacket({ ...description, ethernet: { destination: HERE } }));
      expect(frames.map((frame) => inputRefusal(Packet.fromEthernet(frame)))).toEqual(rows.map(([, want]) => want));
      expect(disagreements(frames, conntrack).lines).toEqual([]);
    });
  },
);

/** Octets changed, cut off and put behind, mostly with a checksum and length that are right again. */
function damaged(description: PacketDescription, random: Random): Uint8Array {
  let packet = buildPacket(description);
  if (random(3) === 0) packet = packet.slice(0, random(packet.length + 1));
  if (random(8) === 0) packet = Uint8Array.of(...packet, ...new Uint8Array(random(20)));
  const v4 = description.source.family === 4;
  for (let i = random(4); i > 0 && packet.length > 0; i--) {
    // Mostly in the headers; often with a value that means something there.
    const at = random(Math.min(packet.length, random(2) === 0 ? 24 : 120));
    const values = [0, 1, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132, 135, 255];
    packet[at] = random(2) === 0 ? values[random(values.length)]! : random(256);
  }
  const view = new DataView(packet.buffer);
  if (random(8) !== 0 && packet.length >= 40) {
    if (v4) view.setUint16(2, packet.length);
    else view.setUint16(4, packet.length - 40);
  }
  if (random(8) !== 0 && packet.length >= 40) packet[0] = v4 ? 0x40 | (packet[0]! & 15) : 0x60 | (packet[0]! & 15);
  const header = (packet[0] ?? 0) & 15;
  if (v4 && random(20) !== 0 && packet.length >= header * 4 && header >= 5) {
    view.setUint16(10, 0);
    view.setUint16(10, finishChecksum(sumWords(packet.subarray(0, header * 4))));
  }
  return buildEthernet({ destination: HERE }, v4 ? 0x0800 : 0x86dd, packet);
}
