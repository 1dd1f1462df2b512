import type { Operand, RangeSet, Test } from '@weir/filter/ir';
import { type Field, type Int, IP_PROTOCOLS, PACKET_SCHEME } from '@weir/filter/scheme';
import { type AxisSpec, next, normal, type Stretch } from './axis.ts';

/**
 * What a test asks of the packets of one family: always or never true of them, or true where the packet lies in some stretches of one axis. The test is
 * false of packets without a value there, and of those with another protocol than the axis has.
 */
export type Question =
  | { readonly kind: 'constant'; readonly value: boolean }
  | {
      readonly kind: 'axis';
      readonly axis: AxisSpec;
      readonly stretches: readonly Stretch[];
      readonly protocols: readonly number[] | undefined;
    };

/** Connection states in the order of their numbers on the axis `ct`. A packet has exactly one. */
export const STATES = ['new', 'established', 'related', 'invalid', 'untracked'] as const;

/** Protocols whose ports share the axes `srcport` and `dstport`: a rule for ports of any protocol is one box then. */
const PORT_PROTOCOLS: readonly number[] = [6, 17, 132];

export const PROTOCOL = 'ip.proto.num';

/** A mask that would cut an axis into more runs is only known as true or not. */
const MAX_RUNS = 256;

const FLAGS: ReadonlyMap<string, number> = new Map([
  ['tcp.flags.fin', 1],
  ['tcp.flags.syn', 2],
  ['tcp.flags.reset', 4],
  ['tcp.flags.push', 8],
  ['tcp.flags.ack', 16],
  ['tcp.flags.urg', 32],
  ['tcp.flags.ecn', 64],
  ['tcp.flags.cwr', 128],
]);

/** Fields that every packet of a family has at the hooks of the kernel. */
const ALWAYS: ReadonlySet<string> = new Set([
  'ip.hdr_len',
  'ip.len',
  'ip.ttl',
  'ip.tos',
  'ip.id',
  'ip.frag_offset',
  'ip6.flow_label',
  'ip6.next_header',
]);

/** The axis of protocols: a packet whose headers contradict themselves or cannot be walked has none. */
export function protocolAxis(): AxisSpec {
  return { key: PROTOCOL, kind: 'number', min: 0, end: 256, optional: true, protocols: undefined };
}

export function ask(test: Test, family: 4 | 6): Question {
  if (test.kind === 'quantified' || test.operand.kind !== 'field') return atom(test, family);
  const name = test.operand.name;
  switch (test.kind) {
    case 'ip':
      if (name !== 'ip.src' && name !== 'ip.dst') return atom(test, family);
      return question(addressAxis(name, family), stretchesOf(family === 4 ? test.set.v4 : test.set.v6));
    case 'int':
      return askNumber(name, test.set, family) ?? atom(test, family);
    case 'bits':
      return askBits(name, test.mask, family) ?? atom(test, family);
    case 'flag':
      return askFlag(name, family) ?? atom(test, family);
    case 'bytes':
      if (name === 'ip.proto') return askProtocolNames(test.values.map(latin1));
      return isName(name) ? question(nameAxis(name), test.values.map(latin1).map(only)) : atom(test, family);
    case 'wildcard':
      return (isName(name) && test.strict && askPrefix(name, latin1(test.pattern))) || atom(test, family);
    default:
      return atom(test, family);
  }
}

/** Something of which it is only known whether it is true. */
export function atomAxis(key: string): AxisSpec {
  return { key, kind: 'atom', min: 0, end: 2, optional: false, protocols: undefined };
}

/** The stretches of an atom that is true. */
const TRUE: readonly Stretch[] = [{ from: 1, to: 2 }];

function question(axis: AxisSpec, stretches: readonly Stretch[], protocols = axis.protocols): Question {
  return stretches.length === 0 ? { kind: 'constant', value: false } : { kind: 'axis', axis, stretches, protocols };
}

function addressAxis(name: string, family: 4 | 6): AxisSpec {
  return { key: name, kind: 'address', min: 0, end: family === 4 ? 2 ** 32 : 1n << 128n, optional: false, protocols: undefined };
}

function askNumber(name: string, set: RangeSet, family: 4 | 6): Question | undefined {
  if (name === 'ip.dscp') {
    const wide = set.map(({ first, last }) => ({ first: Number(first) * 4, last: Number(last) * 4 + 3 }));
    return askNumber('ip.tos', wide, family);
  }
  if (name === 'ip.hdr_len' && family === 6) {
    return { kind: 'constant', value: set.some(({ first, last }) => first <= 10 && last >= 10) };
  }
  if (name === PROTOCOL) return question(protocolAxis(), stretchesOf(set));
  const field = PACKET_SCHEME.fields.get(name);
  if (field?.range === undefined) return undefined;
  if (field.family !== undefined && field.family !== family) return { kind: 'constant', value: false };
  return question(numberAxis(name, field), stretchesOf(set), field.protocol === undefined ? undefined : [field.protocol]);
}

/** The axis of an Int field. Ports of all protocols share two axes; so do types and codes, of which a family has one. */
function numberAxis(name: string, field: Field): AxisSpec {
  const port = /^(?:tcp|udp|sctp)\.((?:src|dst)port)$/.exec(name)?.[1];
  const icmp = /^icmp(?:v6)?\.(type|code)$/.exec(name)?.[1];
  const key = port ?? (icmp === undefined ? name : `icmp.${icmp}`);
  const protocols = port !== undefined ? PORT_PROTOCOLS : field.protocol === undefined ? undefined : [field.protocol];
  const optional = field.optional && !ALWAYS.has(name);
  return { key, kind: 'number', min: normal(field.range?.min ?? 0), end: next(field.range?.max ?? 0), optional, protocols };
}

function askBits(name: string, mask: Int, family: 4 | 6): Question | undefined {
  if (name === 'ip.dscp') return askBits('ip.tos', BigInt(mask) << 2n, family);
  const field = PACKET_SCHEME.fields.get(name);
  if (field?.range === undefined) return undefined;
  const set = valuesWithBits(BigInt(field.range.max), BigInt(mask));
  if (set === undefined) return undefined;
  return set.length === 0 ? { kind: 'constant', value: false } : askNumber(name, set, family);
}

/** Values from 0 to `max` that have a bit of the mask; undefined when those are too many runs. */
function valuesWithBits(max: bigint, mask: bigint): RangeSet | undefined {
  if (mask < 0n) return undefined;
  const inside = mask & ((1n << BigInt(max.toString(2).length)) - 1n);
  if (inside === 0n) return [];
  // Runs without a bit begin at multiples of the lowest bit of the mask; walk the values of the bits above it.
  const low = inside & -inside;
  if (max / low > BigInt(MAX_RUNS) * 2n) return undefined;
  const out: { first: Int; last: Int }[] = [];
  for (let from = 0n; from <= max; from += low) {
    if ((from & inside) === 0n) continue;
    const last = from + low - 1n < max ? from + low - 1n : max;
    const before = out[out.length - 1];
    if (before && BigInt(before.last) + 1n === from) before.last = normal(last);
    else out.push({ first: normal(from), last: normal(last) });
  }
  return out;
}

function askFlag(name: string, family: 4 | 6): Question | undefined {
  const bit = FLAGS.get(name);
  if (bit !== undefined) return askBits('tcp.flags', bit, family);
  const state = STATES.findIndex((s) => name === `ct.${s}`);
  if (state >= 0) {
    const axis: AxisSpec = { key: 'ct', kind: 'number', min: 0, end: STATES.length, optional: false, protocols: undefined };
    return question(axis, [{ from: state, to: state + 1 }]);
  }
  if (name === 'ip6.frag_more' && family === 4) return { kind: 'constant', value: false };
  if (name === 'ip.frag' || name === 'ip6.frag_more') return question({ ...atomAxis(name), kind: 'number' }, TRUE);
  return undefined;
}

function askProtocolNames(names: readonly string[]): Question {
  const numbers = names.map((name) => (Object.hasOwn(IP_PROTOCOLS, name) ? IP_PROTOCOLS[name] : undefined)).filter((n) => n !== undefined);
  return question(
    protocolAxis(),
    numbers.map((n) => ({ from: n, to: n + 1 })),
  );
}

function isName(name: string): boolean {
  return name === 'iif.name' || name === 'oif.name';
}

function nameAxis(name: string): AxisSpec {
  return { key: name, kind: 'name', min: '', end: undefined, optional: true, protocols: undefined };
}

function only(text: string): Stretch {
  return { from: text, to: `${text}\0` };
}

/** `eth*`: names from `eth` up to `eti`. Undefined for any other pattern. */
function askPrefix(name: string, pattern: string): Question | undefined {
  const head = pattern.slice(0, -1);
  if (!pattern.endsWith('*') || /[*\\]/.test(head)) return undefined;
  const tail = head.replace(/\xff+$/, '');
  const to = tail === '' ? undefined : tail.slice(0, -1) + String.fromCharCode(tail.charCodeAt(tail.length - 1) + 1);
  return question(nameAxis(name), [{ from: head, to }]);
}

function stretchesOf(set: RangeSet): readonly Stretch[] {
  return set.map(({ first, last }) => ({ from: normal(first), to: next(last) }));
}

/** A test of which the space only knows whether it is true: payloads, regular expressions, members of named sets, calls. */
function atom(test: Test, family: 4 | 6): Question {
  let protocols: readonly number[] | undefined;
  for (const name of fieldsOf(test)) {
    const field = PACKET_SCHEME.fields.get(name);
    if (field?.family !== undefined && field.family !== family) return { kind: 'constant', value: false };
    if (field?.protocol !== undefined) protocols = [field.protocol];
  }
  const axis = { ...atomAxis(testKey(test)), protocols };
  return { kind: 'axis', axis, stretches: TRUE, protocols };
}

/** The fields without which a test is false. */
function fieldsOf(test: Test): readonly string[] {
  return test.kind === 'quantified' ? [] : operandFields(test.operand);
}

function operandFields(operand: Operand): readonly string[] {
  switch (operand.kind) {
    case 'field':
      return [operand.name];
    case 'index':
      return operandFields(operand.of);
    case 'slice':
    case 'call':
      return [];
  }
}

/** The same text for tests that are the same. */
export function testKey(test: Test): string {
  if (test.kind === 'list') return `${test.operand.kind === 'field' ? test.operand.name : keyOf(test.operand)} in $${test.list}`;
  return keyOf(test);
}

function keyOf(value: Test | Operand): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v instanceof Uint8Array ? latin1(v) : v));
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
