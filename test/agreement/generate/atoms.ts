import { type Ip, ip4, ip6, printIp } from '@weir/wire/inet';
import type { Random } from '../../e2e/random.ts';
import type { BedHook } from '../bed.ts';
import type { Node } from './expressions.ts';
import { type Hints, V4, V6 } from './hints.ts';
import { payloadAtom, payloadFocuses } from './payload-atoms.ts';

export interface AtomContext {
  readonly hook: BedHook;
  /** The fields of tracked connections may be asked for. */
  readonly conntrack: boolean;
  /** Only what IP headers say. */
  readonly headers: boolean;
  /** Named sets of addresses, and of numbers. */
  readonly addressLists: readonly string[];
  readonly numberLists: readonly string[];
  /** Names of interfaces that are asked as octets are, also beyond what nf_tables can say; with it payloads are asked for too. */
  readonly names: readonly string[];
  /** Is told the constants. */
  readonly hints: Hints;
}

/** Makes a comparison. */
export type Part = (random: Random, context: AtomContext) => Node;

interface IntField {
  readonly name: string;
  readonly bits: number;
  readonly usual: readonly number[];
}

const PORTS = [0, 22, 53, 80, 443, 1024, 5060, 65535] as const;

export const INT_FIELDS: readonly IntField[] = [
  { name: 'ip6.frag_offset', bits: 13, usual: [0, 1, 2, 100] },
  { name: 'ip.hdr_len', bits: 4, usual: [5, 6, 10] },
  { name: 'ip.len', bits: 17, usual: [20, 28, 40, 41, 48, 60, 68] },
  { name: 'ip.ttl', bits: 8, usual: [1, 2, 63, 64, 128, 255] },
  { name: 'ip.tos', bits: 8, usual: [0, 16, 184, 255] },
  { name: 'ip.dscp', bits: 6, usual: [0, 10, 46, 63] },
  { name: 'ip.id', bits: 16, usual: [0, 1, 65535] },
  { name: 'ip.frag_offset', bits: 13, usual: [0, 1, 185] },
  { name: 'ip.opt.type', bits: 8, usual: [0, 1, 7, 68, 131, 148] },
  { name: 'ip.proto.num', bits: 8, usual: [1, 6, 17, 47, 50, 51, 58, 59, 132, 0, 44, 60] },
  { name: 'ip6.flow_label', bits: 20, usual: [0, 1, 0xfffff] },
  { name: 'ip6.next_header', bits: 8, usual: [0, 6, 17, 43, 44, 51, 58, 60] },
  { name: 'icmp.type', bits: 8, usual: [0, 3, 8, 11] },
  { name: 'icmp.code', bits: 8, usual: [0, 1, 3, 4] },
  { name: 'icmpv6.type', bits: 8, usual: [1, 2, 128, 129, 133, 135, 136] },
  { name: 'icmpv6.code', bits: 8, usual: [0, 1, 4] },
  { name: 'tcp.flags', bits: 8, usual: [2, 0x12, 0x10, 0x18, 4, 1, 0] },
  { name: 'tcp.srcport', bits: 16, usual: [...PORTS, 4001, 4003] },
  { name: 'tcp.dstport', bits: 16, usual: PORTS },
  { name: 'tcp.window', bits: 16, usual: [0, 1024, 65535] },
  { name: 'udp.srcport', bits: 16, usual: [...PORTS, 4000, 4002] },
  { name: 'udp.dstport', bits: 16, usual: PORTS },
  { name: 'udp.length', bits: 16, usual: [7, 8, 9, 12, 16, 20] },
  { name: 'sctp.srcport', bits: 16, usual: PORTS },
  { name: 'sctp.dstport', bits: 16, usual: PORTS },
  { name: 'meta.mark', bits: 32, usual: [0, 1, 0x10, 0xffffffff] },
  { name: 'meta.len', bits: 32, usual: [20, 28, 40, 41, 48, 60, 68] },
];

/** Of the socket that sends: only at output. */
const UID: IntField = { name: 'process.uid', bits: 32, usual: [0, 1, 1000] };

export const FLAG_FIELDS: readonly string[] = ['ack', 'cwr', 'ecn', 'fin', 'push', 'reset', 'syn', 'urg'].map(
  (flag) => `tcp.flags.${flag}`,
);
export const FRAGMENT_FLAGS: readonly string[] = ['ip.frag', 'ip6.frag_more'];
export const STATE_FIELDS: readonly string[] = ['ct.established', 'ct.related', 'ct.new', 'ct.invalid'];
/** ntp.valid and the like look further into a packet than nf_tables does. */
export const SLICES: readonly string[] = ['ip', 'ip6', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'gre', 'esp'];
const PROTOCOLS = ['tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'gre', 'esp', 'ah', 'ipip', 'nonsense'] as const;
const ORDERS = ['==', '!=', '>=', '<=', '>', '<'] as const;

/** One comparison. */
export function makeAtom(random: Random, context: AtomContext): Node {
  const kind = random.below(24);
  if (context.headers) return headerAtom(random, context);
  if (context.names.length > 0 && random.below(3) === 0) return payloadAtom(random, context);
  if (kind < 11) return intAtom(random, context, random.pick(INT_FIELDS));
  if (kind < 15) return ipAtom(random, context);
  if (kind < 17) return flag(random.pick(FLAG_FIELDS));
  if (kind === 17) return flag(random.pick(FRAGMENT_FLAGS));
  if (kind < 20) return protocolAtom(random);
  if (kind < 22 && context.hook === 'output' && random.below(3) === 0) return intAtom(random, context, UID);
  if (kind === 20) return interfaceAtom(random, context);
  if (kind === 21 && context.conntrack) return flag(random.pick(STATE_FIELDS));
  return sliceAtom(random, context);
}

export const FIELDS_BY_NAME: ReadonlyMap<string, IntField> = new Map(INT_FIELDS.map((field) => [field.name, field]));
const HEADER_FIELDS = INT_FIELDS.filter(({ name }) => /^(ip|ip6|meta)\./.test(name));

function headerAtom(random: Random, context: AtomContext): Node {
  const kind = random.below(12);
  if (kind < 4) return intAtom(random, context, random.pick(HEADER_FIELDS));
  if (kind < 7) return ipAtom(random, context);
  if (kind === 7) return flag(random.pick(FRAGMENT_FLAGS));
  if (kind < 10) return protocolAtom(random);
  return kind === 10 ? interfaceAtom(random, context) : sliceAtom(random, context, random.pick(['ip', 'ip6']));
}

function flag(name: string): Node {
  return { kind: 'atom', text: name, key: name };
}

function atom(field: string, operator: string, value: string): Node {
  const key = operator === '{' ? `${field} in {}` : operator === '$' ? `${field} in $` : `${field} ${operator}`;
  const text = operator === '{' ? `${field} in {${value}}` : operator === '$' ? `${field} in $${value}` : `${field} ${operator} ${value}`;
  return { kind: 'atom', text, key };
}

/** A constant: a usual value or the one next to it, an end of what the field holds, anything it holds, or what it cannot hold. */
function constant(random: Random, { bits, usual }: Pick<IntField, 'bits' | 'usual'>): number {
  const kind = random.below(16);
  const limit = 2 ** bits;
  if (kind < 10 && usual.length > 0) return Math.max(0, random.pick(usual) + random.pick([0, 0, 0, -1, 1]));
  if (kind < 12) return random.pick([0, limit - 1]);
  if (kind < 15) return random.below(Math.min(limit, 2 ** 32 - 1));
  return random.pick([-1, limit, limit + 1, 2 ** 40]);
}

export function intAtom(random: Random, context: AtomContext, field: IntField, text = field.name, key = field.name): Node {
  const value = (): number => {
    const one = constant(random, field);
    context.hints.addInt(field.name, one);
    return one;
  };
  const spelt = (one: number): string => (one > 0 && random.below(6) === 0 ? `0x${one.toString(16)}` : String(one));
  const named = (node: Node): Node => (node.kind === 'atom' && key !== text ? { ...node, key: node.key.replace(text, key) } : node);
  const kind = random.below(10);
  if (kind < 6) return named(atom(text, random.pick(ORDERS), spelt(value())));
  if (kind === 6) return named(atom(text, '&', spelt(Math.max(0, value()))));
  if (kind === 7 && context.numberLists.length > 0 && random.below(2) === 0)
    return named(atom(text, '$', random.pick(context.numberLists)));
  const items = Array.from({ length: 1 + random.below(5) }, () => {
    const first = value();
    return random.below(3) === 0 ? `${first}..${first + random.below(random.pick([2, 100, 5000]))}` : spelt(first);
  });
  return named(atom(text, '{', items.join(' ')));
}

function address(random: Random, context: AtomContext): Ip {
  if (random.below(2) === 0) {
    const value = (random.pick(V4) + random.pick([0, 0, 1, -1])) >>> 0;
    context.hints.addV4(value);
    return ip4(value);
  }
  const value = random.pick(V6) + BigInt(random.pick([0, 0, 1, -1]));
  context.hints.addV6(value);
  return ofNumber(value);
}

function ofNumber(value: bigint): Ip {
  const word = (shift: bigint): number => Number((value >> shift) & 0xffffffffn);
  return ip6(word(96n), word(64n), word(32n), word(0n));
}

/** A prefix around an address, or a range that begins with it. */
function network(random: Random, context: AtomContext, prefixes = false): string {
  const one = address(random, context);
  if (one.family === 4) {
    if (!prefixes && random.below(3) === 0) {
      const last = one.w0 + random.below(300);
      context.hints.addV4(last);
      return `${printIp(one)}..${printIp(ip4(last))}`;
    }
    const length = random.pick([0, 1, 8, 22, 24, 25, 30, 31, 32]);
    const size = 2 ** (32 - length);
    const first = Math.floor(one.w0 / size) * size;
    context.hints.addV4(first, first + size - 1);
    return `${printIp(ip4(first))}/${length}`;
  }
  const value = [one.w0, one.w1, one.w2, one.w3].reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  if (!prefixes && random.below(3) === 0) {
    const last = value + BigInt(random.below(300)) * 2n ** BigInt(random.pick([0, 16, 64]));
    context.hints.addV6(last);
    return `${printIp(one)}..${printIp(ofNumber(last))}`;
  }
  const length = random.pick([0, 1, 32, 33, 48, 64, 126, 127, 128]);
  const size = 2n ** BigInt(128 - length);
  const first = (value / size) * size;
  context.hints.addV6(first, first + size - 1n);
  return `${printIp(ofNumber(first))}/${length}`;
}

function ipAtom(random: Random, context: AtomContext): Node {
  return ipAtomOf(random, context, random.pick(['ip.src', 'ip.dst']));
}

export function ipAtomOf(random: Random, context: AtomContext, field: string, kind = random.below(10)): Node {
  if (kind < 4) return atom(field, random.pick(ORDERS), printIp(address(random, context)));
  if (kind < 6 && context.addressLists.length > 0) return atom(field, '$', random.pick(context.addressLists));
  const items = Array.from({ length: 1 + random.below(5) }, () =>
    random.below(3) === 0 ? printIp(address(random, context)) : network(random, context),
  );
  if (kind === 9) {
    const [n4, n6] = [random.pick([0, 8, 24, 25, 31, 32]), random.pick([0, 32, 48, 65, 127, 128])];
    const node = atom(`cidr(${field}, ${n4}, ${n6})`, '{', items.join(' '));
    return node.kind === 'atom' ? { ...node, key: `cidr(${field}) in {}` } : node;
  }
  return atom(field, '{', items.join(' '));
}

/** Members of a list, as between { and }. */
export function listItems(random: Random, context: AtomContext, type: 'Ip' | 'Int'): string {
  const count = 1 + random.below(6);
  if (type === 'Ip') return Array.from({ length: count }, () => network(random, context, true)).join(' ');
  return Array.from({ length: count }, () => {
    const field = random.pick(INT_FIELDS);
    const value = Math.max(0, constant(random, field));
    context.hints.addInt(field.name, value);
    return random.below(3) === 0 ? `${value}..${value + random.below(10)}` : String(value);
  }).join(' ');
}

export function protocolAtom(random: Random): Node {
  const name = (): string => JSON.stringify(random.pick(PROTOCOLS));
  if (random.below(2) === 0) return atom('ip.proto', random.pick(['==', '!=']), name());
  return atom('ip.proto', '{', Array.from({ length: 1 + random.below(4) }, name).join(' '));
}

const INTERFACES = ['rx0', 'rx0.7', 'rx', 'rx1', 'out0', 'out', 'lo'] as const;

function interfaceFields(hook: BedHook): readonly string[] {
  return hook === 'output' ? ['oif.name'] : hook === 'forward' ? ['iif.name', 'oif.name'] : ['iif.name'];
}

function startsWith(random: Random, field: string): Node {
  const start = random.pick(['rx', 'out', 'rx0', 'lo', 'x', '']);
  return { kind: 'atom', text: `starts_with(${field}, ${JSON.stringify(start)})`, key: `starts_with(${field})` };
}

function interfaceAtom(random: Random, { hook }: AtomContext, field = random.pick(interfaceFields(hook))): Node {
  const name = (): string => JSON.stringify(random.pick(INTERFACES));
  if (random.below(2) === 0) return atom(field, random.pick(['==', '!=']), name());
  if (random.below(4) === 0) return startsWith(random, field);
  if (random.below(3) === 0) return atom(field, 'strict wildcard', JSON.stringify(random.pick(['rx*', 'out*', 'rx0*', '*'])));
  return atom(field, '{', Array.from({ length: 1 + random.below(4) }, name).join(' '));
}

/** Bits of a header, mostly near its beginning. */
function sliceAtom(random: Random, context: AtomContext, protocol = random.pick(SLICES)): Node {
  const start = random.below(random.pick([32, 160, 400, 2041]));
  const width = random.pick([1, 3, 4, 8, 13, 16, 24, 32, 1 + random.below(32)]);
  const text = `bit_slice(${protocol}, ${start}, ${start + width})`;
  const name = `bit_slice(${protocol})`;
  return intAtom(random, context, { name, bits: width, usual: [0, 1, 4, 5, 6] }, text, name);
}

/** What can be asked for at a hook, each with what asks for it; what only few hooks see comes first. */
export function focuses(context: AtomContext): readonly (readonly [string, Part])[] {
  const { hook, conntrack, headers } = context;
  const ints = (fields: readonly IntField[]): [string, Part][] => fields.map((field) => [field.name, (r, c) => intAtom(r, c, field)]);
  const slices = headers ? ['ip', 'ip6'] : SLICES;
  return [
    ...(context.names.length > 0 ? payloadFocuses(context) : []),
    ...(hook === 'output' && !headers ? ints([UID]) : []),
    ...interfaceFields(hook).flatMap((name): [string, Part][] => [
      [name, (r, c) => interfaceAtom(r, c, name)],
      [`starts_with(${name})`, (r) => startsWith(r, name)],
    ]),
    ...(conntrack && !headers ? STATE_FIELDS : []).map((name): [string, Part] => [name, () => flag(name)]),
    ...ints(headers ? HEADER_FIELDS : INT_FIELDS),
    ...(headers ? FRAGMENT_FLAGS : [...FRAGMENT_FLAGS, ...FLAG_FIELDS]).map((name): [string, Part] => [name, () => flag(name)]),
    ...['ip.src', 'ip.dst'].flatMap((name): [string, Part][] => [
      [name, (r, c) => ipAtomOf(r, c, name, r.below(9))],
      [`cidr(${name})`, (r, c) => ipAtomOf(r, c, name, 9)],
    ]),
    ['ip.proto', (r) => protocolAtom(r)],
    ...slices.map((name): [string, Part] => [`bit_slice(${name})`, (r, c) => sliceAtom(r, c, name)]),
  ];
}
