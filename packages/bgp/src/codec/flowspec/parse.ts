import { parsePrefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import {
  type AnyOf,
  type BitmaskKind,
  type BitmaskTest,
  type ComponentKind,
  type FlowComponent,
  isBitmaskKind,
  isPrefixComponent,
  isPrefixKind,
  type NumericKind,
  type NumericOperator,
  type NumericTest,
  type PrefixComponent,
  type PrefixKind,
} from './component.ts';
import { flowRule } from './decode.ts';
import { parseDistinguisher } from './distinguisher.ts';
import { fragmentBits } from './operators.ts';
import type { FlowRule } from './rule.ts';
import { type FlowProblem, FlowTextError, TextCursor } from './text-cursor.ts';
import { componentWord, FRAGMENT_NAMES, GREATEST, NAMES } from './words.ts';

export type FlowResult = { readonly ok: true; readonly rule: FlowRule } | { readonly ok: false; readonly problem: FlowProblem };

/** Characters of text that are looked at. */
const MAX_TEXT = 65_536;

/**
 * A rule from its text, in canonical octets:
 *
 *     rule    = "flow4" "{" { item [";"] } "}"                     or "flow6"; the last semicolon may be missing
 *     item    = ("dst" | "src") prefix [ "offset" NUMBER ]         a prefix of IPv6 alone has an offset
 *             | numeric numbers | "tcp flags" bits | "fragment" bits | "rd" DISTINGUISHER
 *     numeric = "proto" | "next header" | "port" | "dport" | "sport" | "icmp type" | "icmp code" | "length" | "dscp" | "label"
 *     numbers = terms { "||" terms }           terms = list { "&&" test } | test { "&&" test }
 *     list    = value { "," value }            value = NUMBER [ ".." NUMBER ]
 *     test    = ("=" | "!=" | "<" | "<=" | ">" | ">=" | "true" | "false") NUMBER
 *     bits    = all { "||" all }               all = bit { ("&&" | ",") bit }
 *     bit     = [ "!" ] ( NUMBER "/" NUMBER | fragment name )
 *
 * This is BIRD's grammar without its constants and expressions. Items may come in any order; numbers of one component that is given twice are alternatives. Unlike BIRD a prefix given twice and
 * a number that the field cannot hold are refused, and bits may be given for fragments as well. Rules that mean the same have one canonical text: `printFlow` of the outcome.
 */
export function parseFlow(text: string): FlowResult {
  try {
    if (text.length > MAX_TEXT)
      throw new FlowTextError({ offset: MAX_TEXT, length: 1, message: `a rule is at most ${MAX_TEXT} characters long` });
    return { ok: true, rule: parseRule(new TextCursor(text)) };
  } catch (error) {
    if (error instanceof FlowTextError) return { ok: false, problem: error.problem };
    throw error;
  }
}

/** What has been read of one rule. */
interface Parts {
  readonly address: 4 | 6;
  readonly components: Map<ComponentKind, FlowComponent>;
  distinguisher: Uint8Array | undefined;
}

function parseRule(c: TextCursor): FlowRule {
  const start = c.offset;
  const word = c.word();
  if (word !== 'flow4' && word !== 'flow6') c.fail(start, Math.max(1, word?.length ?? 1), 'a rule begins with "flow4 {" or "flow6 {"');
  const parts: Parts = { address: word === 'flow4' ? 4 : 6, components: new Map(), distinguisher: undefined };
  c.expect('{');
  while (c.take('}') === undefined) {
    parseItem(c, parts);
    if (c.take(';') === undefined && !c.text.startsWith('}', c.offset)) c.unexpected('";"');
  }
  if (!c.done) c.unexpected('nothing behind the rule');
  const family = parts.distinguisher ? (`ipv${parts.address} flow-vpn` as const) : (`ipv${parts.address} flow` as const);
  try {
    return flowRule(family, [...parts.components.values()], parts.distinguisher);
  } catch (error) {
    if (error instanceof RangeError) return c.failSince(start, error.message);
    throw error;
  }
}

function parseItem(c: TextCursor, parts: Parts): void {
  const start = c.offset;
  const name = itemName(c);
  if (name === 'rd') {
    parts.distinguisher = parseRd(c);
    return;
  }
  const kind = NAMES.get(name) ?? c.failSince(start, `no component is called "${name}": there are ${[...NAMES.keys()].join(', ')}`);
  const before = parts.components.get(kind);
  if (kind === 'flow-label' && parts.address === 4) c.failSince(start, 'IPv4 has no flow label');
  if (isPrefixKind(kind)) {
    if (before) c.failSince(start, `${name} is given twice`);
    parts.components.set(kind, parseAddress(c, kind, parts.address));
    return;
  }
  const earlier = before && !isPrefixComponent(before) ? before.anyOf : [];
  parts.components.set(kind, {
    kind,
    anyOf: [...earlier, ...(isBitmaskKind(kind) ? parseBits(c, kind, parts.address) : parseNumbers(c, kind, parts.address))],
  } as FlowComponent);
}

/** Names of two words are read as far as the first word is one of their first words. */
function itemName(c: TextCursor): string {
  const first = c.word() ?? c.unexpected('a component or "}"');
  if (first !== 'icmp' && first !== 'tcp' && first !== 'next') return first;
  const second = c.word() ?? c.unexpected(`the rest of "${first} ..."`);
  return `${first} ${second}`;
}

function parseRd(c: TextCursor): Uint8Array {
  const start = c.offset;
  const text = c.raw() ?? c.unexpected('a route distinguisher');
  return parseDistinguisher(text) ?? c.failSince(start, 'not a route distinguisher: write 64512:1, 192.0.2.1:1 or 0x and 16 digits');
}

function parseAddress(c: TextCursor, kind: PrefixKind, address: 4 | 6): PrefixComponent {
  const start = c.offset;
  const result = parsePrefix(c.raw() ?? c.unexpected('a prefix'));
  if (!result.ok) return c.failSince(start, result.error.message);
  const { prefix } = result;
  if (prefix.family !== address) return c.failSince(start, `an IPv${prefix.family} prefix in a rule for IPv${address}`);
  const at = c.offset;
  if (c.take('offset') === undefined) return { kind, prefix, offset: 0 };
  const offset = c.number('an offset', 128) ?? c.unexpected('a number');
  if (address === 4) return c.failSince(at, 'a prefix of IPv4 has no offset');
  if (offset >= prefix.length && offset + prefix.length > 0) {
    return c.failSince(at, `offset ${offset} is not below the length of ${printPrefix(prefix)}`);
  }
  const keep = (i: number): number => (offset <= 32 * i ? 0xffffffff : offset >= 32 * i + 32 ? 0 : 0xffffffff >>> (offset - 32 * i));
  const { w0, w1, w2, w3, length } = prefix;
  return { kind, prefix: prefixFromWords(6, w0 & keep(0), w1 & keep(1), w2 & keep(2), w3 & keep(3), length), offset };
}

function parseNumbers(c: TextCursor, kind: NumericKind, address: 4 | 6): AnyOf<NumericTest> {
  const anyOf: NumericTest[][] = [];
  do {
    const list = parseList(c, kind, address);
    const all = list.at(-1) ?? [parseTest(c, kind, address)];
    anyOf.push(...(list.length > 0 ? list : [all]));
    while (c.take('&&') !== undefined) all.push(parseTest(c, kind, address));
  } while (c.take('||') !== undefined);
  return anyOf;
}

/** Numbers and ranges with commas between them; none where a comparison is next. */
function parseList(c: TextCursor, kind: NumericKind, address: 4 | 6): NumericTest[][] {
  const first = parseValue(c, kind, address);
  const list = first ? [first] : [];
  while (first && c.take(',') !== undefined) {
    list.push(parseValue(c, kind, address) ?? c.unexpected('a number: only numbers and ranges are joined by commas'));
  }
  return list;
}

/** `80` or `80..90`, or undefined when no number is next. */
function parseValue(c: TextCursor, kind: NumericKind, address: 4 | 6): NumericTest[] | undefined {
  const what = componentWord(kind, address);
  const value = c.number(what, GREATEST[kind]);
  if (value === undefined) return undefined;
  if (c.take('..') === undefined) return [{ operator: '==', value }];
  const last = c.number(what, GREATEST[kind]) ?? c.unexpected('the last number of the range');
  return [
    { operator: '>=', value },
    { operator: '<=', value: last },
  ];
}

function parseTest(c: TextCursor, kind: NumericKind, address: 4 | 6): NumericTest {
  const sign = c.take('!=', '<=', '>=', '<', '>', '=', 'true', 'false') ?? c.unexpected('a comparison such as "> 1024"');
  const operator: NumericOperator = sign === '=' ? '==' : sign;
  const value = c.number(componentWord(kind, address), GREATEST[kind]) ?? c.unexpected('a number');
  return { operator, value };
}

function parseBits(c: TextCursor, kind: BitmaskKind, address: 4 | 6): AnyOf<BitmaskTest> {
  const anyOf: BitmaskTest[][] = [];
  do {
    const all: BitmaskTest[] = [];
    do all.push(...parseBit(c, kind, address));
    while (c.take('&&', ',') !== undefined);
    anyOf.push(all);
  } while (c.take('||') !== undefined);
  return anyOf;
}

/** One test, or the two that a value between 0 and its mask takes: these bits set, those not. */
function parseBit(c: TextCursor, kind: BitmaskKind, address: 4 | 6): readonly BitmaskTest[] {
  const start = c.offset;
  const negated = c.take('!') !== undefined;
  const most = kind === 'fragment' ? fragmentBits(address) : GREATEST[kind];
  const value = c.number(kind, GREATEST[kind]);
  if (value === undefined) {
    const name = kind === 'fragment' ? c.word() : undefined;
    if (name === undefined)
      return c.unexpected(kind === 'fragment' ? [...FRAGMENT_NAMES.keys()].join(', ') : 'value/mask such as 0x2/0x12');
    const mask = FRAGMENT_NAMES.get(name) ?? c.failSince(start, `not ${[...FRAGMENT_NAMES.keys()].join(', ')}`);
    if ((mask & ~most) !== 0) return c.failSince(start, 'IPv6 has no "do not fragment"');
    return [{ match: 'all', negated, mask }];
  }
  c.expect('/');
  const mask = c.number('the mask', GREATEST[kind]) ?? c.unexpected('the mask');
  if ((mask & ~most) !== 0) return c.failSince(start, `IPv${address} has no bits 0x${(mask & ~most).toString(16)}`);
  if ((value & ~mask) !== 0) return c.failSince(start, `value 0x${value.toString(16)} is outside of the mask 0x${mask.toString(16)}`);
  // Negation of "none of them" is "any of them".
  if (value === 0) return [{ match: 'any', negated: !negated, mask }];
  if (value === mask) return [{ match: 'all', negated, mask }];
  if (negated) return c.failSince(start, 'with "!" the value is 0 or the mask');
  return [
    { match: 'all', negated: false, mask: value },
    { match: 'any', negated: true, mask: mask & ~value },
  ];
}

/** Line and column from 1, the line, carets and the message: `1:15: expected ";", not "dport"`, then two lines. Control characters are shown as pictures of themselves. */
export function printFlowProblem(text: string, { offset, length, message }: FlowProblem): string {
  const from = text.lastIndexOf('\n', offset - 1) + 1;
  const next = text.indexOf('\n', offset);
  const end = next < 0 ? text.length : next;
  const line = text.slice(0, from).split('\n').length;
  const column = [...text.slice(from, offset)].length + 1;
  const carets = Math.max(1, [...text.slice(offset, Math.min(offset + length, end))].length);
  return `${line}:${column}: ${visible(message)}\n${visible(text.slice(from, end))}\n${' '.repeat(column - 1)}${'^'.repeat(carets)}`;
}

function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\ufffd';
  });
}
