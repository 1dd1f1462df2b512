import { type Ip, ip4, ip6, lastIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeExpr,
  type Expr,
  encodeExpr,
  exprBuilder,
  type IpSet,
  type IrSpan,
  type ListDefinitions,
  lower,
  type Operand,
  printExpr,
  type RangeSet,
  type Test,
  toBoxes,
} from '../ir/index.ts';
import { compareOctets, keyOctets, octetSet } from '../ir/octets.ts';
import { containsInt, rangeSet } from '../ir/range-set.ts';
import { BOOL, BYTES, type Field, FUNCTIONS, INT, IP, type Scheme, type Type } from '../scheme/index.ts';
import {
  bytesLiteral,
  combine,
  comparison,
  type Expression,
  intLiteral,
  intRange,
  ipLiteral,
  ipRange,
  not,
  parse,
  printNode,
  type Relation,
  type SetItem,
  field as treeField,
} from '../syntax/index.ts';
import { evaluate, type Lists, type Subject, trace, type Value } from './index.ts';

/** Fields with few values, of which random subjects meet every case. */
const field = (name: string, type: Type, more: Partial<Field> = {}): Field => ({ name, type, optional: true, ...more });

const small = { min: 0, max: 7 };
const fields: readonly Field[] = [
  field('port', INT, { range: small }),
  field('mark', INT, { range: small, optional: false }),
  field('wide', INT),
  field('tcp.port', INT, { range: small, protocol: 6 }),
  field('udp.port', INT, { range: small, protocol: 17 }),
  field('six', INT, { range: small, family: 6 }),
  field('ip.proto.num', INT, { range: { min: 0, max: 255 } }),
  field('ip.src', IP),
  field('ip.dst', IP),
  field('sure', IP, { optional: false }),
  field('name', BYTES),
  field('name.sure', BYTES, { optional: false }),
  field('flag', BOOL),
  field('flag.sure', BOOL, { optional: false }),
  field('many', { kind: 'Array', of: INT }),
  field('table', { kind: 'Map', of: BYTES }),
];

const SMALL_SCHEME: Scheme = { fields: new Map(fields.map((f) => [f.name, f])), functions: FUNCTIONS, missingNotEqual: true };

const octets = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aB', 'A').map(keyOctets);
const pattern = fc.constantFrom('a*', '*b', '*', 'A', 'a*b').map(keyOctets);
const regex = fc.constantFrom('^a', 'b$', '[ab]{2}', '').map(keyOctets);

function ranges(max: number): fc.Arbitrary<RangeSet> {
  const one = fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
  return fc.array(one, { minLength: 1, maxLength: 3 }).map(rangeSet);
}

const ipSets: fc.Arbitrary<IpSet> = fc.oneof(
  fc.record({ v4: ranges(7), v6: ranges(7) }),
  ranges(7).map((v4) => ({ v4, v6: [] })),
  ranges(7).map((v6) => ({ v4: [], v6 })),
);

const at = (name: string): Operand => ({ kind: 'field', name });
const ints = fc.constantFrom('port', 'mark', 'wide', 'tcp.port', 'udp.port', 'six', 'port', 'mark').map(at);
const ips = fc.constantFrom('ip.src', 'ip.dst', 'sure').map(at);
const cut = ips.map(
  (operand): Operand => ({
    kind: 'call',
    name: 'cidr',
    args: [operand, { kind: 'int', value: 30 }, { kind: 'int', value: 127 }],
  }),
);
const plainBytes = fc.constantFrom('name', 'name.sure').map(at);
const bytes: fc.Arbitrary<Operand> = fc.oneof(
  { weight: 4, arbitrary: plainBytes },
  fc.constant<Operand>({ kind: 'call', name: 'lower', args: [at('name')] }),
  fc.constant<Operand>({ kind: 'index', of: at('table'), key: keyOctets('k') }),
);
const length: Operand = { kind: 'call', name: 'len', args: [at('name')] };
const flags = fc.constantFrom('flag', 'flag.sure').map(at);
const bound = fc.option(fc.record({ value: octets, included: fc.boolean() }), { nil: undefined });

const plainTest: fc.Arbitrary<Exclude<Test, { kind: 'quantified' }>> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('int' as const),
      operand: fc.oneof({ weight: 8, arbitrary: ints }, fc.constant(length)),
      set: ranges(9),
    }),
  },
  fc.record({
    kind: fc.constant('int' as const),
    operand: fc.constant(at('ip.proto.num')),
    set: fc.constantFrom(6, 17, 58).map((n) => [{ first: n, last: n }]),
  }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('bits' as const), operand: ints, mask: fc.nat(15) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ip' as const), operand: fc.oneof(ips, cut), set: ipSets }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('bytes' as const),
      operand: bytes,
      values: fc.array(octets, { minLength: 1, maxLength: 3 }).map(octetSet),
    }),
  },
  fc.record({ kind: fc.constant('bytes-range' as const), operand: bytes, above: bound, below: bound }),
  fc.record({ kind: fc.constant('contains' as const), operand: bytes, needle: octets }),
  fc.record({ kind: fc.constant('wildcard' as const), operand: bytes, pattern, strict: fc.boolean() }),
  fc.record({ kind: fc.constant('matches' as const), operand: bytes, pattern: regex }),
  fc.record({ kind: fc.constant('flag' as const), operand: flags }),
  fc.record({ kind: fc.constant('list' as const), operand: ints, list: fc.constant('odd') }),
);

const each: Operand = { kind: 'index', of: at('many'), key: 'each' };
const quantified: fc.Arbitrary<Test> = fc.record({
  kind: fc.constant('quantified' as const),
  quantifier: fc.constantFrom('any' as const, 'all' as const),
  test: fc.record({ kind: fc.constant('int' as const), operand: fc.constant(each), set: ranges(7) }),
  negated: fc.boolean(),
});

const arbitraryTest: fc.Arbitrary<Test> = fc.oneof({ weight: 12, arbitrary: plainTest }, quantified);

/** Any shape that the type allows, in normal form or not. */
const arbitraryExpr: fc.Arbitrary<Expr> = fc.letrec<{ expr: Expr; literal: Expr }>((tie) => ({
  literal: fc.record({ kind: fc.constant('literal' as const), test: arbitraryTest, negated: fc.boolean() }),
  expr: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 3, arbitrary: tie('literal') },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('constant' as const), value: fc.boolean() }) },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), items: fc.array(tie('expr'), { maxLength: 4 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('xor' as const), items: fc.array(tie('expr'), { maxLength: 4 }), negated: fc.boolean() }),
    },
  ),
})).expr;

const smallInt = fc.nat(7);
const address = fc.tuple(fc.boolean(), smallInt).map(([four, n]): Value => (four ? ip4(n) : ip6(0, 0, 0, n)));

function maybe<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 3 });
}

/** Records that keep what the scheme says of them: a field of a protocol or family is there only with it. */
const arbitrarySubject: fc.Arbitrary<Subject> = fc
  .record({
    port: maybe(smallInt),
    mark: smallInt,
    wide: maybe(fc.integer({ min: -2, max: 9 })),
    layer4: maybe(smallInt),
    protocol: maybe(fc.constantFrom(6, 17, 58)),
    six: maybe(smallInt),
    source: maybe(address),
    destination: smallInt,
    sure: address,
    name: maybe(octets),
    nameSure: octets,
    flag: maybe(fc.boolean()),
    flagSure: fc.boolean(),
    many: maybe(fc.array(smallInt, { maxLength: 3 })),
    table: maybe(octets),
  })
  .map((r) => {
    const source = r.source;
    const family = typeof source === 'object' && 'family' in source ? source.family : undefined;
    const values = new Map<string, Value | undefined>([
      ['port', r.port],
      ['mark', r.mark],
      ['wide', r.wide],
      ['tcp.port', r.protocol === 6 ? r.layer4 : undefined],
      ['udp.port', r.protocol === 17 ? r.layer4 : undefined],
      ['six', family === 6 ? r.six : undefined],
      ['ip.proto.num', r.protocol],
      ['ip.src', source],
      ['ip.dst', family === undefined ? undefined : family === 4 ? ip4(r.destination) : ip6(0, 0, 0, r.destination)],
      ['sure', r.sure],
      ['name', r.name],
      ['name.sure', r.nameSure],
      ['flag', r.flag],
      ['flag.sure', r.flagSure],
      ['many', r.many],
      ['table', r.table && new Map([['k', r.table]])],
    ]);
    return { field: (name) => values.get(name), slice: () => undefined };
  });

/** `odd` has the odd numbers. */
const LISTS: Lists = { has: (list, value) => list === 'odd' && typeof value === 'number' && value % 2 === 1 };

const build = exprBuilder(SMALL_SCHEME);
const DEFINITIONS: ListDefinitions = new Map([['odd', { kind: 'named', type: { kind: 'Int' } }]]);

function lowered(text: string, scheme: Scheme): Expr {
  const parsed = parse(text, scheme, { maxLength: 1e6 });
  if ('problem' in parsed) throw new Error(`${parsed.problem.message}: ${text}`);
  const result = lower(parsed.tree, scheme, { lists: DEFINITIONS, maxCost: 1e9 });
  if (!result.expr) throw new Error(result.problems.map((p) => p.message).join());
  return result.expr;
}

/** An expression without its spans. */
function bare(expr: Expr): Expr {
  const { span: _, ...rest }: Expr & { span?: IrSpan | undefined } = expr;
  return 'items' in rest ? { ...rest, items: rest.items.map(bare) } : rest;
}

describe('normal form', () => {
  it('means what was put in, missing values included', () => {
    fc.assert(
      fc.property(arbitraryExpr, fc.array(arbitrarySubject, { minLength: 20, maxLength: 20 }), (expr, subjects) => {
        const simple = build.simplify(expr);
        expect(subjects.filter((one) => evaluate(simple, one, LISTS) !== evaluate(expr, one, LISTS))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it('is its own normal form', () => {
    fc.assert(
      fc.property(arbitraryExpr, (expr) => {
        const simple = build.simplify(expr);
        expect(build.simplify(simple)).toEqual(simple);
      }),
      { numRuns: 400 },
    );
  });

  it('negates exactly', () => {
    fc.assert(
      fc.property(arbitraryExpr, fc.array(arbitrarySubject, { minLength: 10, maxLength: 10 }), (expr, subjects) => {
        const simple = build.simplify(expr);
        const not = build.not(simple);
        expect(subjects.filter((one) => evaluate(not, one, LISTS) === evaluate(simple, one, LISTS))).toEqual([]);
        expect(build.simplify(not)).toEqual(not);
        expect(build.not(not)).toEqual(simple);
      }),
      { numRuns: 300 },
    );
  });
});

describe('boxes', () => {
  it('are together the expression, and what they imply is so', () => {
    let made = 0;
    fc.assert(
      fc.property(arbitraryExpr, fc.array(arbitrarySubject, { minLength: 20, maxLength: 20 }), (expr, subjects) => {
        const simple = build.simplify(expr);
        const boxes = toBoxes(simple, 64, SMALL_SCHEME);
        if (!boxes) return;
        made++;
        for (const subject of subjects) {
          const inside = boxes.filter(({ literals }) => literals.every((l) => evaluate(l, subject, LISTS)));
          expect(inside.length > 0).toBe(evaluate(simple, subject, LISTS));
          for (const { protocols, family } of inside) {
            const number = subject.field('ip.proto.num');
            if (protocols) expect(typeof number === 'number' && containsInt(protocols, number)).toBe(true);
            const source = subject.field('ip.src');
            if (family) expect(source).toMatchObject({ family });
          }
        }
      }),
      { numRuns: 400 },
    );
    expect(made).toBeGreaterThan(200);
  });
});

describe('JSON', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(arbitraryExpr, (expr) => {
        const simple = build.simplify(expr);
        expect(decodeExpr(JSON.parse(JSON.stringify(encodeExpr(simple))), SMALL_SCHEME)).toEqual(simple);
      }),
      { numRuns: 300 },
    );
  });
});

describe('text', () => {
  it.each([
    { name: 'small', scheme: SMALL_SCHEME },
    { name: 'small, where != of a missing value is false', scheme: { ...SMALL_SCHEME, missingNotEqual: false } },
  ])('come back as they were ($name)', ({ scheme }) => {
    fc.assert(
      fc.property(arbitraryExpr, (expr) => {
        const simple = exprBuilder(scheme).simplify(expr);
        expect(bare(lowered(printExpr(simple, scheme), scheme))).toEqual(simple);
      }),
      { numRuns: 300 },
    );
  });
});

describe('trace', () => {
  it('says what evaluate says, by literals that hold as it says', () => {
    fc.assert(
      fc.property(arbitraryExpr, arbitrarySubject, (expr, subject) => {
        const { value, steps, because } = trace(expr, subject, LISTS);
        expect(value).toBe(evaluate(expr, subject, LISTS));
        for (const step of steps) expect(step.holds).toBe(evaluate(step.literal, subject, LISTS));
        for (const step of because) expect(steps).toContain(step);
      }),
      { numRuns: 300 },
    );
  });

  it('names literals that decide: the others may be anything', () => {
    fc.assert(
      fc.property(arbitraryExpr, arbitrarySubject, fc.boolean(), (expr, subject, other) => {
        const { value, because } = trace(expr, subject, LISTS);
        const decided = new Map(because.map((step) => [step.literal, step.holds]));
        type Node = typeof expr;
        const put = (node: Node): Node => {
          if (node.kind === 'constant') return node;
          if (node.kind === 'literal') return build.constant(decided.get(node) ?? other);
          return { ...node, items: node.items.map(put) };
        };
        expect(evaluate(put(expr), subject, LISTS)).toBe(value);
      }),
      { numRuns: 300 },
    );
  });
});

/** What a tree says of a record, comparison by comparison, without sets and without normal form. */
function naive(node: Expression, subject: Subject, missingNotEqual: boolean): boolean {
  switch (node.kind) {
    case 'group':
      return naive(node.inner, subject, missingNotEqual);
    case 'not':
      return !naive(node.arg, subject, missingNotEqual);
    case 'combine': {
      const results = node.items.map((item) => naive(item, subject, missingNotEqual));
      if (node.op === 'and') return results.every(Boolean);
      return node.op === 'or' ? results.some(Boolean) : results.filter(Boolean).length % 2 === 1;
    }
    case 'comparison': {
      const value = node.left.kind === 'field' ? subject.field(node.left.name) : undefined;
      const { relation } = node;
      if (value === undefined) return relation?.kind === 'order' && relation.op === 'NotEqual' && missingNotEqual;
      return relation ? compares(value, relation) : value === true;
    }
    case 'quantified':
      return false;
  }
}

function compares(value: Value, relation: Relation): boolean {
  if (relation.kind === 'in') return relation.items.some((item) => isIn(value, item));
  if (relation.kind === 'bitwise-and') return relation.mask.kind === 'int' && (Number(value) & Number(relation.mask.value)) !== 0;
  if (relation.kind !== 'order') return false;
  const order = orderOf(value, relation.value);
  switch (relation.op) {
    case 'Equal':
      return order === 0;
    case 'NotEqual':
      return order !== 0;
    case 'GreaterThan':
      return order !== undefined && order > 0;
    case 'GreaterThanEqual':
      return order !== undefined && order >= 0;
    case 'LessThan':
      return order !== undefined && order < 0;
    case 'LessThanEqual':
      return order !== undefined && order <= 0;
  }
}

/** Undefined for addresses of two families. */
function orderOf(value: Value, literal: SetItem): number | undefined {
  if (literal.kind === 'int') return Number(value) - Number(literal.value);
  if (literal.kind === 'bytes') return value instanceof Uint8Array ? compareOctets(value, literal.value) : undefined;
  return literal.kind === 'ip' ? orderOfIps(value, literal.value) : undefined;
}

function orderOfIps(value: Value, other: Ip): number | undefined {
  if (typeof value !== 'object' || !('family' in value) || value.family !== other.family) return undefined;
  return value.w0 - other.w0 || value.w1 - other.w1 || value.w2 - other.w2 || value.w3 - other.w3;
}

function isIn(value: Value, item: SetItem): boolean {
  if (item.kind === 'int-range') return Number(value) >= Number(item.first) && Number(value) <= Number(item.last);
  if (item.kind !== 'ip-range' && item.kind !== 'prefix') return orderOf(value, item) === 0;
  const [first, last] = item.kind === 'prefix' ? [item.value, lastIp(item.value)] : [item.first, item.last];
  const [low, high] = [orderOfIps(value, first), orderOfIps(value, last)];
  return low !== undefined && high !== undefined && low >= 0 && high <= 0;
}

const ops = fc.constantFrom('Equal', 'NotEqual', 'GreaterThan', 'GreaterThanEqual', 'LessThan', 'LessThanEqual');
const pair = fc
  .tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const ipOf = (six: boolean, n: number): Ip => (six ? ip6(0, 0, 0, n) : ip4(n));
const intRelations: fc.Arbitrary<Relation> = fc.oneof(
  fc.tuple(ops, fc.integer({ min: -1, max: 8 })).map(([op, n]): Relation => ({ kind: 'order', op, value: intLiteral(n) })),
  fc
    .array(pair, { maxLength: 3 })
    .map((pairs): Relation => ({ kind: 'in', items: pairs.map(([a, b]) => (a === b ? intLiteral(a) : intRange(a, b))) })),
  fc.nat(9).map((n): Relation => ({ kind: 'bitwise-and', mask: intLiteral(n) })),
);
const ipRelations: fc.Arbitrary<Relation> = fc.oneof(
  fc.tuple(ops, fc.boolean(), fc.nat(8)).map(([op, six, n]): Relation => ({ kind: 'order', op, value: ipLiteral(ipOf(six, n)) })),
  fc
    .array(fc.tuple(fc.boolean(), pair), { maxLength: 3 })
    .map((ranges): Relation => ({ kind: 'in', items: ranges.map(([six, [a, b]]) => ipRange(ipOf(six, a), ipOf(six, b))) })),
);
const byteRelations: fc.Arbitrary<Relation> = fc.oneof(
  fc.tuple(ops, octets).map(([op, value]): Relation => ({ kind: 'order', op, value: bytesLiteral(value) })),
  fc.array(octets, { maxLength: 3 }).map((values): Relation => ({ kind: 'in', items: values.map(bytesLiteral) })),
);
const arbitraryComparison: fc.Arbitrary<Expression> = fc.oneof(
  fc
    .tuple(fc.constantFrom('port', 'mark', 'wide', 'tcp.port'), intRelations)
    .map(([name, relation]) => comparison(treeField(name), relation)),
  fc.tuple(fc.constantFrom('ip.src', 'sure'), ipRelations).map(([name, relation]) => comparison(treeField(name), relation)),
  fc.tuple(fc.constantFrom('name', 'name.sure'), byteRelations).map(([name, relation]) => comparison(treeField(name), relation)),
  fc.constantFrom('flag', 'flag.sure').map((name) => comparison(treeField(name))),
);
const arbitraryTree: fc.Arbitrary<Expression> = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    { weight: 3, arbitrary: arbitraryComparison },
    { weight: 2, arbitrary: tie('tree').map(not) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom('and', 'or', 'xor'), tie('tree'), tie('tree'), fc.array(tie('tree'), { maxLength: 2 }))
        .map(([op, first, second, more]) => combine(op, [first, second, ...more])),
    },
  ),
})).tree;

describe('lowering', () => {
  it.each([true, false])('keeps what the text says (missingNotEqual: %s)', (missingNotEqual) => {
    const scheme: Scheme = { ...SMALL_SCHEME, missingNotEqual };
    fc.assert(
      fc.property(arbitraryTree, fc.array(arbitrarySubject, { minLength: 20, maxLength: 20 }), (tree, subjects) => {
        const expr = lowered(printNode(tree), scheme);
        expect(exprBuilder(scheme).simplify(expr)).toEqual(expr);
        expect(subjects.filter((one) => evaluate(expr, one) !== naive(tree, one, missingNotEqual))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
