import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonMistake } from './json-mistake.ts';

test.each([
  { input: '{"a": [}', want: 7 },
  { input: '{"a": [1,\n]}', want: 10 },
  { input: '{"a" 1}', want: 5 },
  { input: '{"a": 1,}', want: 8 },
  { input: '{a: 1}', want: 1 },
  { input: '[1 2]', want: 3 },
  { input: '[1]]', want: 3 },
  { input: '["a\n"]', want: 1 },
  { input: '[1', want: 2 },
  { input: '', want: 0 },
  { input: '[tru]', want: 1 },
])('$input', ({ input, want }) => {
  expect(jsonMistake(input)).toBe(want);
});

test('the end of what is JSON, for any value', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(jsonMistake(text)).toBe(text.length);
    }),
  );
});
