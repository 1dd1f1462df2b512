import { spawn } from 'node:child_process';

export interface CommandResult {
  /** Undefined where it was not started, or did not end by itself. */
  readonly exitCode: number | undefined;
  /** What happened, in a few words: `exit code 1`, `no answer within 60 s`. */
  readonly outcome: string;
  /** The end of what it said on both outputs. */
  readonly log: string;
}

/** Octets of what a command says that are kept. */
const MOST_LOG = 8192;

/** Runs a program with its arguments, without a shell, and ends it with all that it started when it takes longer than `timeout` (ms). Never rejects. */
export function runCommand([program = '', ...args]: readonly string[], timeout: number): Promise<CommandResult> {
  return new Promise((resolve) => {
    if (program === '') {
      resolve({ exitCode: undefined, outcome: 'there is no command', log: '' });
      return;
    }
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let log = Buffer.alloc(0);
    let late = false;
    const take = (octets: Buffer): void => {
      const joined = Buffer.concat([log, octets]);
      log = joined.subarray(Math.max(0, joined.length - MOST_LOG));
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => {
      late = true;
      endGroup(child.pid);
      // What has left the group may hold the outputs open.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeout);
    const end = (exitCode: number | undefined, outcome: string): void => {
      clearTimeout(timer);
      resolve({ exitCode, outcome, log: log.toString('utf8') });
    };
    child.on('error', (error) => end(undefined, error.message));
    child.on('close', (code, signal) => {
      if (late) end(undefined, `no end within ${timeout / 1000} s`);
      else if (code === null) end(undefined, `ended by ${signal ?? 'a signal'}`);
      else end(code, `exit code ${code}`);
    });
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has just ended.
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error;
  }
}
