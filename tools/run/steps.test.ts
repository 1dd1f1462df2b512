import { expect, test } from 'vitest';
import { failure, runSteps, type Step, success, total } from './steps.ts';

const run = async (steps: Step[], strict = false) => {
  const printed: string[] = [];
  const results = await runSteps(steps, { width: 2, strict, print: (text) => printed.push(text.replace(/ +\d+\.\d s +/, ' ')) });
  return { results, printed };
};

test('counts, and shows the output of what failed', async () => {
  const { results, printed } = await run([
    { name: 'a', run: () => success(3) },
    { name: 'b', run: () => failure('line one\nline two') },
    { name: 'c', run: () => Promise.reject(new Error('thrown')) },
  ]);
  expect(total(results)).toEqual({ passed: 3, failed: 2 });
  expect(printed[0]).toBe('ok a (3 passed, 0 failed)');
  expect(printed[1]).toBe('FAIL b\n     line one\n     line two');
  expect(printed[2]).toContain('thrown');
});

test('a step whose prerequisite failed is not run and fails', async () => {
  let ran = false;
  const { results } = await run([
    {
      name: 'late',
      after: ['early'],
      run: () => {
        ran = true;
        return success();
      },
    },
    { name: 'early', run: () => failure('x') },
  ]);
  expect(ran).toBe(false);
  expect(results.map((result) => [result.name, result.failed])).toEqual([
    ['late', 1],
    ['early', 1],
  ]);
});

test('at most two at a time', async () => {
  let active = 0;
  let most = 0;
  const step = (name: string): Step => ({
    name,
    run: async () => {
      most = Math.max(most, ++active);
      await new Promise((resolve) => setImmediate(resolve));
      active--;
      return success();
    },
  });
  await run(['a', 'b', 'c', 'd'].map(step));
  expect(most).toBe(2);
});

test('a skip is named, and fails where that is asked for', async () => {
  const step: Step = { name: 'a', run: () => ({ passed: 1, failed: 0, skipped: ['x: needs root'], output: '' }) };
  const mild = await run([step]);
  expect(total(mild.results)).toEqual({ passed: 1, failed: 0 });
  expect(mild.printed[0]).toContain('skipped: x: needs root');
  expect(total((await run([step], true)).results)).toEqual({ passed: 1, failed: 1 });
});

test('steps that wait for each other are an error', async () => {
  await expect(
    run([
      { name: 'a', after: ['b'], run: () => success() },
      { name: 'b', after: ['a'], run: () => success() },
    ]),
  ).rejects.toThrow('wait for each other');
});
