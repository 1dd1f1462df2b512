import { setTimeout as sleep } from 'node:timers/promises';
import { LabProcess } from '../../test/lab/index.ts';

export interface Ran {
  /** undefined: it was stopped because its time was over. */
  readonly code: number | undefined;
  /** stdout, then stderr: the last 256 KiB of each. */
  readonly output: string;
  readonly stdout: string;
}

const running = new Set<LabProcess>();
let watching = false;

/**
 * Runs a program in a process group of its own. When `timeoutMs` are over the group gets SIGTERM, so that tests can clean up, and ten seconds
 * later SIGKILL. An interrupt of this process is passed on.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  watchSignals();
  const started = new LabProcess(command, args, { env: { NO_COLOR: '1', ...env } });
  started.closeInput();
  running.add(started);
  const late = Symbol('late');
  const timer = new AbortController();
  const end = await Promise.race([started.exited, sleep(timeoutMs, late, { signal: timer.signal })]);
  if (end === late) {
    started.killGroup('SIGTERM');
    await Promise.race([started.drained, sleep(10_000, undefined, { signal: timer.signal })]);
    started.killGroup('SIGKILL');
  }
  await Promise.race([started.drained, sleep(2_000, undefined, { signal: timer.signal })]);
  timer.abort();
  running.delete(started);
  const timeNote = end === late ? `\nstopped: not done after ${timeoutMs / 1000} s` : '';
  const code = typeof end === 'symbol' ? undefined : (end.code ?? 128);
  return { code, output: `${started.stdout}${started.stderr}${timeNote}`, stdout: started.stdout };
}

function watchSignals(): void {
  if (watching) return;
  watching = true;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const one of running) one.killGroup('SIGTERM');
      void Promise.race([Promise.all([...running].map((one) => one.exited)), sleep(10_000)]).then(() => {
        for (const one of running) one.killGroup('SIGKILL');
        process.exit(130);
      });
    });
  }
}
