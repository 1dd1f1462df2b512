// `npm test`: the check, then what needs root, namespaces and real peers, then fuzzing and a smoke run of every bench. The last line is
// `N passed, N failed`. With CI=true a skip is a failure.
import { resolve } from 'node:path';
import { checkSteps } from './run/check-steps.ts';
import { runSteps, type StepResult, total } from './run/steps.ts';
import { testGroups } from './run/test-steps.ts';

const root = resolve(import.meta.dirname, '..');
const strict = process.env['CI'] === 'true';
const privileged = process.platform === 'linux' && process.geteuid?.() === 0;
const print = (text: string): void => console.log(text);
const started = performance.now();

const results: StepResult[] = [];
// The check comes after the installation: it uses shells for their completion scripts where they are there.
const [installation, ...groups] = testGroups(root, privileged, print);
for (const { steps, width } of [...(installation ? [installation] : []), { steps: checkSteps(root), width: 2 }, ...groups]) {
  results.push(...(await runSteps(steps, { width, strict, print })));
}

const skipped = results.flatMap((result) => result.skipped);
const broken = results.filter((result) => result.failed > 0).map((result) => result.name);
if (skipped.length > 0) print(`\nskipped${strict ? ', which fails in CI' : ''}:\n${skipped.map((skip) => `  ${skip}`).join('\n')}`);
if (broken.length > 0) print(`\nfailed: ${broken.join(', ')}`);
print(`took ${((performance.now() - started) / 1000).toFixed(0)} s`);
const { passed, failed } = total(results);
process.exitCode = failed > 0 ? 1 : 0;
print(`${passed} passed, ${failed} failed`);
