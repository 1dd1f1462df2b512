import { printHex } from '@weir/wire/bytes';
import { type Ip, printIp, printPrefix, rangeAsPrefix } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';
import type { Constant, Expr, Operand, RangeSet, Test } from './expr.ts';
import { ipRanges } from './ip-set.ts';
import { octetsKey } from './octets.ts';

/** What JSON.parse gives. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * An expression as JSON; `decodeExpr` gives the same back.
 * - Integers are numbers, or strings of decimal digits where a number does not hold them exactly.
 * - Octets are text when they are printable ASCII, else `{ "hex": "00ff" }`.
 * - A set of integers is a list of integers and of pairs, first and last. A set of addresses is a list of addresses, prefixes and ranges `a-b`, IPv4 first.
 * - Operands are the field's name alone, or an object. Spans are pairs.
 */
export function encodeExpr(expr: Expr): Json {
  const span: { [key: string]: Json } = expr.span ? { span: [expr.span.start, expr.span.end] } : {};
  switch (expr.kind) {
    case 'constant':
      return { kind: 'constant', value: expr.value, ...span };
    case 'literal':
      return { kind: 'literal', ...(expr.negated ? { negated: true } : {}), test: encodeTest(expr.test), ...span };
    case 'and':
    case 'or':
      return { kind: expr.kind, items: expr.items.map(encodeExpr), ...span };
    case 'xor':
      return { kind: 'xor', ...(expr.negated ? { negated: true } : {}), items: expr.items.map(encodeExpr), ...span };
  }
}

function encodeTest(test: Test): Json {
  if (test.kind === 'quantified') {
    return { kind: test.kind, quantifier: test.quantifier, ...(test.negated ? { negated: true } : {}), test: encodeTest(test.test) };
  }
  const operand = encodeOperand(test.operand);
  switch (test.kind) {
    case 'flag':
      return { kind: test.kind, operand };
    case 'int':
      return { kind: test.kind, operand, set: encodeSet(test.set) };
    case 'bits':
      return { kind: test.kind, operand, mask: encodeInt(test.mask) };
    case 'ip':
      return { kind: test.kind, operand, set: ipRanges(test.set).map(({ first, last }) => encodeIpRange(first, last)) };
    case 'bytes':
      return { kind: test.kind, operand, values: test.values.map(encodeOctets) };
    case 'bytes-range': {
      const bound = (b: typeof test.above): Json => (b ? { value: encodeOctets(b.value), included: b.included } : null);
      return { kind: test.kind, operand, above: bound(test.above), below: bound(test.below) };
    }
    case 'contains':
      return { kind: test.kind, operand, needle: encodeOctets(test.needle) };
    case 'matches':
      return { kind: test.kind, operand, pattern: encodeOctets(test.pattern) };
    case 'wildcard':
      return { kind: test.kind, operand, pattern: encodeOctets(test.pattern), strict: test.strict };
    case 'list':
      return { kind: test.kind, operand, list: test.list };
  }
}

function encodeOperand(operand: Operand): Json {
  switch (operand.kind) {
    case 'field':
      return operand.name;
    case 'slice':
      return { kind: 'slice', protocol: operand.protocol, start: operand.start, end: operand.end };
    case 'call':
      return { kind: 'call', name: operand.name, args: operand.args.map(encodeArgument) };
    case 'index': {
      const { key } = operand;
      const encoded = key === 'each' ? { each: true } : typeof key === 'number' ? { index: key } : { key: encodeOctets(key) };
      return { kind: 'index', of: encodeOperand(operand.of), ...encoded };
    }
  }
}

function encodeArgument(arg: Operand | Constant): Json {
  switch (arg.kind) {
    case 'int':
      return { int: encodeInt(arg.value) };
    case 'bytes':
      return { bytes: encodeOctets(arg.value) };
    case 'word':
      return { word: arg.value };
    default:
      return encodeOperand(arg);
  }
}

function encodeInt(value: Int): Json {
  return typeof value === 'number' ? value : value.toString();
}

function encodeSet(set: RangeSet): Json {
  return set.map(({ first, last }) => (first === last ? encodeInt(first) : [encodeInt(first), encodeInt(last)]));
}

/** As text: an address, a prefix, or a range. */
export function encodeIpRange(first: Ip, last: Ip): string {
  const prefix = rangeAsPrefix(first, last);
  if (!prefix) return `${printIp(first)}-${printIp(last)}`;
  return prefix.length === (first.family === 4 ? 32 : 128) ? printIp(first) : printPrefix(prefix);
}

function encodeOctets(octets: Uint8Array): Json {
  if (octets.every((octet) => octet >= 0x20 && octet < 0x7f)) return octetsKey(octets);
  return { hex: printHex(octets) };
}
