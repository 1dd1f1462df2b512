import { expect, test } from 'vitest';
import { parseVersion, satisfies } from './semver-range.ts';

const rows: { input: [string, string]; want: boolean }[] = [
  { input: ['20.19.0', '>=18'], want: true },
  { input: ['20.19.0', '>= 20'], want: true },
  { input: ['20.19.0', '>20'], want: false },
  { input: ['20.19.0', '>=22.12.0'], want: false },
  { input: ['20.19.0', '^20.19.0 || >=22.12.0'], want: true },
  { input: ['20.18.9', '^20.19.0 || >=22.12.0'], want: false },
  { input: ['20.19.0', '^22 || >=24'], want: false },
  { input: ['20.19.0', '20.x'], want: true },
  { input: ['20.19.0', '20'], want: true },
  { input: ['20.19.0', '*'], want: true },
  { input: ['20.19.0', ''], want: true },
  { input: ['20.19.0', '~20.18'], want: false },
  { input: ['20.19.0', '>=18 <20'], want: false },
  { input: ['20.19.0', '>=18 <=20'], want: true },
  { input: ['20.19.0', '18 - 20.18.0'], want: false },
  { input: ['20.19.0', '18 - 20'], want: true },
  { input: ['20.19.0', '<=20.19.0'], want: true },
  { input: ['20.19.1', '20.19.0'], want: false },
  { input: ['0.2.5', '^0.2.3'], want: true },
  { input: ['0.3.0', '^0.2.3'], want: false },
  { input: ['0.0.4', '^0.0.3'], want: false },
];

test.each(rows)('$input: $want', ({ input: [version, range], want }) => {
  expect(satisfies(parseVersion(version)!, range)).toBe(want);
});

test('what is not a range is refused', () => {
  expect(() => satisfies([20, 19, 0], 'lts')).toThrow(RangeError);
  expect(parseVersion('1.2')).toBeUndefined();
});
