import { describe, expect, it } from 'vitest';
import { parseScheme } from './parse-scheme.ts';
import { printType } from './type.ts';

const types = (json: unknown): unknown => {
  const result = parseScheme(json);
  return 'scheme' in result
    ? Object.fromEntries([...result.scheme.fields].map(([name, { type }]) => [name, printType(type)]))
    : result.problems;
};

describe('schemes', () => {
  it('names to types, in both spellings of types', () => {
    expect(types({ 'a.b_1': 'Bool', i: 'Int', p: 'Ip', b: 'Bytes', m: 'Map(Array(Bytes))', n: { Map: { Array: 'Bytes' } } })).toEqual({
      'a.b_1': 'Bool',
      i: 'Int',
      p: 'Ip',
      b: 'Bytes',
      m: 'Map(Array(Bytes))',
      n: 'Map(Array(Bytes))',
    });
  });

  it('fields are optional, and != of a missing one is true', () => {
    const result = parseScheme({ a: 'Int' });
    expect('scheme' in result && [result.scheme.fields.get('a'), result.scheme.missingNotEqual]).toEqual([
      { name: 'a', type: { kind: 'Int' }, optional: true },
      true,
    ]);
  });

  it.each([
    { name: 'no object', input: ['a'], want: ['a scheme is an object of field names to types'] },
    { name: 'null', input: null, want: ['a scheme is an object of field names to types'] },
    { name: 'nothing', input: {}, want: ['the scheme has no fields'] },
    {
      name: 'every mistake',
      input: { a: 'Float', 'b.': 'Int', len: 'Int', any: 'Bool', c: 'Array(Float)', d: 7, e: { Array: 'Int', Map: 'Int' }, ok: 'Int' },
      want: [
        'a: "Float" is not a type: Bool, Int, Ip, Bytes, Array(T), Map(T)',
        '"b." is not a name: letters, digits and _, with single dots between them',
        'len is the name of a function',
        'any is the name of a function',
        'c: "Array(Float)" is not a type: Bool, Int, Ip, Bytes, Array(T), Map(T)',
        'd: 7 is not a type: Bool, Int, Ip, Bytes, Array(T), Map(T)',
        'e: {"Array":"Int","Map":"Int"} is not a type: Bool, Int, Ip, Bytes, Array(T), Map(T)',
      ],
    },
    { name: 'a long name', input: { [`${'x'.repeat(257)}`]: 'Int' }, want: [`${'x'.repeat(32)}...: a name has at most 256 characters`] },
    { name: 'a deep type', input: { a: `${'Array('.repeat(40)}Int${')'.repeat(40)}` }, want: [expect.stringContaining('is not a type')] },
    {
      name: 'a deep type of objects',
      input: { a: Array.from({ length: 40 }).reduce((of) => ({ Array: of }), 'Int') },
      want: [expect.stringContaining('is not a type')],
    },
  ])('$name', ({ input, want }) => {
    expect(types(input)).toEqual(want);
  });

  it('too many fields, too many mistakes', () => {
    expect(types(Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`f${i}`, 'Int'])))).toEqual([
      'the scheme has 10001 fields; at most 10000 are possible',
    ]);
    const mistakes = types(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, 'X'])));
    expect(mistakes).toHaveLength(21);
    expect((mistakes as string[]).at(-1)).toBe('and 10 more');
  });
});
