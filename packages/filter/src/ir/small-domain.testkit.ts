import { ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import type { Lists, Subject, Value } from '../eval/index.ts';
import { BOOL, BYTES, type Field, FUNCTIONS, INT, IP, type Scheme, type Type } from '../scheme/index.ts';
import type { Expr, IpSet, Operand, RangeSet, Test } from './expr.ts';
import { keyOctets, octetSet } from './octets.ts';
import { rangeSet } from './range-set.ts';

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

export const SMALL_SCHEME: Scheme = { fields: new Map(fields.map((f) => [f.name, f])), functions: FUNCTIONS, missingNotEqual: true };

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

export const arbitraryTest: fc.Arbitrary<Test> = fc.oneof({ weight: 12, arbitrary: plainTest }, quantified);

/** Any shape that the type allows, in normal form or not. */
export const arbitraryExpr: fc.Arbitrary<Expr> = fc.letrec<{ expr: Expr; literal: Expr }>((tie) => ({
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
export const arbitrarySubject: fc.Arbitrary<Subject> = fc
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
export const LISTS: Lists = { has: (list, value) => list === 'odd' && typeof value === 'number' && value % 2 === 1 };
