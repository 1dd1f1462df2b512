import { spawn } from 'node:child_process';
import { LabError } from './error.ts';
import { BoundedOutput } from './output.ts';

export interface CommandOptions {
  /** Written to stdin, which is then closed. Without it stdin is empty. */
  readonly input?: string;
  /** Milliseconds until the command is killed and the call fails; default 30,000. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Return a non-zero exit instead of throwing it. */
  readonly allowFailure?: boolean;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const outputLimit = 64 * 1024 * 1024;

/**
 * Runs one command to its end and returns what it printed (at most the last 64 MiB of each stream).
 * Throws LabError `command-failed` for a non-zero exit (unless `allowFailure`) and `command-timeout`; both show the command and its stderr.
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const shown = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const stdout = new BoundedOutput(outputLimit);
    const stderr = new BoundedOutput(outputLimit);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A command that exits without reading its input closes the pipe; its exit status says what matters.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new LabError('command-failed', `${shown}: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const result: CommandResult = { code: code ?? 128, stdout: stdout.text, stderr: stderr.text };
      if (late) reject(new LabError('command-timeout', `${shown}: no end after ${timeoutMs} ms\n${result.stdout}${result.stderr}`));
      else if (result.code !== 0 && options.allowFailure !== true) {
        const end = signal === null ? `exit status ${result.code}` : `killed by ${signal}`;
        reject(new LabError('command-failed', `${shown}: ${end}\n${result.stdout}${result.stderr}${inputShown(options.input)}`));
      } else resolve(result);
    });
  });
}

function inputShown(input: string | undefined): string {
  if (input === undefined || input === '') return '';
  return `--- input ---\n${input.length > 4000 ? `${input.slice(0, 4000)}...` : input}`;
}
