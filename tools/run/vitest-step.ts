import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';
import { failure, type Outcome } from './steps.ts';
import { countReport } from './vitest-report.ts';

/** Runs one vitest project and counts its tests one by one. */
export async function runVitest(root: string, project: string, timeoutMs: number): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-vitest-'));
  const report = join(directory, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const ran = await runCommand(join(root, 'node_modules/.bin/vitest'), ['run', '--project', project, ...reporters], timeoutMs);
    if (ran.code === undefined || !existsSync(report)) return failure(ran.output);
    return countReport(readFileSync(report, 'utf8'), ran.output);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
