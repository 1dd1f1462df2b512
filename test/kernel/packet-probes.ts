import type { Packet } from '@weir/filter/packet';
import { type Expression, type NftClient, NftTransaction } from '@weir/netlink/nftables';
import type { PacketSocket } from '@weir/sys';
import { printHex } from '@weir/wire/bytes';
import { ipBytes } from '@weir/wire/inet';

/** Registers: the source address of the frame, what was loaded behind it, and one for comparisons. */
const KEY = 8;
const VALUE = 10;
const SCRATCH = 20;
const TABLE = { family: 'inet', table: 'probe' } as const;

/** A value as both sides can say it: numbers, `true`, octets in hex. */
export type Seen = number | boolean | string;

/** How the kernel is asked for a field: what must hold, what is loaded, and what the octets mean. */
export interface Probe {
  readonly name: string;
  /** One rule for each; a packet passes at most one of them. */
  readonly guards: readonly (readonly Expression[])[];
  readonly load: Expression;
  readonly length: number;
  readonly read: (octets: Uint8Array) => Seen;
  readonly want: (packet: Packet) => Seen | undefined;
}

const number = (octets: Uint8Array): number => octets.reduce((sum, octet) => sum * 256 + octet, 0);
const hostNumber = (octets: Uint8Array): number => new DataView(octets.buffer, octets.byteOffset).getUint32(0, true);

function is(load: Expression, ...values: readonly number[]): Expression[] {
  return [load, { kind: 'cmp', sreg: SCRATCH, op: 'eq', data: Uint8Array.from(values) }];
}

const IS_V4 = is({ kind: 'meta', key: 'nfproto', dreg: SCRATCH }, 2);
const IS_V6 = is({ kind: 'meta', key: 'nfproto', dreg: SCRATCH }, 10);
const ANY = [[]];
const V4 = [IS_V4];
const V6 = [IS_V6];

function masked(load: Expression, mask: readonly number[]): Expression[] {
  const zero = new Uint8Array(mask.length);
  return [
    load,
    { kind: 'bitwise', sreg: SCRATCH, dreg: SCRATCH, length: mask.length, op: 'mask-xor', mask: Uint8Array.from(mask), xor: zero },
    { kind: 'cmp', sreg: SCRATCH, op: 'eq', data: zero },
  ];
}

const FRAGMENT_WORD = { load: { kind: 'exthdr', of: 'ipv6', type: 44, offset: 2, length: 2, dreg: VALUE }, length: 2 } as const;
const frag = { kind: 'exthdr', of: 'ipv6', type: 44, dreg: SCRATCH } as const;

/**
 * A packet of a protocol that has its transport header. The kernel loads one, two or four aligned octets of a later fragment all the same (from its data, or in IPv6 from the IP header): there
 * it only looks whether there is a protocol. So it has to be asked for the fragment offset; and where three octets are needed anyway, a load at an odd offset breaks by itself.
 */
function l4(protocol: number, needs: number, family?: 4 | 6): Expression[][] {
  const proto = is({ kind: 'meta', key: 'l4proto', dreg: SCRATCH }, protocol);
  const odd: Expression[] = needs < 3 ? [] : [{ kind: 'payload', base: 'transport', offset: 1, length: 2, dreg: SCRATCH }];
  const v4 = [
    ...IS_V4,
    ...proto,
    ...masked({ kind: 'payload', base: 'network', offset: 6, length: 2, dreg: SCRATCH }, [0x1f, 0xff]),
    ...odd,
  ];
  const whole = [...IS_V6, ...proto, ...is({ ...frag, offset: 0, length: 1, present: true }, 0), ...odd];
  const first = [...IS_V6, ...proto, ...masked({ ...frag, offset: 2, length: 2 }, [0xff, 0xf8]), ...odd];
  if (family === 4) return [v4];
  return family === 6 ? [whole, first] : [v4, whole, first];
}

type Base = 'network' | 'transport' | 'inner';
const at = (base: Base, offset: number, length: number): Pick<Probe, 'load' | 'length'> => ({
  load: { kind: 'payload', base, offset, length, dreg: VALUE },
  length,
});

function ofField(name: string): Pick<Probe, 'name' | 'want'> {
  return {
    name,
    want: (packet) => {
      const value = packet.field(name);
      if (typeof value === 'object' && 'family' in value) return printHex(ipBytes(value));
      return value instanceof Uint8Array ? printHex(value) : (value as Seen | undefined);
    },
  };
}

function field(name: string, guards: Probe['guards'], from: Pick<Probe, 'load' | 'length'>, read: Probe['read'] = number): Probe {
  return { ...ofField(name), guards, ...from, read };
}

const flag = (name: string, bit: number): Probe =>
  field(`tcp.flags.${name}`, l4(6, 14), at('transport', 13, 1), ([octet]) => (octet! & bit) !== 0);

/** The first octets of a payload, as the kernel finds them with `@ih`. */
function payload(protocol: 'tcp' | 'udp', length: number): Probe {
  return {
    name: `first ${length} of ${protocol}.payload`,
    guards: l4(protocol === 'tcp' ? 6 : 17, 8),
    ...at('inner', 0, length),
    read: printHex,
    want: (packet) => {
      const value = packet.field(`${protocol}.payload`);
      return value instanceof Uint8Array && value.length >= length ? printHex(value.subarray(0, length)) : undefined;
    },
  };
}

const SLICES: readonly (readonly [string, Probe['guards'], Base])[] = [
  ['ip', V4, 'network'],
  ['ip6', V6, 'network'],
  ['tcp', l4(6, 4), 'transport'],
  ['udp', l4(17, 4), 'transport'],
  ['icmp', l4(1, 4, 4), 'transport'],
  ['icmpv6', l4(58, 4, 6), 'transport'],
  ['sctp', l4(132, 4), 'transport'],
  ['gre', l4(47, 4), 'transport'],
  ['esp', l4(50, 4), 'transport'],
];
const BITS: readonly (readonly [number, number])[] = [
  [0, 32],
  [36, 68],
  [159, 160],
  [300, 310],
  [2040, 2056],
];

function slices(): Probe[] {
  return SLICES.flatMap(([word, guards, base]) =>
    BITS.map(([start, end]): Probe => {
      const first = start >> 3;
      const last = (end - 1) >> 3;
      return {
        name: `bit_slice(${word}, ${start}, ${end})`,
        guards,
        ...at(base, first, last - first + 1),
        read: (octets) => Number((BigInt(`0x${printHex(octets)}`) >> BigInt(7 - ((end - 1) & 7))) & ((1n << BigInt(end - start)) - 1n)),
        want: (packet) => packet.slice(word, start, end),
      };
    }),
  );
}

/** Everything of a packet that nf_tables can load. Probes of one name answer for a family each. */
const PROBES: readonly Probe[] = [
  field('ip.proto.num', ANY, { load: { kind: 'meta', key: 'l4proto', dreg: VALUE }, length: 1 }),
  field('meta.len', ANY, { load: { kind: 'meta', key: 'len', dreg: VALUE }, length: 4 }, hostNumber),
  field('ip.src', V4, at('network', 12, 4), printHex),
  field('ip.src', V6, at('network', 8, 16), printHex),
  field('ip.dst', V4, at('network', 16, 4), printHex),
  field('ip.dst', V6, at('network', 24, 16), printHex),
  field('ip.hdr_len', V4, at('network', 0, 1), ([octet]) => octet! & 15),
  field('ip.hdr_len', V6, at('network', 0, 1), () => 10),
  field('ip.len', V4, at('network', 2, 2)),
  field('ip.len', V6, at('network', 4, 2), (octets) => number(octets) + 40),
  field('ip.ttl', V4, at('network', 8, 1)),
  field('ip.ttl', V6, at('network', 7, 1)),
  field('ip.tos', V4, at('network', 1, 1)),
  field('ip.tos', V6, at('network', 0, 2), (octets) => (number(octets) >> 4) & 255),
  field('ip.dscp', V4, at('network', 1, 1), ([octet]) => octet! >> 2),
  field('ip.dscp', V6, at('network', 0, 2), (octets) => (number(octets) >> 6) & 63),
  field('ip.id', V4, at('network', 4, 2)),
  field('ip.frag_offset', V4, at('network', 6, 2), (octets) => number(octets) & 0x1fff),
  field('ip.frag', V4, at('network', 6, 2), (octets) => (number(octets) & 0x3fff) !== 0),
  field('ip.frag', V6, FRAGMENT_WORD, (octets) => (number(octets) & 0xfff9) !== 0),
  field('ip6.frag_offset', V6, FRAGMENT_WORD, (octets) => number(octets) >> 3),
  field('ip6.frag_more', V6, FRAGMENT_WORD, (octets) => (number(octets) & 1) !== 0),
  field(
    'ip.opt.type',
    [
      [
        ...IS_V4,
        { kind: 'payload', base: 'network', offset: 0, length: 1, dreg: SCRATCH },
        { kind: 'cmp', sreg: SCRATCH, op: 'gt', data: Uint8Array.of(0x45) },
      ],
    ],
    at('network', 20, 1),
  ),
  field('ip6.flow_label', V6, at('network', 1, 3), (octets) => number(octets) & 0xfffff),
  field('ip6.next_header', V6, at('network', 6, 1)),
  field('icmp.type', l4(1, 1, 4), at('transport', 0, 1)),
  field('icmp.code', l4(1, 2, 4), at('transport', 1, 1)),
  field('icmpv6.type', l4(58, 1, 6), at('transport', 0, 1)),
  field('icmpv6.code', l4(58, 2, 6), at('transport', 1, 1)),
  field('tcp.flags', l4(6, 14), at('transport', 13, 1)),
  flag('fin', 1),
  flag('syn', 2),
  flag('reset', 4),
  flag('push', 8),
  flag('ack', 16),
  flag('urg', 32),
  flag('ecn', 64),
  flag('cwr', 128),
  field('tcp.srcport', l4(6, 2), at('transport', 0, 2)),
  field('tcp.dstport', l4(6, 4), at('transport', 2, 2)),
  field('tcp.window', l4(6, 16), at('transport', 14, 2)),
  field('udp.srcport', l4(17, 2), at('transport', 0, 2)),
  field('udp.dstport', l4(17, 4), at('transport', 2, 2)),
  field('udp.length', l4(17, 6), at('transport', 4, 2)),
  field('sctp.srcport', l4(132, 2), at('transport', 0, 2)),
  field('sctp.dstport', l4(132, 4), at('transport', 2, 2)),
  payload('tcp', 1),
  payload('tcp', 4),
  payload('udp', 1),
  payload('udp', 4),
  ...slices(),
];

/** Names in the order of PROBES, each once. */
const NAMES: readonly string[] = [...new Set(PROBES.map(({ name }) => name))];

const PRIORITIES = { before: -450, after: -299 } as const;
export type Place = keyof typeof PRIORITIES;
const PLACES = Object.keys(PRIORITIES) as Place[];

/** Frames in one batch; each is known by the last octets of its source address. */
export const BATCH = 2_000;
const CHUNK = 200;

/** What a place saw of each frame, by name; undefined where the frame did not come by. */
export type Sights = Readonly<Record<Place, readonly (ReadonlyMap<string, Seen> | undefined)[]>>;

/** Sends at most BATCH frames (with the destination address that they have) and reads what the kernel found in each, before and after fragments are put together. */
export function probe(client: NftClient, socket: PacketSocket, frames: readonly Uint8Array[], conntrack: boolean): Sights {
  if (frames.length > BATCH) throw new RangeError(`${frames.length} frames`);
  client.commitOrThrow(image(conntrack));
  try {
    const marked = frames.map((frame, i) => {
      const copy = frame.slice();
      copy.set([2, 0, 0, 0xee, i >> 8, i & 255], 6);
      return copy;
    });
    for (let from = 0; from < marked.length; from += CHUNK) {
      const chunk = marked.slice(from, from + CHUNK);
      if (socket.send(chunk) !== chunk.length) throw new Error('the queue is full');
    }
    return { before: read(client, 'before', frames.length), after: read(client, 'after', frames.length) };
  } finally {
    client.commitOrThrow(new NftTransaction().deleteTable({ family: 'inet', name: TABLE.table }));
  }
}

/** A set for each probe and place, and a chain for each place that fills them. What has been seen is dropped. */
function image(conntrack: boolean): NftTransaction {
  const tx = new NftTransaction().addTable({ family: 'inet', name: TABLE.table });
  for (const place of PLACES) {
    tx.addChain({ ...TABLE, name: place, base: { hook: 'prerouting', priority: PRIORITIES[place], type: 'filter', policy: 'accept' } });
    PROBES.forEach(({ guards, load, length }, index) => {
      const set = setName(place, index);
      const keyLength = 8 + Math.ceil(length / 4) * 4;
      tx.addSet({ ...TABLE, name: set, flags: { dynamic: true }, keyType: 0, keyLength, size: 65_535 });
      const key: Expression = { kind: 'payload', base: 'link', offset: 6, length: 6, dreg: KEY };
      const keep: Expression = { kind: 'dynset', set, op: 'add', sregKey: KEY };
      for (const guard of guards) tx.addRule({ ...TABLE, chain: place, expressions: [...guard, key, load, keep] });
    });
  }
  // Naming a connection's state is what makes the kernel track connections.
  const state: Expression[] = conntrack ? [{ kind: 'ct', key: 'state', dreg: SCRATCH }] : [];
  const drop: Expression = { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'drop' } } };
  return tx.addRule({ ...TABLE, chain: 'after', expressions: [...state, drop] });
}

function setName(place: Place, index: number): string {
  return `${place}${index}`;
}

function read(client: NftClient, place: Place, count: number): (ReadonlyMap<string, Seen> | undefined)[] {
  const out = new Array<Map<string, Seen> | undefined>(count).fill(undefined);
  PROBES.forEach(({ name, length, read }, index) => {
    for (const { key } of client.elements({ ...TABLE, name: setName(place, index) })) {
      if (key?.[3] !== 0xee) continue;
      const id = (key[4]! << 8) | key[5]!;
      const seen = out[id] ?? new Map<string, Seen>();
      out[id] = seen;
      seen.set(name, read(key.subarray(8, 8 + length)));
    }
  });
  return out;
}

/** What a packet says of itself, as `probe` says it. */
export function sightOf(packet: Packet): ReadonlyMap<string, Seen> {
  const out = new Map<string, Seen>();
  for (const { name, want } of PROBES) {
    const value = want(packet);
    if (value !== undefined) out.set(name, value);
  }
  return out;
}

/** Where the two differ; a fragment that is none and one that is not there are the same. */
export function differences(kernel: ReadonlyMap<string, Seen>, packet: ReadonlyMap<string, Seen>): string[] {
  return NAMES.filter((name) => {
    const [a, b] = [kernel.get(name), packet.get(name)];
    return a !== b && !(name === 'ip.frag' && !a && !b);
  }).map((name) => `${name}: kernel ${String(kernel.get(name))}, packet ${String(packet.get(name))}`);
}
