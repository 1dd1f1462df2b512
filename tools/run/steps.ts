import type { Finding } from './finding.ts';
import { printFinding } from './finding.ts';

/** What a step found: how many of its parts passed and failed, which were skipped (with the reason), what to show when something failed. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly output: string;
}

export interface Step {
  readonly name: string;
  /** Names of the steps that must have passed before. */
  readonly after?: readonly string[];
  run(): Outcome | Promise<Outcome>;
}

export interface StepResult extends Outcome {
  readonly name: string;
  readonly milliseconds: number;
}

export interface StepOptions {
  /** Steps at a time. */
  readonly width: number;
  /** A skip is a failure. */
  readonly strict: boolean;
  readonly print: (text: string) => void;
}

/** Runs all steps, `width` at a time in the order given, and prints each when it ends. An exception is one failure. */
export async function runSteps(steps: readonly Step[], options: StepOptions): Promise<readonly StepResult[]> {
  const results = new Map<string, StepResult>();
  const waiting = [...steps];
  const active = new Map<string, Promise<void>>();
  while (waiting.length > 0 || active.size > 0) {
    const next = active.size < options.width ? waiting.findIndex((step) => (step.after ?? []).every((name) => results.has(name))) : -1;
    const [step] = next < 0 ? [] : waiting.splice(next, 1);
    if (step !== undefined) {
      active.set(
        step.name,
        start(step).finally(() => active.delete(step.name)),
      );
      continue;
    }
    if (active.size === 0) throw new Error(`steps wait for each other: ${waiting.map((one) => one.name).join(', ')}`);
    await Promise.race(active.values());
  }
  return steps.map((step) => results.get(step.name)).filter((result) => result !== undefined);

  async function start(step: Step): Promise<void> {
    const started = performance.now();
    const broken = (step.after ?? []).find((name) => (results.get(name)?.failed ?? 0) > 0);
    const outcome = broken === undefined ? await attempt(step) : failure(`not run: ${broken} failed`);
    const judged = options.strict ? { ...outcome, failed: outcome.failed + outcome.skipped.length } : outcome;
    const result: StepResult = { ...judged, name: step.name, milliseconds: Math.round(performance.now() - started) };
    results.set(step.name, result);
    options.print(printResult(result));
  }
}

async function attempt(step: Step): Promise<Outcome> {
  try {
    return await step.run();
  } catch (error) {
    return failure(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

export function success(passed: number = 1): Outcome {
  return { passed, failed: 0, skipped: [], output: '' };
}

export function failure(output: string): Outcome {
  return { passed: 0, failed: 1, skipped: [], output };
}

/** A step that is one check with a list of mistakes. */
export function fromFindings(findings: readonly Finding[]): Outcome {
  return findings.length === 0 ? success() : failure(findings.map(printFinding).join('\n'));
}

export function total(results: readonly Outcome[]): { readonly passed: number; readonly failed: number } {
  return {
    passed: results.reduce((sum, one) => sum + one.passed, 0),
    failed: results.reduce((sum, one) => sum + one.failed, 0),
  };
}

function printResult(result: StepResult): string {
  const seconds = (result.milliseconds / 1000).toFixed(1).padStart(6);
  const counts = result.passed + result.failed > 1 ? ` (${result.passed} passed, ${result.failed} failed)` : '';
  const head = `${result.failed > 0 ? 'FAIL' : 'ok  '} ${seconds} s  ${result.name}${counts}`;
  const skips = result.skipped.map((skip) => `     skipped: ${skip}`);
  const shown =
    result.failed > 0
      ? result.output
          .trimEnd()
          .split('\n')
          .map((line) => `     ${line}`)
      : [];
  return [head, ...skips, ...shown].join('\n');
}
