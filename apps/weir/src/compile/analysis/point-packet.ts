import type { ConnectionState, PacketContext, PacketDescription, Transport } from '@weir/filter/packet';
import type { Int } from '@weir/filter/scheme';
import { type Ip, ip4, ip6 } from '@weir/wire/inet';
import { type Axis, type Coordinate, normal, type Stretch } from './axis.ts';
import { type Point, preferredValues, segmentOf } from './possible.ts';
import { PROTOCOL, STATES } from './question.ts';
import type { Universe } from './universe.ts';

/** A packet and what its bytes do not say. */
export interface ConcretePacket {
  readonly description: PacketDescription;
  readonly context: PacketContext;
}

const DOCUMENTATION = { source4: 0xc6336407, destination4: 0xcb007105 };
/** Where each field of a layer-4 header begins: a packet in which it is missing ends there. */
const OFFSETS: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  1: { 'icmp.type': 0, 'icmp.code': 1 },
  6: { srcport: 0, dstport: 2, 'tcp.flags': 13, 'tcp.window': 14 },
  17: { srcport: 0, dstport: 2, 'udp.length': 4 },
  58: { 'icmp.type': 0, 'icmp.code': 1 },
  132: { srcport: 0, dstport: 2 },
};

/** A packet that lies at the point. Whether it really does is for the interpreter to say: not every point can be had. */
export function packetAt(universe: Universe, point: Point): ConcretePacket {
  const value = (key: string): Coordinate | undefined => {
    const place = universe.index.get(key);
    const axis = place === undefined ? undefined : universe.axes[place];
    return axis && valueIn(axis, point[place ?? 0] ?? 0);
  };
  const number = (key: string): number | undefined => {
    const found = value(key);
    return found === undefined || typeof found === 'string' ? undefined : Number(found);
  };
  const asks = (key: string): boolean => universe.index.has(key);
  const protocol = number(PROTOCOL);
  const said = { offset: number(universe.family === 4 ? 'ip.frag_offset' : 'ip6.frag_offset'), more: number('ip6.frag_more') };
  const offset = said.offset ?? 0;
  const parts = number('ip.frag') === 1 || offset > 0 || said.more === 1 || (universe.family === 6 && said.offset !== undefined);
  // Fields of the layer-4 header that the packet must not have: it is a later part of a packet, or ends before them.
  const away = Object.entries(OFFSETS[protocol ?? -1] ?? {}).filter(([key]) => asks(key) && value(key) === undefined);
  const apart = away.length > 0 || (said.more === 0 && number('ip.frag') === 1);
  const later = offset > 0 || (universe.family === 6 && said.offset === undefined && parts && apart);
  const whole = universe.family === 6 && offset === 0 && number('ip.frag') === 0;
  const option = number('ip.opt.type');
  const length = number('ip.hdr_len') ?? 5;
  const words = universe.family === 6 ? 10 : Math.max(option === undefined ? 5 : 6, length);
  const octets = optionOctets(words, universe.family, option);
  const payload = new Uint8Array(payloadLength(universe, point, value, words, protocol));
  const transport = transportOf(protocol ?? 59, number, payload, later);
  const extensions = universe.family === 6 ? extensionsOf(number('ip6.next_header'), protocol) : [];
  const headers = words * 4 + extensions.length * 8;
  const ends = away.length === 0 || later ? undefined : headers + Math.min(...away.map(([, at]) => at));
  const description: PacketDescription = {
    source: address(universe.family, value('ip.src'), 'source'),
    destination: address(universe.family, value('ip.dst'), 'destination'),
    ttl: number('ip.ttl'),
    tos: number('ip.tos'),
    id: number('ip.id'),
    options: octets,
    flowLabel: number('ip6.flow_label'),
    extensions,
    fragment: parts ? { offset: later && offset === 0 ? 1 : offset, more: said.more === undefined ? !whole : said.more === 1 } : undefined,
    transport,
    cut: ends,
  };
  return { description: protocol === undefined ? broken(description, length) : description, context: contextOf(value, number) };
}

/** The same packet with headers that contradict themselves, so that it has no protocol. */
function broken(description: PacketDescription, words: number): PacketDescription {
  if (description.source.family === 4) return { ...description, wrong: words < 5 ? { headerLength: words } : { length: 10 } };
  const { fragment } = description;
  const before = fragment ? [{ kind: 'fragment' as const, ...fragment }] : [];
  return {
    ...description,
    fragment: undefined,
    extensions: [...before, { kind: 'routing', type: 4, segmentsLeft: 0 }],
    cut: 42 + before.length * 8,
  };
}

function contextOf(value: (key: string) => Coordinate | undefined, number: (key: string) => number | undefined): PacketContext {
  const text = (key: string): string | undefined => {
    const found = value(key);
    return typeof found === 'string' ? found : undefined;
  };
  const cgroup = value('cgroup.id');
  const state: ConnectionState | undefined = STATES[number('ct') ?? -1];
  return {
    iif: text('iif.name'),
    oif: text('oif.name'),
    mark: number('meta.mark'),
    state,
    uid: number('process.uid'),
    cgroup: typeof cgroup === 'string' ? undefined : cgroup,
  };
}

function transportOf(protocol: number, number: (key: string) => number | undefined, payload: Uint8Array, later: boolean): Transport {
  const ports = { sourcePort: number('srcport') ?? 40000, destinationPort: number('dstport') ?? 443 };
  if (later) return { kind: 'raw', protocol, payload: payload.length > 0 ? payload : new Uint8Array(8) };
  switch (protocol) {
    case 6:
      return { kind: 'tcp', ...ports, flags: number('tcp.flags') ?? 2, window: number('tcp.window'), payload };
    case 17:
      return { kind: 'udp', ...ports, length: number('udp.length'), payload };
    case 132:
      return { kind: 'sctp', ...ports, chunks: payload };
    case 1:
    case 58:
      return { kind: 'icmp', type: number('icmp.type') ?? (protocol === 1 ? 8 : 128), code: number('icmp.code') ?? 0, payload };
    case 47:
      return { kind: 'gre', protocol: 0x0800, payload };
    case 50:
      return { kind: 'esp', spi: 1, sequence: 1, payload };
    default:
      return { kind: 'raw', protocol, payload };
  }
}

/** Octets after the layer-4 header that make the lengths come out right, where rules ask for them. */
function payloadLength(
  universe: Universe,
  point: Point,
  value: (key: string) => Coordinate | undefined,
  words: number,
  protocol: number | undefined,
): number {
  const base =
    words * 4 + (protocol === 6 ? 20 : protocol === 132 ? 12 : [1, 17, 58, 50].includes(protocol ?? -1) ? 8 : protocol === 47 ? 4 : 0);
  let length = 0;
  for (const key of ['ip.len', 'meta.len']) {
    const place = universe.index.get(key);
    const axis = place === undefined ? undefined : universe.axes[place];
    const stretch = axis?.segment(point[place ?? 0] ?? 0);
    if (stretch === undefined || value(key) === undefined) continue;
    length = Math.max(length, Number(stretch.from) - base);
  }
  return Math.min(Math.max(length, 0), 65_000);
}

function optionOctets(words: number, family: 4 | 6, type: number | undefined): Uint8Array | undefined {
  if (family === 6 || words <= 5) return undefined;
  const octets = new Uint8Array(Math.min(10, words - 5) * 4);
  octets[0] = type ?? 1;
  // End and no-operation are single octets; the others say how long they are.
  if ((type ?? 1) > 1) octets[1] = octets.length;
  return octets;
}

const EXTENSIONS: Readonly<Record<number, NonNullable<PacketDescription['extensions']>[number]>> = {
  0: { kind: 'hop-by-hop' },
  43: { kind: 'routing', type: 4, segmentsLeft: 0 },
  60: { kind: 'destination-options' },
};

function extensionsOf(next: number | undefined, protocol: number | undefined): NonNullable<PacketDescription['extensions']> {
  const extension = next === undefined || next === protocol ? undefined : EXTENSIONS[next];
  return extension ? [extension] : [];
}

function address(family: 4 | 6, value: Coordinate | undefined, end: 'source' | 'destination'): Ip {
  if (family === 4) return ip4(Number(value ?? (end === 'source' ? DOCUMENTATION.source4 : DOCUMENTATION.destination4)));
  const bits =
    typeof value === 'string' || value === undefined
      ? end === 'source'
        ? 0x20010db8000100000000000000000007n
        : 0x20010db8000200000000000000000005n
      : BigInt(value);
  const word = (shift: bigint): number => Number((bits >> shift) & 0xffffffffn);
  return ip6(word(96n), word(64n), word(32n), word(0n));
}

/** A value of a segment, one that looks usual where there is one; undefined for the missing value. */
function valueIn(axis: Axis, segment: number): Coordinate | undefined {
  const stretch = axis.segment(segment);
  if (stretch === undefined) return undefined;
  const liked = preferredValues(axis).find((value) => segmentOf(axis, value) === segment);
  if (liked !== undefined) return liked;
  if (axis.spec.kind === 'name') return nameIn(stretch);
  return stretch.from;
}

/** A name between two others. */
function nameIn({ from, to }: Stretch): Coordinate {
  const start = String(from);
  const inside = (text: string): boolean => text >= start && (to === undefined || text < to) && text.length > 0;
  if (!start.endsWith('\0') && start.length > 0) return inside(`${start}0`) && to !== `${start}\0` ? `${start}0` : start;
  const base = start.replace(/\0$/, '');
  for (const more of ['eth0', 'a', '0', '!']) if (inside(base + more)) return base + more;
  return from;
}

/** An address as text from its number. */
export function numberOf(ip: Ip): Int {
  if (ip.family === 4) return ip.w0;
  return normal((BigInt(ip.w0) << 96n) | (BigInt(ip.w1) << 64n) | (BigInt(ip.w2) << 32n) | BigInt(ip.w3));
}
