import { onTestFinished } from 'vitest';
import { Lab } from './lab.ts';

/** A lab for the running test: disposed of at its end; when the test failed, what the lab's processes printed is shown first. */
export function labForTest(): Lab {
  const lab = new Lab();
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`${lab.report()}\n`);
    await lab.dispose();
  });
  return lab;
}
