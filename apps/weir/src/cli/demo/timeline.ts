import type { Io } from '../io.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';

export interface TimelineEntry {
  readonly at_ms: number;
  readonly text: string;
  /** Absent for what is only said; otherwise whether what was expected came true. */
  readonly ok?: boolean;
}

/** What happened, with milliseconds since the beginning; printed as it happens. */
export class Timeline {
  readonly entries: TimelineEntry[] = [];
  readonly #started = performance.now();
  readonly #print: (line: string) => Promise<void>;
  readonly #palette: Palette;

  /** Where the output is JSON, `io` is undefined: nothing is printed before the end. */
  constructor(io: Io | undefined, palette: Palette) {
    this.#palette = palette;
    this.#print = io ? (line) => io.out(line) : async () => undefined;
  }

  get elapsedMs(): number {
    return performance.now() - this.#started;
  }

  get failed(): boolean {
    return this.entries.some((entry) => entry.ok === false);
  }

  async heading(text: string): Promise<void> {
    await this.#print(`\n${this.#palette.bold(escapeControl(text))}\n`);
  }

  async say(text: string): Promise<void> {
    await this.#add({ at_ms: this.#now(), text });
  }

  async check(text: string, ok: boolean): Promise<void> {
    await this.#add({ at_ms: this.#now(), text, ok });
  }

  #now(): number {
    return Math.round(this.elapsedMs * 10) / 10;
  }

  async #add(entry: TimelineEntry): Promise<void> {
    this.entries.push(entry);
    const p = this.#palette;
    const mark = entry.ok === undefined ? ' ' : entry.ok ? p.green('✓') : p.red('✗');
    await this.#print(`${p.dim(`${(entry.at_ms / 1000).toFixed(3).padStart(7)}s`)} ${mark} ${escapeControl(entry.text)}\n`);
  }
}
