import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_SCHEME, parseScheme } from '../scheme/index.ts';
import { decodeExpr } from './decode-json.ts';
import { encodeExpr } from './encode-json.ts';
import type { Expr } from './expr.ts';
import { ExprFormatError } from './json-shape.ts';

const parsed = parseScheme({ flag: 'Bool', port: 'Int', name: 'Bytes', 'ip.src': 'Ip', many: 'Array(Int)' });
if ('problems' in parsed) throw new Error(parsed.problems.join());
const SCHEME = parsed.scheme;
const literal = (test: unknown): unknown => ({ kind: 'literal', test });

describe('expressions as JSON', () => {
  it('keeps what JSON numbers and text do not hold', () => {
    const expr: Expr = {
      kind: 'or',
      items: [
        {
          kind: 'literal',
          negated: true,
          test: { kind: 'int', operand: { kind: 'field', name: 'cgroup.id' }, set: [{ first: 2n ** 60n, last: 2n ** 62n }] },
        },
        {
          kind: 'literal',
          negated: false,
          test: { kind: 'contains', operand: { kind: 'field', name: 'udp.payload' }, needle: Uint8Array.of(0, 255, 10) },
          span: { start: 3, end: 9 },
        },
        {
          kind: 'literal',
          negated: false,
          test: {
            kind: 'ip',
            operand: { kind: 'field', name: 'ip.src' },
            set: { v4: [{ first: 1, last: 6 }], v6: [{ first: 2n ** 120n, last: 2n ** 121n }] },
          },
        },
      ],
    };
    const json = JSON.stringify(encodeExpr(expr));
    expect(json).toBe(
      '{"kind":"or","items":[{"kind":"literal","negated":true,"test":{"kind":"int","operand":"cgroup.id","set":[["1152921504606846976","4611686018427387904"]]}},' +
        '{"kind":"literal","test":{"kind":"contains","operand":"udp.payload","needle":{"hex":"00ff0a"}},"span":[3,9]},' +
        '{"kind":"literal","test":{"kind":"ip","operand":"ip.src","set":["0.0.0.1-0.0.0.6","100::-200::"]}}]}',
    );
    expect(decodeExpr(JSON.parse(json), PACKET_SCHEME)).toEqual(expr);
  });

  it.each([
    { name: 'not an object', input: 3, want: 'expression: one of constant, literal, and, or, xor is wanted' },
    { name: 'an unknown kind', input: { kind: 'nand' }, want: 'expression: one of constant, literal, and, or, xor is wanted' },
    { name: 'a key too many', input: { kind: 'constant', value: true, x: 1 }, want: 'expression: there is no key "x" here' },
    {
      name: 'an and of one',
      input: { kind: 'and', items: [literal({ kind: 'flag', operand: 'flag' })] },
      want: 'expression: two items at least are wanted',
    },
    {
      name: 'a constant inside',
      input: { kind: 'and', items: [{ kind: 'constant', value: true }, literal({ kind: 'flag', operand: 'flag' })] },
      want: 'items[0]: a constant is only a whole expression',
    },
    {
      name: 'a set out of order',
      input: literal({ kind: 'int', operand: 'port', set: [5, 3] }),
      want: 'test.set[1]: ranges stand in order and do not touch',
    },
    {
      name: 'ranges that touch',
      input: literal({ kind: 'int', operand: 'port', set: [[1, 2], 3] }),
      want: 'test.set[1]: ranges stand in order and do not touch',
    },
    { name: 'an empty set', input: literal({ kind: 'int', operand: 'port', set: [] }), want: 'test.set: a set is not empty' },
    {
      name: 'a number that is not exact',
      input: literal({ kind: 'bits', operand: 'port', mask: 2 ** 60 }),
      want: 'test.mask: a 64-bit integer is wanted, as a string where a number is not exact',
    },
    {
      name: 'a number of more than 64 bits',
      input: literal({ kind: 'bits', operand: 'port', mask: '9223372036854775808' }),
      want: 'test.mask: a 64-bit integer is wanted, as a string where a number is not exact',
    },
    {
      name: 'a number of 100 digits',
      input: literal({ kind: 'bits', operand: 'port', mask: '9'.repeat(100) }),
      want: 'test.mask: a 64-bit integer is wanted, as a string where a number is not exact',
    },
    { name: 'an unknown field', input: literal({ kind: 'flag', operand: 'fog' }), want: 'test.operand: there is no field "fog"' },
    {
      name: 'a type that does not fit',
      input: literal({ kind: 'flag', operand: 'port' }),
      want: 'test.operand: Int does not fit a test of the kind flag',
    },
    {
      name: 'host bits',
      input: literal({ kind: 'ip', operand: 'ip.src', set: ['192.0.2.1/24'] }),
      want: 'test.set[0]: host bits are set in 192.0.2.1/24; the prefix is 192.0.2.0/24',
    },
    {
      name: 'a bad pattern',
      input: literal({ kind: 'wildcard', operand: 'name', pattern: 'a**', strict: true }),
      want: 'test.pattern: a wildcard has no two stars in a row',
    },
    {
      name: 'each outside of any',
      input: literal({ kind: 'int', operand: { kind: 'index', of: 'many', each: true }, set: [1] }),
      want: 'test.operand: `each` belongs in any or all',
    },
    {
      name: 'a prototype',
      input: JSON.parse('{"kind":"constant","value":true,"__proto__":1}'),
      want: 'expression: there is no key "__proto__" here',
    },
  ])('refuses $name', ({ input, want }) => {
    expect(() => decodeExpr(input, SCHEME)).toThrow(
      new ExprFormatError(want.slice(want.indexOf(':') + 2), want.slice(0, want.indexOf(':')).replace('expression', '')),
    );
  });

  it('refuses what is nested too deep', () => {
    let deep: unknown = literal({ kind: 'flag', operand: 'flag' });
    for (let i = 0; i < 100_000; i++) deep = { kind: i % 2 === 0 ? 'and' : 'or', items: [deep, deep] };
    expect(() => decodeExpr(deep)).toThrow('nested deeper than 300');
  });

  it('throws nothing but ExprFormatError', () => {
    const shape = fc.jsonValue();
    const nearly = fc.record(
      { kind: fc.constantFrom('literal', 'and', 'constant'), test: shape, items: fc.array(shape), value: shape, negated: shape },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(shape, nearly), (json) => {
        try {
          decodeExpr(json, SCHEME);
        } catch (error) {
          expect(error).toBeInstanceOf(ExprFormatError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
