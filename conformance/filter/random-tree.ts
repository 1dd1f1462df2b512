import { parseScheme, type Scheme } from '@weir/filter/scheme';
import {
  type Argument,
  type BytesLiteral,
  bytesLiteral,
  call,
  combine,
  comparison,
  type Expression,
  field,
  index,
  intLiteral,
  intRange,
  ipLiteral,
  ipRange,
  not,
  type Operand,
  patternLiteral,
  prefixItem,
  print,
  printNode,
  quantified,
  type Relation,
  type SetItem,
  type Tree,
} from '@weir/filter/syntax';
import { ip4, ip6, makePrefix } from '@weir/wire/inet';
import fc from 'fast-check';

function records(): Scheme {
  const result = parseScheme({
    ssl: 'Bool',
    port: 'Int',
    host: 'Bytes',
    addr: 'Ip',
    cookies: 'Array(Bytes)',
    labels: 'Map(Bytes)',
    flags: 'Array(Bool)',
  });
  if ('problems' in result) throw new Error(result.problems.join());
  return result.scheme;
}

export const RECORDS: Scheme = records();

const int = fc.oneof(
  fc.integer({ min: -1000, max: 70_000 }),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
);
const v4 = fc.nat(0xffffffff).map(ip4);
const v6 = fc.tuple(fc.nat(0xffffffff), fc.nat(3), fc.nat(3), fc.nat(0xffffffff)).map(([a, b, c, d]) => ip6(a, b, c, d));
const octets = fc.uint8Array({ maxLength: 6 });
const hex = fc.uint8Array({ minLength: 2, maxLength: 5 }).map(
  (value): BytesLiteral => ({
    ...bytesLiteral(value),
    form: 'hex',
    text: Array.from(value, (octet) => octet.toString(16).padStart(2, '0')).join(':'),
  }),
);
const bytes = fc.oneof(octets.map(bytesLiteral), hex, fc.constantFrom('', 'a"b', '\\n', 'é"##').map(patternLiteral));

const intItem: fc.Arbitrary<SetItem> = fc.oneof(
  int.map(intLiteral),
  fc.tuple(int, int).map(([a, b]) => (a <= b ? intRange(a, b) : intRange(b, a))),
);
const ipItem: fc.Arbitrary<SetItem> = fc.oneof(
  fc.oneof(v4, v6).map(ipLiteral),
  fc.tuple(v4, fc.nat(32)).map(([ip, length]) => prefixItem(makePrefix(ip, length))),
  fc.tuple(v6, fc.nat(128)).map(([ip, length]) => prefixItem(makePrefix(ip, length))),
  fc.tuple(v4, v4).map(([a, b]) => (a.w0 <= b.w0 ? ipRange(a, b) : ipRange(b, a))),
);

const op = fc.constantFrom('Equal', 'NotEqual', 'GreaterThanEqual', 'LessThanEqual', 'GreaterThan', 'LessThan');
const list = fc.constantFrom('web', 'a.b', '7_').map((name): Relation => ({ kind: 'in-list', list: name }));
const set = (item: fc.Arbitrary<SetItem>): fc.Arbitrary<Relation> =>
  fc.array(item, { maxLength: 4 }).map((items): Relation => ({ kind: 'in', items }));
const order = (literal: fc.Arbitrary<Extract<Relation, { kind: 'order' }>['value']>): fc.Arbitrary<Relation> =>
  fc.tuple(op, literal).map(([o, value]): Relation => ({ kind: 'order', op: o, value }));

const intRelation = fc.oneof(
  order(int.map(intLiteral)),
  set(intItem),
  list,
  int.map((n): Relation => ({ kind: 'bitwise-and', mask: intLiteral(n) })),
);
const ipRelation = fc.oneof(order(fc.oneof(v4, v6).map(ipLiteral)), set(ipItem), list);
const bytesRelation: fc.Arbitrary<Relation> = fc.oneof(
  order(bytes),
  set(bytes),
  list,
  bytes.map((value): Relation => ({ kind: 'contains', value })),
  fc.constantFrom('^a+$', '[a"]|b', '\\d{2}').map((source): Relation => ({ kind: 'matches', pattern: patternLiteral(source) })),
  fc
    .tuple(fc.boolean(), fc.constantFrom('*', 'a*b', '\\*'))
    .map(([strict, source]): Relation => ({ kind: 'wildcard', strict, pattern: patternLiteral(source) })),
);

/** Operands of type Bytes; `each` gives many. */
const bytesOperand: fc.Arbitrary<Operand> = fc.letrec<{ operand: Operand }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      field('host'),
      index(field('cookies'), { kind: 'array-index', value: 7 }),
      index(field('labels'), { kind: 'map-key', value: Uint8Array.of(0x6b, 0x22) }),
    ),
    tie('operand').map((of) => call('lower', [of])),
  ),
})).operand;
const manyBytes: fc.Arbitrary<Operand> = fc.constantFrom(
  index(field('cookies'), { kind: 'each' }),
  index(call('upper', [index(field('labels'), { kind: 'each' })]), { kind: 'each' }),
);

const one: fc.Arbitrary<Expression> = fc.oneof(
  fc.constant(comparison(field('ssl'))),
  intRelation.map((relation) => comparison(field('port'), relation)),
  ipRelation.map((relation) => comparison(field('addr'), relation)),
  fc.tuple(bytesOperand, bytesRelation).map(([left, relation]) => comparison(left, relation)),
  fc.tuple(bytesOperand, intRelation).map(([of, relation]) => comparison(call('len', [of]), relation)),
  fc.tuple(bytesOperand, bytes).map(([of, literal]) => comparison(call('starts_with', [of, literal]))),
  ipRelation.map((relation) => comparison(call('cidr', [field('addr'), intLiteral(24), intLiteral(64)]), relation)),
  fc.boolean().map((any) => quantified(any ? 'any' : 'all', field('flags'))),
);

type Combination = fc.Arbitrary<Expression>;
const combination = (of: Combination): Combination =>
  fc.oneof(
    of.map(not),
    fc
      .tuple(fc.constantFrom('and' as const, 'or' as const, 'xor' as const), of, of, fc.array(of, { maxLength: 2 }))
      .map(([o, a, b, more]) => combine(o, [a, b, ...more])),
  );

const many: Combination = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 2 },
    fc.tuple(manyBytes, bytesRelation).map(([left, relation]) => comparison(left, relation)),
    fc.constant(comparison(field('flags'))),
    combination(tie('node')),
  ),
})).node;

/** Expressions over RECORDS, each of which is a Bool, as the builders make them. */
export const expressions: Combination = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    one,
    fc
      .tuple(
        fc.boolean(),
        // A lone operand is an argument by itself and not a comparison.
        many.filter((arg) => arg.kind !== 'comparison' || arg.relation !== undefined),
      )
      .map(([any, arg]) => quantified(any ? 'any' : 'all', arg)),
    combination(tie('node')),
  ),
})).node;

/** A number from 0 to `end` - 1. */
export type Draw = (end: number) => number;

export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (end) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}

const SPACES = ['', '', ' ', '  ', '\n', '\r\n '];
const WORDS = { and: ['and', '&&'], or: ['or', '||'], xor: ['xor', '^^'] } as const;
const ORDERS = {
  Equal: ['eq', '=='],
  NotEqual: ['ne', '!='],
  GreaterThanEqual: ['ge', '>='],
  LessThanEqual: ['le', '<='],
  GreaterThan: ['gt', '>'],
  LessThan: ['lt', '<'],
};

/** The same expression in another spelling: white space, words or signs, integers of another radix, escapes. */
export function respell(node: Expression, draw: Draw): Expression {
  const pick = <T>(values: readonly T[]): T => values[draw(values.length)] as T;
  const space = (): string => pick(SPACES);
  /** White space that keeps what is before it apart from a word. */
  const apart = (before: string): string => (/[A-Za-z0-9_.]$/.test(before) ? pick(SPACES.slice(2)) : space());
  const literal = <T extends SetItem>(item: T): T => {
    if (item.kind === 'int' && item.value >= 0)
      return { ...item, text: pick([String(item.value), `0x${item.value.toString(16)}`, `0${item.value.toString(8)}`]) };
    if (item.kind !== 'bytes' || item.form !== 'string') return item;
    const escaped = (octet: number): string =>
      pick([`\\x${octet.toString(16).padStart(2, '0')}`, `\\${octet.toString(8).padStart(3, '0')}`]);
    return { ...item, text: `"${Array.from(item.value, escaped).join('')}"` };
  };
  const operand = (of: Operand): Operand => {
    if (of.kind === 'field') return of;
    if (of.kind === 'index') {
      const key =
        of.key.kind === 'array-index'
          ? pick([String(of.key.value), `0x${of.key.value.toString(16)}`])
          : printNode(of).slice(printNode(of.of).length + 1, -1);
      return { ...of, of: operand(of.of), spelling: ['', `[${space()}${key}${space()}]`] };
    }
    const args = of.args.map(argument);
    return {
      ...of,
      args,
      spelling: args.map((_, i) => (i === 0 ? `${of.name}${space()}(${space()}` : `${space()},${space()}`)).concat(`${space()})`),
    };
  };
  const argument = (arg: Argument): Argument =>
    'text' in arg ? literal(arg) : arg.kind === 'field' || arg.kind === 'call' || arg.kind === 'index' ? operand(arg) : respell(arg, draw);
  const relation = (of: Relation, left: string): Relation => {
    const before = apart(left);
    switch (of.kind) {
      case 'order':
        return { ...of, value: literal(of.value), spelling: [before + pick(ORDERS[of.op]) + space(), ''] };
      case 'bitwise-and':
        return { ...of, mask: literal(of.mask), spelling: [before + pick(['&', 'bitwise_and']) + space(), ''] };
      case 'contains':
        return { ...of, value: literal(of.value), spelling: [`${before}contains${space()}`, ''] };
      case 'matches':
        return { ...of, spelling: [before + pick(['~', 'matches']) + space(), ''] };
      case 'wildcard':
        return { ...of, spelling: [`${before}${of.strict ? 'strict ' : ''}wildcard${space()}`, ''] };
      case 'in-list':
        return { ...of, spelling: [`${before}in${space()}$${of.list}`] };
      case 'in':
        return {
          ...of,
          items: of.items.map(literal),
          spelling:
            of.items.length === 0
              ? [`${before}in${space()}{${space()}}`]
              : of.items.map((_, i) => (i === 0 ? `${before}in${space()}{${space()}` : pick(SPACES.slice(2)))).concat(`${space()}}`),
        };
    }
  };
  switch (node.kind) {
    case 'combine': {
      const items = node.items.map((item) => respell(item, draw));
      const between = items.slice(1).map((_, i) => {
        const word = pick(WORDS[node.op]);
        const left = printNode(items[i] as Expression);
        return (/^[a-z]/.test(word) ? apart(left) : space()) + word + space();
      });
      return { ...node, items, spelling: ['', ...between, ''] };
    }
    case 'not':
      return { ...node, arg: respell(node.arg, draw), spelling: [pick(['not', '!']) + space(), ''] };
    case 'group':
      return { ...node, inner: respell(node.inner, draw), spelling: [`(${space()}`, `${space()})`] };
    case 'quantified': {
      const arg = argument(node.arg);
      return 'text' in arg ? node : { ...node, arg, spelling: [`${node.quantifier}${space()}(${space()}`, `${space()})`] };
    }
    case 'comparison': {
      const left = operand(node.left);
      return { ...node, left, relation: node.relation && relation(node.relation, printNode(left)) };
    }
  }
}

export function treeOf(root: Expression): Tree {
  const tree: Tree = { text: '', root };
  return { text: print(tree), root };
}
