// `npm run check`: everything that can be said about the source without privileges. Exit status 1 when a step failed.
import { resolve } from 'node:path';
import { checkSteps } from './run/check-steps.ts';
import { runSteps, total } from './run/steps.ts';

const started = performance.now();
const results = await runSteps(checkSteps(resolve(import.meta.dirname, '..')), {
  width: 2,
  strict: process.env['CI'] === 'true',
  print: console.log,
});
const { passed, failed } = total(results);
console.log(`check took ${((performance.now() - started) / 1000).toFixed(1)} s: ${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
