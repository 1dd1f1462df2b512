import { onTestFailed, onTestFinished } from 'vitest';
import { Lab } from './lab.ts';

/** A lab for the running test: disposed of at its end; when the test fails, what the lab's processes printed is shown first. */
export function labForTest(): Lab {
  const lab = new Lab();
  onTestFinished(() => lab.dispose());
  onTestFailed(() => {
    process.stderr.write(`${lab.report()}\n`);
  });
  return lab;
}
