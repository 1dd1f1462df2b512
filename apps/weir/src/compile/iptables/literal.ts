import {
  clampSet,
  complementSet,
  type IrSpan,
  intToIp,
  ipSetPrefixes,
  type Operand,
  onlyMember,
  type Range,
  type RangeSet,
  rangeSet,
  type Test,
} from '@weir/filter/ir';
import { type Hook, IP_PROTOCOLS } from '@weir/filter/scheme';
import { type Family, printIp, printPrefix } from '@weir/wire/inet';
import { Unsayable } from '../refusal.ts';
import { ALWAYS, type Match, ofProtocol, option } from './match.ts';

export interface MatchContext {
  readonly family: Family;
  readonly hook: Hook;
}

/** More lines than these are not made of one test. */
const MOST_LINES = 4096;
/** Of tests that take a line for each value. */
const MOST_VALUES = 64;
/** Ports of one multiport match; a range counts twice. */
const MOST_PORTS = 15;
const IFNAMSIZ = 16;
export const TCP = 6;

export const PORTS: Readonly<Record<string, readonly [module: string, end: 's' | 'd']>> = {
  'tcp.srcport': ['tcp', 's'],
  'tcp.dstport': ['tcp', 'd'],
  'udp.srcport': ['udp', 's'],
  'udp.dstport': ['udp', 'd'],
  'sctp.srcport': ['sctp', 's'],
  'sctp.dstport': ['sctp', 'd'],
};

const STATES: Readonly<Record<string, string>> = {
  'ct.established': 'ESTABLISHED',
  'ct.related': 'RELATED',
  'ct.new': 'NEW',
  'ct.invalid': 'INVALID',
};

export function unsayable(construct: string, span: IrSpan | undefined): Unsayable {
  return new Unsayable('iptables', construct, span);
}

/** The connection's state that a Bool field asks for. */
export function stateWord(test: Test): string | undefined {
  return test.kind === 'flag' && test.operand.kind === 'field' ? STATES[test.operand.name] : undefined;
}

/** The packets that pass the test, as lines of which one matches at least; none when no packet of the family does. Throws Unsayable. */
export function linesOf(test: Test, context: MatchContext, span: IrSpan | undefined): readonly Match[] {
  const lines = allLines(test, context, span);
  if (lines.length > MOST_LINES) throw unsayable(`${describe(test)} with ${lines.length} alternatives (${MOST_LINES} at most)`, span);
  return lines;
}

/** The packets that do not pass it, where one line says so of every packet; undefined elsewhere. */
export function lineOfNot(test: Test, context: MatchContext): Match | undefined {
  const state = stateWord(test);
  if (state !== undefined) return option('conntrack', `! --ctstate ${state}`);
  if (test.kind === 'ip') {
    const side = addressSide(test.operand);
    const prefix = side && onePrefix(context.family === 4 ? test.set.v4 : test.set.v6, context.family);
    if (side && prefix) return option(undefined, `! ${side === 'src' ? '-s' : '-d'} ${prefix}`);
  }
  if (test.kind === 'bytes' || test.kind === 'wildcard' || test.kind === 'flag') {
    const name = onlyName(test);
    const flag = name !== undefined && 'operand' in test ? interfaceFlag(test.operand) : undefined;
    if (flag) return option(undefined, `! ${flag} ${name}`);
  }
  return undefined;
}

function allLines(test: Test, context: MatchContext, span: IrSpan | undefined): readonly Match[] {
  switch (test.kind) {
    case 'flag': {
      const state = stateWord(test);
      if (state !== undefined) return [option('conntrack', `--ctstate ${state}`)];
      return interfaceLines(test, span);
    }
    case 'int':
      return intLines(test.operand, test.set, context, span);
    case 'bits':
      return bitLines(test.operand, BigInt(test.mask), span);
    case 'ip':
      return addressLines(test, context.family, span);
    case 'bytes':
      if (test.operand.kind === 'field' && test.operand.name === 'ip.proto')
        return protocolLines(numbersOf(test.values), context.family, span);
      return interfaceLines(test, span);
    case 'wildcard':
      return interfaceLines(test, span);
    case 'list':
      throw unsayable(`$${test.list}, whose members are not known here`, span);
    default:
      throw unsayable(describe(test), span);
  }
}

function intLines(operand: Operand, set: RangeSet, { family, hook }: MatchContext, span: IrSpan | undefined): readonly Match[] {
  if (operand.kind !== 'field') throw unsayable(operand.kind === 'slice' ? 'bit_slice' : operand.kind, span);
  const { name } = operand;
  const port = PORTS[name];
  if (port) return portLines(...port, clampSet(set, 0, 0xffff));
  switch (name) {
    case 'ip.proto.num':
      return protocolLines(set, family, span);
    case 'ip.ttl':
      return clampSet(set, 0, 255).map((range) => hopLine(range, family));
    case 'ip.len':
    case 'meta.len':
      return clampSet(set, 0, 0xffff).map(({ first, last }) => option('length', `--length ${first}:${last}`));
    case 'ip.tos':
      return clampSet(set, 0, 255).flatMap((range) => blocks(range, 8, (value, mask) => option('tos', `--tos ${hex(value)}/${hex(mask)}`)));
    case 'ip.dscp':
      return valuesOf(clampSet(set, 0, 63), span).map((value) => option('dscp', `--dscp ${value}`));
    case 'tcp.flags': {
      const [only] = clampSet(set, 0, 255);
      // That there are flags, whichever; which ones is asked for by their bits.
      if (only?.first !== 0 || only.last !== 255) throw unsayable(name, span);
      return [ofProtocol(TCP)];
    }
    case 'meta.mark':
      return set.flatMap((range) => blocks(range, 32, (value, mask) => option('mark', `--mark ${hex(value)}/${hex(mask)}`)));
    case 'process.uid':
      if (hook !== 'output') throw unsayable(name, span);
      return set.map(({ first, last }) => option('owner', `--uid-owner ${first === last ? first : `${first}-${last}`}`));
    default:
      throw unsayable(name, span);
  }
}

function bitLines(operand: Operand, mask: bigint, span: IrSpan | undefined): readonly Match[] {
  const name = operand.kind === 'field' ? operand.name : operand.kind;
  const bits = Array.from({ length: 32 }, (_, i) => 2 ** i).filter((bit) => (mask & BigInt(bit)) !== 0n);
  if (name === 'ip.tos') return bits.filter((bit) => bit < 256).map((bit) => option('tos', `--tos ${hex(bit)}/${hex(bit)}`));
  if (name === 'meta.mark') return bits.map((bit) => option('mark', `--mark ${hex(bit)}/${hex(bit)}`));
  throw unsayable(`& on ${name}`, span);
}

function portLines(module: string, end: 's' | 'd', set: RangeSet): readonly Match[] {
  const [only] = set;
  if (set.length !== 1 || !only) return multiportLines(module, end, set);
  const { first, last } = only;
  return [option(module, `--${end}port ${first === last ? first : `${first}:${last}`}`, IP_PROTOCOLS[module])];
}

/** Of the whole set: lines of up to 15 ports. */
export function multiportLines(module: string, end: 's' | 'd', set: RangeSet): readonly Match[] {
  const protocol = IP_PROTOCOLS[module];
  const words = set.map(({ first, last }) => (first === last ? `${first}` : `${first}:${last}`));
  const groups: string[][] = [];
  let room = 0;
  for (const word of words) {
    const size = word.includes(':') ? 2 : 1;
    if (size > room) {
      groups.push([]);
      room = MOST_PORTS;
    }
    groups.at(-1)?.push(word);
    room -= size;
  }
  return groups.map((group) => option('multiport', `--${end}ports ${group.join(',')}`, protocol));
}

/** `-p 0` would be every protocol. */
function protocolLines(set: RangeSet, family: Family, span: IrSpan | undefined): readonly Match[] {
  const all = clampSet(set, 0, 255);
  if (family === 4 && complementSet(all, 0, 255).length === 0) return [ALWAYS];
  const rest = onlyMember(complementSet(all, 0, 255));
  if (family === 4 && rest !== undefined && rest !== 0) return [option(undefined, `! -p ${rest}`)];
  return valuesOf(all, span).map((value) => {
    if (value === 0) throw unsayable('protocol 0', span);
    return ofProtocol(value);
  });
}

function numbersOf(names: readonly Uint8Array[]): RangeSet {
  return rangeSet(
    names.flatMap((name) => {
      const text = decode(name);
      const number = Object.hasOwn(IP_PROTOCOLS, text) ? IP_PROTOCOLS[text] : undefined;
      return number === undefined ? [] : [{ first: number, last: number }];
    }),
  );
}

function hopLine({ first, last }: Range, family: Family): Match {
  const [module, word] = family === 4 ? ['ttl', '--ttl'] : ['hl', '--hl'];
  const low = Number(first);
  const high = Number(last);
  if (low === high) return option(module, `${word}-eq ${low}`);
  const options = [];
  if (low > 0) options.push({ module, text: `${word}-gt ${low - 1}` });
  if (high < 255) options.push({ module, text: `${word}-lt ${high + 1}` });
  return { protocol: undefined, options };
}

function addressLines(test: Extract<Test, { kind: 'ip' }>, family: Family, span: IrSpan | undefined): readonly Match[] {
  const side = addressSide(test.operand);
  if (!side) throw unsayable(describe(test), span);
  const set = family === 4 ? test.set.v4 : test.set.v6;
  const flag = side === 'src' ? '-s' : '-d';
  const rest = complementSet(set, 0, family === 4 ? 0xffffffff : (1n << 128n) - 1n);
  if (rest.length === 0) return [ALWAYS];
  const not = set.length > 1 ? onePrefix(rest, family) : undefined;
  if (not !== undefined) return [option(undefined, `! ${flag} ${not}`)];
  return set.map((range) => {
    const prefix = onePrefix([range], family);
    if (prefix !== undefined) return option(undefined, `${flag} ${prefix}`);
    const [first, last] = [range.first, range.last].map((value) => printIp(intToIp(value, family)));
    return option('iprange', `--${side}-range ${first}-${last}`);
  });
}

export function addressSide(operand: Operand): 'src' | 'dst' | undefined {
  if (operand.kind !== 'field') return undefined;
  return operand.name === 'ip.src' ? 'src' : operand.name === 'ip.dst' ? 'dst' : undefined;
}

function onePrefix(set: RangeSet, family: Family): string | undefined {
  if (set.length !== 1) return undefined;
  const prefixes = ipSetPrefixes(family === 4 ? { v4: set, v6: [] } : { v4: [], v6: set });
  const [prefix] = prefixes;
  return prefixes.length === 1 && prefix ? printPrefix(prefix) : undefined;
}

/** The direction of an operand that is the name of an interface. */
export function interfaceFlag(operand: Operand): '-i' | '-o' | undefined {
  if (operand.kind === 'call') return operand.args[0]?.kind === 'field' ? interfaceFlag(operand.args[0]) : undefined;
  if (operand.kind !== 'field') return undefined;
  return operand.name === 'iif.name' ? '-i' : operand.name === 'oif.name' ? '-o' : undefined;
}

function interfaceLines(test: Test, span: IrSpan | undefined): readonly Match[] {
  const flag = 'operand' in test ? interfaceFlag(test.operand) : undefined;
  const names = flag && namesOf(test);
  if (!flag || !names) throw unsayable(describe(test), span);
  return names.map((name) => (name === '+' ? ALWAYS : option(undefined, `${flag} ${name}`)));
}

function onlyName(test: Test): string | undefined {
  const names = namesOf(test);
  return names?.length === 1 && names[0] !== '+' ? names[0] : undefined;
}

/** Names of interfaces as iptables writes them, `eth+` for what begins so; undefined where it cannot. */
export function namesOf(test: Test): readonly string[] | undefined {
  switch (test.kind) {
    case 'bytes': {
      const names = test.values.map(decode).filter((name) => name !== '' && new TextEncoder().encode(name).length < IFNAMSIZ);
      return names.every(isPlain) ? names : undefined;
    }
    case 'wildcard': {
      const pattern = decode(test.pattern);
      if (!test.strict && /[a-z]/i.test(pattern)) return undefined;
      const start = pattern.endsWith('*') ? pattern.slice(0, -1) : undefined;
      return starting(start ?? pattern, start !== undefined);
    }
    case 'flag': {
      const { operand } = test;
      if (operand.kind !== 'call' || operand.name !== 'starts_with') return undefined;
      const prefix = operand.args[1];
      return prefix?.kind === 'bytes' ? starting(decode(prefix.value), true) : undefined;
    }
    default:
      return undefined;
  }
}

function starting(name: string, more: boolean): readonly string[] | undefined {
  if (name === '' && more) return ['+'];
  if (!isPlain(name) || name.length >= IFNAMSIZ - (more ? 1 : 0)) return undefined;
  return [more ? `${name}+` : name];
}

/** What needs no quotes and does not mean something else. */
function isPlain(name: string): boolean {
  return /^[\w.:@-]+$/.test(name) && !name.startsWith('-');
}

export function valuesOf(set: RangeSet, span: IrSpan | undefined): readonly number[] {
  const out: number[] = [];
  for (const { first, last } of set) {
    if (out.length + Number(last) - Number(first) >= MOST_VALUES) throw unsayable(`more than ${MOST_VALUES} alternatives`, span);
    for (let value = Number(first); value <= Number(last); value++) out.push(value);
  }
  return out;
}

/** The least blocks that share their upper bits and together are the range. */
function blocks(range: Range, width: number, make: (value: number, mask: number) => Match): Match[] {
  const top = 2 ** width;
  const out: Match[] = [];
  let at = Number(range.first);
  const end = Math.min(Number(range.last), top - 1);
  if (at === 0 && end === top - 1) return [ALWAYS];
  while (at <= end) {
    let size = 1;
    while (size < top && at % (size * 2) === 0 && at + size * 2 - 1 <= end) size *= 2;
    out.push(make(at, top - size));
    at += size;
  }
  return out;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function decode(octets: Uint8Array): string {
  return new TextDecoder('latin1').decode(octets);
}

/** What a test is about, for messages. */
function describe(test: Test): string {
  if (test.kind === 'quantified') return test.quantifier;
  const { operand } = test;
  const subject =
    operand.kind === 'field' ? operand.name : operand.kind === 'slice' ? 'bit_slice' : operand.kind === 'call' ? operand.name : '[]';
  return test.kind === 'flag' || test.kind === 'int' || test.kind === 'ip' || test.kind === 'bytes'
    ? subject
    : `${test.kind} on ${subject}`;
}
