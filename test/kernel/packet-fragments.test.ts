import {
  buildFragments,
  buildPacket,
  describePacket,
  type Extension,
  Packet,
  type PacketDescription,
  Reassembly,
} from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import { ip4, ip6 } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differences, type Sights, sightOf } from './packet-probes.ts';
import { frameOf, generator, openProbeLab, type ProbeLab, type Random } from './probe-lab.ts';

const a = ip4(0xc0000201);
const b = ip4(0xc6336407);
const A = ip6(0x20010db8, 0, 0, 1);
const B = ip6(0x20010db8, 1, 0, 7);

let lab: ProbeLab;
beforeAll(async () => {
  lab = await openProbeLab();
});
afterAll(() => lab?.close());

describe('fragments', () => {
  const long = { kind: 'udp', sourcePort: 7, destinationPort: 9, payload: new Uint8Array(200).fill(5) } as const;
  it.each<{ readonly name: string; readonly of: PacketDescription; readonly spoiled?: boolean }>([
    { name: 'IPv4', of: { source: a, destination: b, id: 77, ttl: 9, transport: long } },
    { name: 'IPv6', of: { source: A, destination: B, id: 77, ttl: 9, transport: long } },
    {
      name: 'IPv6 behind an extension',
      of: { source: A, destination: B, id: 78, extensions: [{ kind: 'destination-options' }], transport: long },
    },
    {
      // The kernel overwrites an octet of the destination.
      name: 'IPv6 behind 270 octets of extensions',
      spoiled: true,
      of: {
        source: A,
        destination: B,
        id: 79,
        extensions: [
          { kind: 'destination-options', options: new Uint8Array(240) },
          { kind: 'routing', type: 4, segmentsLeft: 0, data: new Uint8Array(20) },
        ],
        transport: long,
      },
    },
  ])('of $name are the whole packet where connections are tracked, and what they are before', ({ of, spoiled = false }) => {
    const parts = buildFragments(of, 64);
    const order = [1, 0, 3, 2];
    expect(parts).toHaveLength(4);
    const frames = order.map((i) => frameOf(parts[i]!));
    const { before, after } = lab.probe(frames, true);
    const same = (seen: Sights['before']): void => {
      for (const [at, i] of order.entries()) expect(differences(seen[at]!, sightOf(Packet.fromNetwork(parts[i]!)))).toEqual([]);
    };
    same(before);
    // One of the four carries on as the whole.
    const whole = after.filter((sight) => sight !== undefined);
    expect(whole).toHaveLength(1);
    const reassembly = new Reassembly();
    const results = order.map((i) => reassembly.push(Packet.fromNetwork(parts[i]!)));
    expect(results.map(({ kind }) => kind)).toEqual(['held', 'held', 'held', 'goes-on']);
    const put = results[3]!;
    expect(put.kind === 'goes-on' && differences(whole[0]!, sightOf(put.packet))).toEqual([]);
    expect(put.kind === 'goes-on' && printHex(put.packet.bytes) === printHex(buildPacket(of))).toBe(!spoiled);
    same(lab.probe(frames, false).after);
  });
});

describe('fragments in any order, twice, overlapping, at odds with each other', () => {
  it.each([{ family: 4 }, { family: 6 }] as const)('of IPv$family become what Reassembly makes of them', async ({ family }) => {
    await lab.receiver.sysctl('net.ipv4.ipfrag_max_dist', 0);
    const random = generator(family);
    const kinds = { whole: 0, nothing: 0 };
    for (let batch = 0; batch < 4; batch++) {
      const datagrams = Array.from({ length: 200 }, (_, i) => shattered(family, batch * 1000 + i, random));
      const queue = datagrams.flatMap((parts, of) => parts.map((bytes) => ({ of, bytes, order: random(1 << 30) })));
      queue.sort((x, y) => x.order - y.order);
      const { before, after } = lab.probe(
        queue.map(({ bytes }) => frameOf(bytes)),
        true,
      );
      const reassembly = new Reassembly();
      const want = datagrams.map((): string[] => []);
      for (const { of, bytes } of queue) {
        const result = reassembly.push(Packet.fromNetwork(bytes));
        if (result.kind === 'goes-on') want[of]?.push(shown(sightOf(result.packet)));
      }
      const got = datagrams.map((): string[] => []);
      queue.forEach(({ of }, i) => {
        expect(before[i]).toBeDefined();
        const sight = after[i];
        if (sight) got[of]?.push(shown(sight));
      });
      datagrams.forEach((parts, i) => {
        const story = queue.filter(({ of }) => of === i).map(({ bytes }) => describePacket(Packet.fromNetwork(bytes)));
        expect(got[i]?.sort(), `${story.join('\n')}\nof ${parts.length}`).toEqual(want[i]?.sort());
        kinds[want[i]?.length ? 'whole' : 'nothing']++;
      });
    }
    expect(Math.min(kinds.whole, kinds.nothing)).toBeGreaterThan(100);
  });
});

function shown(sight: ReadonlyMap<string, unknown>): string {
  const entries = [...sight].filter(([name, value]) => !(name === 'ip.frag' && value === false));
  return JSON.stringify(entries.sort(([x], [y]) => (x < y ? -1 : 1)));
}

/** From an address of their own: fragments of the other test still wait. The fragments of one packet, some of them twice, cut otherwise, missing or with other flags. */
function shattered(family: 4 | 6, id: number, random: Random): Uint8Array[] {
  const bytes = Uint8Array.from({ length: 8 * (1 + random(12)) + random(8) }, () => random(256));
  const protocol = [6, 17, 58, 60][random(4)] ?? 17;
  const spoiled = random(3) === 0;
  const ends = new Set<number>();
  for (let i = random(4); i > 0; i--) ends.add(8 * random(Math.ceil(bytes.length / 8)));
  const edges = [...new Set([0, ...ends, bytes.length])].sort((x, y) => x - y);
  const pieces = edges.slice(1).map((end, i) => [edges[i] ?? 0, end] as const);
  const twice = random(4) === 0 ? [pieces[random(pieces.length)] ?? ([0, 8] as const)] : [];
  const other = spoiled ? ([[8 * random(8), 8 * (1 + random(14)) + (random(4) === 0 ? random(8) : 0)]] as const) : [];
  const tos = random(3) === 0 ? undefined : random(4);
  const extensions: readonly Extension[] = [
    ...(random(3) === 0 ? [{ kind: 'hop-by-hop' as const }] : []),
    ...(random(3) === 0 ? [{ kind: 'destination-options' as const, options: new Uint8Array(random(40)) }] : []),
  ];
  const all = [...pieces, ...twice, ...other].filter(() => random(30) !== 0);
  return all.map(([start, end]) => {
    const payload = bytes.subarray(Math.min(start, bytes.length), Math.max(start, end));
    const more = end < bytes.length ? random(60) !== 0 : random(60) === 0;
    const base = {
      id,
      tos: tos ?? random(4),
      ttl: 1 + random(200),
      fragment: { offset: start / 8, more, id },
      transport: { kind: 'raw', protocol, payload },
    } as const;
    if (family === 4)
      return buildPacket({
        source: ip4(0xc000024d),
        destination: b,
        dontFragment: random(3) === 0,
        options: random(4) === 0 ? Uint8Array.of(1, 1) : undefined,
        ...base,
      });
    return buildPacket({ source: ip6(0x20010db8, 0, 0, 0x77), destination: B, extensions, ...base });
  });
}
