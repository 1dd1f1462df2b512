import { evaluate } from '@weir/filter/eval';
import type { Test } from '@weir/filter/ir';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writtenExpression } from '../../test-rule.ts';
import { AutomataTable, MAX_TABLE } from './automata-table.ts';
import { accepts, leastLength, MAX_ROWS, mapped, terminated } from './automaton.ts';
import { automatonFor, type OctetsTest } from './octets-automaton.ts';
import { askedOctets } from './octets-operand.ts';

function testOf(text: string): Test {
  const expr = writtenExpression(text);
  if (expr.kind !== 'literal') throw new Error(text);
  return expr.test;
}

function automatonOf(text: string) {
  const asked = askedOctets(testOf(text));
  const made = asked && automatonFor(asked.test);
  if (!asked || !made) throw new Error(text);
  return asked.operand.map ? mapped(made, asked.operand.map) : made;
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Short texts of few letters: most tests hold of some of them. */
const values = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '\r', '\n', ' ', '1', '\xff', '\0'), maxLength: 12 }).map(latin1);

const TEXTS = [
  'udp.payload == "ab"',
  'udp.payload == ""',
  'udp.payload in {"a" "ab" "b\\x0a" "ba1"}',
  'udp.payload contains "aab"',
  'udp.payload contains "a"',
  'udp.payload contains "abaB"',
  'udp.payload < "b"',
  'udp.payload >= "ab"',
  'udp.payload > ""',
  'udp.payload <= "\\xff\\xff"',
  'starts_with(udp.payload, "ab")',
  'ends_with(udp.payload, "bab")',
  'ends_with(udp.payload, "")',
  'udp.payload wildcard "a*b"',
  'udp.payload wildcard "*ab*"',
  'udp.payload wildcard "aB"',
  'udp.payload wildcard "*ab*ba*"',
  'udp.payload strict wildcard "a*B*ab"',
  'udp.payload strict wildcard "*"',
  'udp.payload strict wildcard "*aa*aa"',
  'lower(udp.payload) contains "ab"',
  'upper(udp.payload) == "AB"',
  'upper(lower(udp.payload)) strict wildcard "*AB*"',
  'lower(udp.payload) matches "B|a$"',
  'udp.payload matches "a+b"',
  'udp.payload matches "^(a|b1)*$"',
  'udp.payload matches "(?m)^ab$"',
  'udp.payload matches "(?mR)^a$"',
  'udp.payload matches "\\\\bab\\\\b"',
  'udp.payload matches "[^a]{3}"',
  'udp.payload matches "(?i)ab{2}"',
  'udp.payload matches ""',
  'udp.payload matches "a^b"',
];

describe('automata', () => {
  test.each(TEXTS)('%s', (text) => {
    const automaton = automatonOf(text);
    const test = testOf(text);
    const least = leastLength(automaton);
    fc.assert(
      fc.property(values, (octets) => {
        const wanted = evaluate({ kind: 'literal', test, negated: false }, { field: () => octets, slice: () => undefined });
        expect(accepts(automaton, octets)).toBe(wanted);
        if (wanted) expect(octets.length).toBeGreaterThanOrEqual(least ?? Number.POSITIVE_INFINITY);
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    { name: 'bounds of both kinds', above: 'ab', below: 'b1', included: true },
    { name: 'bounds without what they are', above: 'a', below: 'b', included: false },
    { name: 'one bound that begins with the other', above: 'a', below: 'aab', included: true },
  ])('$name', ({ above, below, included }) => {
    const operand = { kind: 'field', name: 'udp.payload' } as const;
    const between: OctetsTest & Test = {
      kind: 'bytes-range',
      operand,
      above: { value: latin1(above), included },
      below: { value: latin1(below), included },
    };
    const automaton = automatonFor(between);
    fc.assert(
      fc.property(values, (octets) => {
        const wanted = evaluate({ kind: 'literal', test: between, negated: false }, { field: () => octets, slice: () => undefined });
        expect(automaton && accepts(automaton, octets)).toBe(wanted);
      }),
      { numRuns: 500 },
    );
  });

  test('all 256 octets are told apart', () => {
    const value = Uint8Array.from({ length: 256 }, (_, octet) => octet);
    const automaton = automatonFor({ kind: 'bytes', operand: { kind: 'field', name: 'udp' }, values: [value] });
    expect(automaton && accepts(automaton, value)).toBe(true);
    for (const at of [0, 100, 255])
      expect(
        automaton &&
          accepts(
            automaton,
            value.map((octet, i) => (i === at ? octet ^ 1 : octet)),
          ),
      ).toBe(false);
  });

  test('what ends with a zero', () => {
    const automaton = terminated(automatonOf('udp.payload matches "^a*b$"'));
    expect(['ab\0', 'ab\0x', '\0', 'ab', 'abb\0', 'b\0b'].map((text) => accepts(automaton, latin1(text)))).toEqual([
      true,
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  test('an expression that has to remember much is too large', () => {
    const asked = askedOctets(testOf('udp.payload matches "a[ab]{14}$"'));
    expect(asked && automatonFor(asked.test)).toBeUndefined();
    expect(MAX_ROWS).toBe(4096);
  });
});

test.each([
  { name: 'a value to look for', test: { kind: 'contains', needle: new Uint8Array(4095) } },
  { name: 'a value', test: { kind: 'bytes', values: [new Uint8Array(4096)] } },
  { name: 'a bound', test: { kind: 'bytes-range', above: { value: new Uint8Array(4095), included: true }, below: undefined } },
] as const)('$name that is too long', ({ test: one }) => {
  expect(automatonFor({ ...one, operand: { kind: 'field', name: 'udp' } })).toBeUndefined();
});

describe('the table', () => {
  test('an automaton is written once, classes that are the same are shared, and offsets lie within', () => {
    const table = new AutomataTable();
    const first = table.add('a', () => automatonOf('udp.payload contains "ab"'));
    const again = table.add('a', () => {
      throw new Error('made twice');
    });
    expect(again).toBe(first);
    const need = table.need();
    expect(need).toMatchObject({ kind: 'table', symbol: 'automata', shape: { valueSize: 4096 + 256, maxEntries: 1 } });
    const before = 'contents' in need ? need.contents.slice() : undefined;
    const second = table.add('b', () => automatonOf('udp.payload matches "^(ab)*$"'));
    expect(second?.offset).toBeGreaterThan(first?.offset ?? 0);
    const after = table.need();
    expect('contents' in after && after.contents.slice(0, second?.offset ?? 0).subarray(0, first?.offset)).toEqual(
      before?.subarray(0, first?.offset),
    );
  });

  test('what decides before the first octet says so', () => {
    const table = new AutomataTable();
    const start = (text: string) => table.add(text, () => automatonOf(text))?.start;
    expect(start('udp.payload matches "a^b"')).toBe('rejects');
    expect(start('udp.payload matches ""')).toBe('accepts');
    expect(start('udp.payload matches "a"')).toBe('open');
  });

  test('it has an end', () => {
    const table = new AutomataTable();
    // Some 800 rows of 256 entries.
    const value = Uint8Array.from({ length: 800 }, (_, i) => (i * 7) % 256);
    const automaton = automatonFor({ kind: 'bytes', operand: { kind: 'field', name: 'udp' }, values: [value] });
    let added = 0;
    while (added < 100 && table.add(`${added}`, () => automaton)) added++;
    expect(added).toBeGreaterThan(10);
    expect(added).toBeLessThan(100);
    const { valueSize } = table.need().shape;
    expect(valueSize).toBeLessThanOrEqual(MAX_TABLE + 256);
  });
});
