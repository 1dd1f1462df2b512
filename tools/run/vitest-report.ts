import type { Outcome } from './steps.ts';

/** The part of vitest's JSON report that is counted. */
interface Report {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/**
 * Counts a report. A file that could not be loaded is one failure; so is a run that failed without a failed test (an unhandled error), and one
 * without any test: then `output`, what vitest printed, is shown. Otherwise only what failed is.
 */
export function countReport(text: string, output: string): Outcome {
  const report = JSON.parse(text) as Report;
  const tests = report.testResults.flatMap((file) => file.assertionResults.map((one) => ({ ...one, file: file.name })));
  const passed = tests.filter((one) => one.status === 'passed').length;
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((one) => one.status === 'failed'),
  );
  const counted = tests.filter((one) => one.status === 'failed').length + broken.length;
  const skipped = tests.filter((one) => one.status !== 'passed' && one.status !== 'failed').map((one) => one.fullName.trim());
  const shown = [
    ...tests
      .filter((one) => one.status === 'failed')
      .map((one) => [`${one.file}: ${one.fullName.trim()}`, ...(one.failureMessages ?? [])].join('\n')),
    ...broken.map((file) => `${file.name}: ${file.message}`),
  ];
  const silent = counted === 0 && (!report.success || tests.length === 0);
  const why = tests.length === 0 ? 'there is no test' : 'the run failed although no test did';
  return { passed, failed: counted + (silent ? 1 : 0), skipped, output: silent ? `${why}\n${output}` : shown.join('\n\n') };
}
