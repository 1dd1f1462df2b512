import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Line } from './model.ts';

/** When a process is killed: milliseconds after the line of that number, or after it was told to begin. */
export interface Fate {
  readonly line: number | undefined;
  readonly ms: number;
}

/** A process that changes tables until it is killed. It is started some time before, and does nothing until it is told to. */
export class Doomed {
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  #problems = '';

  constructor(program: string, directory: string, seed: number) {
    this.#process = spawn(process.execPath, [program, directory, String(seed)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#closed = once(this.#process, 'close');
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#problems += chunk.toString();
    });
  }

  /** All that it said until it was killed. */
  async live({ line: last, ms }: Fate): Promise<readonly Line[]> {
    const { stdin, stdout } = this.#process;
    if (!stdin || !stdout) throw new Error('the process has no pipes');
    const lines: Line[] = [];
    const die = async (): Promise<void> => {
      if (ms > 0) await sleep(ms);
      this.#process.kill('SIGKILL');
    };
    stdin.write('x');
    let dying = last === undefined ? die() : undefined;
    for await (const text of createInterface({ input: stdout })) {
      // The last line may be cut off.
      if (!text.endsWith('}')) continue;
      lines.push(JSON.parse(text) as Line);
      if (lines.length === last) dying = die();
    }
    await dying;
    await this.#closed;
    if (this.#process.signalCode !== 'SIGKILL') throw new Error(`the process ended by itself: ${this.#problems}`);
    return lines;
  }

  async close(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }
}
