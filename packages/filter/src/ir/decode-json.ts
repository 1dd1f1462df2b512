import { compareIp } from '@weir/wire/inet';
import { printType, type Scheme, type Type } from '../scheme/index.ts';
import { parseRegex } from '../syntax/regex/index.ts';
import { parseWildcard } from '../syntax/wildcard.ts';
import type { Constant, Expr, IpSet, IrSpan, Operand, Range, RangeSet, Test } from './expr.ts';
import { nextInt } from './int.ts';
import { ipRanges, ipSet } from './ip-set.ts';
import { booleanOf, fail, fieldsOf, intOf, ipRangeOf, type JsonPlace, listOf, nameOf, numberOf, octetsOf, wordOf } from './json-shape.ts';
import { compareOctets, equalOctets } from './octets.ts';
import { hasEach, operandInfo } from './operand.ts';

/** Bounds of what is decoded: nesting, and nodes, operands and members of sets together. */
const MAX_DEPTH = 300;
const MAX_NODES = 2_000_000;
/** Greatest index of an array, offset of a span. */
const MAX_INDEX = 0xffffffff;

interface Context {
  readonly scheme: Scheme | undefined;
  nodes: number;
}

/**
 * An expression from JSON as `encodeExpr` writes it; ExprFormatError for anything else: what is hostile or damaged does not get further. Shape, bounds, patterns and
 * the order of sets are checked, with a scheme also fields, functions and types. That literals are merged is not (`simplify` does it).
 */
export function decodeExpr(json: unknown, scheme?: Scheme): Expr {
  return decodeNode({ value: json, path: '' }, 0, undefined, { scheme, nodes: 0 });
}

/** The place of a key that `fieldsOf` has found to be there. */
function at(get: (key: string) => JsonPlace | undefined, key: string, place: JsonPlace): JsonPlace {
  return get(key) ?? fail(place, `the key ${JSON.stringify(key)} is missing`);
}

function kindOf(place: JsonPlace): unknown {
  const { value } = place;
  return typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
}

function count(place: JsonPlace, depth: number, context: Context): void {
  if (depth > MAX_DEPTH) fail(place, `nested deeper than ${MAX_DEPTH}`);
  if (++context.nodes > MAX_NODES) fail(place, `more than ${MAX_NODES} parts`);
}

function decodeNode(place: JsonPlace, depth: number, inside: string | undefined, context: Context): Expr {
  count(place, depth, context);
  const kind = wordOf({ value: kindOf(place), path: place.path }, ['constant', 'literal', 'and', 'or', 'xor']);
  if (kind === inside) return fail(place, `an ${kind} does not stand directly in an ${kind}`);
  switch (kind) {
    case 'constant': {
      if (inside !== undefined) return fail(place, 'a constant is only a whole expression');
      const get = fieldsOf(place, ['kind', 'value', 'span?']);
      return { kind, value: booleanOf(get('value')), ...decodeSpan(get('span')) };
    }
    case 'literal': {
      const get = fieldsOf(place, ['kind', 'negated?', 'test', 'span?']);
      const test = decodeTest(at(get, 'test', place), depth + 1, false, context);
      return { kind, test, negated: booleanOf(get('negated'), false), ...decodeSpan(get('span')) };
    }
    case 'and':
    case 'or':
    case 'xor': {
      const get = fieldsOf(place, kind === 'xor' ? ['kind', 'negated?', 'items', 'span?'] : ['kind', 'items', 'span?']);
      const list = listOf(at(get, 'items', place), MAX_NODES);
      if (list.length < 2) return fail(place, 'two items at least are wanted');
      const items = list.map((item) => decodeNode(item, depth + 1, kind, context));
      const span = decodeSpan(get('span'));
      return kind === 'xor' ? { kind, items, negated: booleanOf(get('negated'), false), ...span } : { kind, items, ...span };
    }
  }
}

function decodeSpan(place: JsonPlace | undefined): { span?: IrSpan } {
  if (!place) return {};
  const [from, to, ...more] = listOf(place, 2);
  if (!from || !to || more.length > 0) return fail(place, 'a span is two offsets');
  const start = numberOf(from, 0, MAX_INDEX);
  return { span: { start, end: numberOf(to, start, MAX_INDEX) } };
}

const TEST_KINDS = ['flag', 'int', 'bits', 'ip', 'bytes', 'bytes-range', 'contains', 'matches', 'wildcard', 'list', 'quantified'] as const;

const TEST_KEYS: Readonly<Record<Exclude<Test['kind'], 'quantified'>, readonly string[]>> = {
  flag: [],
  int: ['set'],
  bits: ['mask'],
  ip: ['set'],
  bytes: ['values'],
  'bytes-range': ['above', 'below'],
  contains: ['needle'],
  matches: ['pattern'],
  wildcard: ['pattern', 'strict'],
  list: ['list'],
};

function decodeTest(place: JsonPlace, depth: number, inside: boolean, context: Context): Test {
  count(place, depth, context);
  const kind = wordOf({ value: kindOf(place), path: place.path }, TEST_KINDS);
  if (kind === 'quantified') {
    if (inside) return fail(place, 'any and all do not stand in one another');
    const get = fieldsOf(place, ['kind', 'quantifier', 'negated?', 'test']);
    const quantifier = wordOf(at(get, 'quantifier', place), ['any', 'all']);
    const test = decodeTest(at(get, 'test', place), depth + 1, true, context);
    return { kind, quantifier, test, negated: booleanOf(get('negated'), false) };
  }
  const get = fieldsOf(place, ['kind', 'operand', ...TEST_KEYS[kind]]);
  const where = at(get, 'operand', place);
  const operand = decodeOperand(where, depth + 1, context);
  if (hasEach(operand) !== inside) return fail(where, inside ? 'what any and all go through has `each`' : '`each` belongs in any or all');
  const test = decodeQuestion(kind, operand, (key) => at(get, key, place), context);
  checkType(test, where, context);
  return test;
}

function decodeQuestion(
  kind: Exclude<Test['kind'], 'quantified'>,
  operand: Operand,
  get: (key: string) => JsonPlace,
  context: Context,
): Exclude<Test, { kind: 'quantified' }> {
  switch (kind) {
    case 'flag':
      return { kind, operand };
    case 'int':
      return { kind, operand, set: decodeSet(get('set'), context) };
    case 'bits':
      return { kind, operand, mask: intOf(get('mask')) };
    case 'ip':
      return { kind, operand, set: decodeIpSet(get('set'), context) };
    case 'bytes':
      return { kind, operand, values: decodeValues(get('values'), context) };
    case 'bytes-range':
      return { kind, operand, above: decodeBound(get('above')), below: decodeBound(get('below')) };
    case 'contains':
      return { kind, operand, needle: octetsOf(get('needle')) };
    case 'matches': {
      const pattern = octetsOf(get('pattern'));
      const program = parseRegex(textOf(pattern) ?? fail(get('pattern'), 'a regular expression is UTF-8'));
      return 'message' in program ? fail(get('pattern'), program.message) : { kind, operand, pattern };
    }
    case 'wildcard': {
      const pattern = octetsOf(get('pattern'));
      const parsed = parseWildcard(pattern);
      return 'message' in parsed ? fail(get('pattern'), parsed.message) : { kind, operand, pattern, strict: booleanOf(get('strict')) };
    }
    case 'list':
      return { kind, operand, list: nameOf(get('list')) };
  }
}

/** Undefined for what is not UTF-8. */
function textOf(octets: Uint8Array): string | undefined {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(octets);
  return equalOctets(new TextEncoder().encode(text), octets) ? text : undefined;
}

function decodeSet(place: JsonPlace, context: Context): RangeSet {
  const out: Range[] = [];
  for (const item of listOf(place, MAX_NODES)) {
    count(item, 0, context);
    const [from, to, ...more] = Array.isArray(item.value) ? listOf(item, 2) : [item, item];
    if (!from || !to || more.length > 0) return fail(item, 'a range is its first and its last integer');
    const range = { first: intOf(from), last: intOf(to) };
    if (range.first > range.last || (from !== to && range.first === range.last))
      return fail(item, 'a range goes from a smaller to a larger integer');
    const before = out.at(-1);
    if (before && range.first <= nextInt(before.last)) return fail(item, 'ranges stand in order and do not touch');
    out.push(range);
  }
  return out.length === 0 ? fail(place, 'a set is not empty') : out;
}

function decodeIpSet(place: JsonPlace, context: Context): IpSet {
  const ranges = listOf(place, MAX_NODES).map((item) => {
    count(item, 0, context);
    return ipRangeOf(item);
  });
  if (ranges.length === 0) return fail(place, 'a set is not empty');
  for (const [i, { first, last }] of ranges.entries()) {
    if (compareIp(first, last) > 0) return fail(place, `item ${i} ends before it begins`);
  }
  const set = ipSet(ranges);
  const same = ipRanges(set);
  const exact = same.length === ranges.length && same.every((range, i) => compareIp(range.first, ranges[i]?.first ?? range.last) === 0);
  return exact ? set : fail(place, 'ranges stand in order and do not touch');
}

function decodeValues(place: JsonPlace, context: Context): readonly Uint8Array[] {
  const values = listOf(place, MAX_NODES).map((item) => {
    count(item, 0, context);
    return octetsOf(item);
  });
  if (values.length === 0) return fail(place, 'a set is not empty');
  const inOrder = values.every((value, i) => i === 0 || compareOctets(values[i - 1] ?? value, value) < 0);
  return inOrder ? values : fail(place, 'values stand in order and once');
}

function decodeBound(place: JsonPlace): Extract<Test, { kind: 'bytes-range' }>['above'] {
  if (place.value === null) return undefined;
  const get = fieldsOf(place, ['value', 'included']);
  return { value: octetsOf(at(get, 'value', place)), included: booleanOf(get('included')) };
}

function decodeOperand(place: JsonPlace, depth: number, context: Context): Operand {
  count(place, depth, context);
  if (typeof place.value === 'string') return decodeField(place, context);
  const kind = wordOf({ value: kindOf(place), path: place.path }, ['slice', 'call', 'index']);
  switch (kind) {
    case 'slice': {
      const get = fieldsOf(place, ['kind', 'protocol', 'start', 'end']);
      const start = numberOf(at(get, 'start', place), 0, 2040);
      return { kind, protocol: nameOf(at(get, 'protocol', place)), start, end: numberOf(at(get, 'end', place), start + 1, start + 32) };
    }
    case 'call':
      return decodeCall(place, depth, context);
    case 'index': {
      const get = fieldsOf(place, ['kind', 'of', 'each?', 'index?', 'key?']);
      const of = decodeOperand(at(get, 'of', place), depth + 1, context);
      const [each, index, key] = [get('each'), get('index'), get('key')];
      if ([each, index, key].filter((k) => k !== undefined).length !== 1) return fail(place, 'one of each, index and key is wanted');
      if (index) return { kind, of, key: numberOf(index, 0, MAX_INDEX) };
      if (key) return { kind, of, key: octetsOf(key) };
      return booleanOf(each) ? { kind, of, key: 'each' } : fail(place, 'each is true or absent');
    }
  }
}

function decodeField(place: JsonPlace, { scheme }: Context): Operand {
  const name = nameOf(place);
  if (scheme && !scheme.fields.has(name)) return fail(place, `there is no field ${JSON.stringify(name)}`);
  return { kind: 'field', name };
}

function decodeCall(place: JsonPlace, depth: number, context: Context): Operand {
  const get = fieldsOf(place, ['kind', 'name', 'args']);
  const name = nameOf(at(get, 'name', place));
  const definition = context.scheme?.functions.get(name);
  if (context.scheme && !definition) return fail(place, `there is no function ${JSON.stringify(name)}`);
  const args = listOf(at(get, 'args', place), 8).map((arg) => decodeArgument(arg, depth + 1, context));
  if (definition && args.length !== definition.parameters.length)
    return fail(place, `${name} takes ${definition.parameters.length} arguments`);
  if (name === 'cidr') {
    const fits = (arg: Operand | Constant | undefined, max: number): boolean => arg?.kind === 'int' && arg.value >= 0 && arg.value <= max;
    if (!fits(args[1], 32) || !fits(args[2], 128)) return fail(place, 'cidr takes a length of 0 to 32 and one of 0 to 128');
  }
  return { kind: 'call', name, args };
}

function decodeArgument(place: JsonPlace, depth: number, context: Context): Operand | Constant {
  const { value } = place;
  if (typeof value === 'object' && value !== null) {
    if ('int' in value) return { kind: 'int', value: intOf(at(fieldsOf(place, ['int']), 'int', place)) };
    if ('bytes' in value) return { kind: 'bytes', value: octetsOf(at(fieldsOf(place, ['bytes']), 'bytes', place)) };
    if ('word' in value) return { kind: 'word', value: nameOf(at(fieldsOf(place, ['word']), 'word', place)) };
  }
  return decodeOperand(place, depth, context);
}

/** The type of what a test asks about; undefined for members of lists. */
function wantedType(test: Test): Type['kind'] | undefined {
  switch (test.kind) {
    case 'flag':
      return 'Bool';
    case 'int':
    case 'bits':
      return 'Int';
    case 'ip':
      return 'Ip';
    case 'list':
    case 'quantified':
      return undefined;
    default:
      return 'Bytes';
  }
}

function checkType(test: Exclude<Test, { kind: 'quantified' }>, place: JsonPlace, { scheme }: Context): void {
  if (!scheme) return;
  const { type } = operandInfo(test.operand, scheme);
  const wanted = wantedType(test);
  const fits = wanted === undefined ? type?.kind === 'Ip' || type?.kind === 'Int' || type?.kind === 'Bytes' : type?.kind === wanted;
  if (!fits) fail(place, `${type ? printType(type) : 'this'} does not fit a test of the kind ${test.kind}`);
}
