import { expect, it } from 'vitest';
import type { RuleImage } from '../compile/nft/image.ts';
import { boundPrint, isWritten, rebound } from './rule-bindings.ts';

const PRINT = '0123456789abcdef';

function asking(...programs: readonly string[]): RuleImage {
  return { name: 'r', matches: programs.map((program) => ({ kind: 'program', program })), verdict: { kind: 'accept' } };
}

it('a rule is known by what its programs are bound to', () => {
  const bindings = new Map([
    ['a', '4:17'],
    ['b', '4:18'],
    ['gone', ''],
  ]);
  const print = (rule: RuleImage, now: ReadonlyMap<string, string> = bindings): string => boundPrint(rule, PRINT, now);
  expect(print(asking())).toBe(PRINT);
  expect(print(asking('other'))).toBe(PRINT);
  expect(print(asking('a'))).toMatch(/^0123456789abcdef\+[0-9a-f]{16}$/);
  expect(print(asking('a'))).not.toBe(print(asking('b')));
  expect(print(asking('a'))).not.toBe(print(asking('a'), new Map([['a', '4:19']])));
  expect(print(asking('a', 'gone'))).toBe(PRINT);
});

it.each([
  { name: 'the same', wanted: `${PRINT}+1`, now: `${PRINT}+1`, want: true },
  { name: 'bound to something else', wanted: `${PRINT}+1`, now: `${PRINT}+2`, want: false },
  { name: 'of before there were bindings', wanted: `${PRINT}+1`, now: PRINT, want: false },
  { name: 'bound to what cannot be told', wanted: PRINT, now: `${PRINT}+2`, want: true },
  { name: 'another rule', wanted: PRINT, now: 'f123456789abcdef', want: false },
  { name: 'not Weir’s', wanted: PRINT, now: undefined, want: false },
])('a rule that is $name', ({ wanted, now, want }) => {
  expect(isWritten(wanted, now)).toBe(want);
});

it('programs are bound to something else', () => {
  const before = new Map([
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
  ]);
  const now = new Map([
    ['a', '1'],
    ['b', '4'],
    ['c', ''],
    ['d', '5'],
  ]);
  expect([...rebound(before, now)]).toEqual(['b', 'd']);
});
