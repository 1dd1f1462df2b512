import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './error.ts';
import { BoundedOutput } from './output.ts';
import { waitFor } from './wait.ts';

export interface ProcessOptions {
  /** Shown in reports; default is the command. */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A long-lived process. It leads a process group of its own, so that closing it takes its children too and a Ctrl-C at the terminal
 * reaches only the test runner. The last 256 KiB of each output stream are kept.
 */
export class LabProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ProcessEnd>;
  /** Resolves when the output is complete too: not before every process that inherited the streams has ended. */
  readonly drained: Promise<void>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #stdout = new BoundedOutput();
  readonly #stderr = new BoundedOutput();
  #end: ProcessEnd | undefined;

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.name = options.name ?? command;
    this.#child = spawn(command, args, {
      stdio: 'pipe',
      detached: true,
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const { pid } = this.#child;
    this.#child.on('error', (error) => this.#stderr.push(Buffer.from(`${error.message}\n`)));
    if (pid === undefined) throw new LabError('process-exited', `${command} could not be started`);
    this.pid = pid;
    this.#child.stdout.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.#child.stderr.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // The process may end while we write to it; `exited` tells.
    this.#child.stdin.on('error', () => undefined);
    this.drained = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#end = { code, signal };
        resolve(this.#end);
      });
    });
  }

  get running(): boolean {
    return this.#end === undefined;
  }

  get stdout(): string {
    return this.#stdout.text;
  }

  get stderr(): string {
    return this.#stderr.text;
  }

  /** The raw stream, for protocols spoken over stdout. */
  onStdout(listener: (chunk: Buffer) => void): void {
    this.#child.stdout.on('data', listener);
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  closeInput(): void {
    this.#child.stdin.end();
  }

  /** Signals the process itself, not its children. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Resolves with the match once stdout or stderr matches; throws LabError when the process ends first or the time is over. */
  async waitForOutput(pattern: RegExp, timeoutMs: number = 60_000): Promise<RegExpExecArray> {
    return await waitFor(
      `${this.name} to print ${pattern}`,
      () => {
        const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (match === null && !this.running) throw new LabError('process-exited', this.report());
        return match;
      },
      { timeoutMs },
    );
  }

  /** SIGKILL to the whole group, then waits for the end. */
  async kill(): Promise<void> {
    this.killGroup('SIGKILL');
    await this.exited;
  }

  /** SIGTERM to the process, SIGKILL to its group after `graceMs` or once it has ended. Idempotent. */
  async close(graceMs: number = 2_000): Promise<void> {
    this.#child.stdin.end();
    if (this.running) {
      this.signal('SIGTERM');
      await Promise.race([this.exited, sleep(graceMs, undefined, { ref: false })]);
    }
    this.killGroup('SIGKILL');
    await this.exited;
  }

  /** Synchronous: for the way out of the runner. */
  killGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      // ESRCH: the group is gone already, which is what was asked for.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** What it is, how it ended, and what it printed last. */
  report(lines: number = 60): string {
    const end = this.#end === undefined ? `running, pid ${this.pid}` : `ended: code ${this.#end.code}, signal ${this.#end.signal}`;
    return [`--- ${this.name} (${end})`, ...section('stdout', this.stdout, lines), ...section('stderr', this.stderr, lines)].join('\n');
  }
}

function section(title: string, text: string, lines: number): string[] {
  const all = text.trimEnd().split('\n');
  if (text.trim() === '') return [];
  const cut = all.length > lines ? [`... ${all.length - lines} lines before`] : [];
  return [`  ${title}:`, ...cut, ...all.slice(-lines).map((line) => `    ${line}`)];
}
