import { expect, test } from 'vitest';
import { countReport } from './vitest-report.ts';

const file = (status: string, ...statuses: string[]) => ({
  name: 'x.test.ts',
  status,
  message: '',
  assertionResults: statuses.map((one, index) => ({ fullName: ` test ${index}`, status: one })),
});

const rows = [
  {
    name: 'all pass',
    input: { success: true, testResults: [file('passed', 'passed', 'passed')] },
    want: { passed: 2, failed: 0, skipped: [] },
  },
  {
    name: 'one fails',
    input: { success: false, testResults: [file('failed', 'passed', 'failed')] },
    want: { passed: 1, failed: 1, skipped: [] },
  },
  {
    name: 'skips are named',
    input: { success: true, testResults: [file('passed', 'skipped', 'passed', 'todo')] },
    want: { passed: 1, failed: 0, skipped: ['test 0', 'test 2'] },
  },
  {
    name: 'a file that does not load',
    input: { success: false, testResults: [file('failed'), file('passed', 'passed')] },
    want: { passed: 1, failed: 1, skipped: [] },
  },
  {
    name: 'a hook that fails',
    input: { success: false, testResults: [file('failed', 'skipped', 'passed')] },
    want: { passed: 1, failed: 1, skipped: ['test 0'] },
  },
  {
    name: 'an unhandled error',
    input: { success: false, testResults: [file('passed', 'passed')] },
    want: { passed: 1, failed: 1, skipped: [] },
  },
  { name: 'no tests', input: { success: true, testResults: [] }, want: { passed: 0, failed: 1, skipped: [] } },
];

test.each(rows)('$name', ({ input, want }) => {
  expect(countReport(JSON.stringify(input), '')).toMatchObject(want);
});

test('only what failed is shown', () => {
  const one = {
    ...file('failed', 'passed'),
    assertionResults: [
      { fullName: 'a', status: 'passed' },
      { fullName: 'b', status: 'failed', failureMessages: ['1 is not 2'] },
    ],
  };
  const shown = countReport(
    JSON.stringify({ success: false, testResults: [one, { ...file('failed'), name: 'y.test.ts', message: 'no such module' }] }),
    'everything',
  );
  expect(shown.output).toBe('x.test.ts: b\n1 is not 2\n\ny.test.ts: no such module');
});
