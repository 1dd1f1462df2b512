import { join } from 'node:path';
import * as z from 'zod/mini';
import type { OwnFlowSummary } from '../api/index.ts';
import { readIfThere, writeWhole } from '../files/index.ts';
import { iso, summarizeNote } from './summaries.ts';

const VERSION = 1;
const LONGEST_TIMER = 0x7fff_ffff;

/** What everything that is announced by hand has. */
export interface Kept {
  /** Undefined: all that may be told. */
  readonly peers: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly until: number | undefined;
  readonly comment: string | undefined;
  /** Who made it: `uid 0, pid 4711`. */
  readonly by: string;
}

const keptShape = z.object({
  peers: z.optional(z.array(z.string())),
  since: z.number(),
  until: z.optional(z.number()),
  comment: z.optional(z.string()),
  by: z.string(),
});

/** What everything has, of one entry of a file. Throws for what it is not. */
export function readKept(value: unknown): Kept {
  const { peers, since, until, comment, by } = keptShape.parse(value);
  return { peers, since, until, comment, by };
}

/** As it is shown, but for the peers. */
export function summarizeKept({ since, until, comment, by }: Kept): Pick<OwnFlowSummary, 'since' | 'until' | 'comment' | 'by'> {
  return {
    since: iso(since),
    ...summarizeNote({ until, comment }),
    by,
  };
}

export interface OwnStoreOptions<T extends Kept> {
  readonly stateDirectory: string;
  readonly file: string;
  /** The key of the list in the file, and what they are called: `flow rules`. */
  readonly list: string;
  readonly what: string;
  readonly keyOf: (one: T) => string;
  readonly encode: (one: T) => unknown;
  /** Throws for what it is not. */
  readonly decode: (kept: unknown) => T;
  /** It is there, or not any more; on disk already. */
  readonly changed: (key: string, one: T | undefined) => void;
  readonly onError: (error: Error) => void;
}

/** What is announced by hand: on disk before it is announced, there again after a restart, gone when its time is over. */
export class OwnStore<T extends Kept> {
  readonly #options: OwnStoreOptions<T>;
  readonly #entries = new Map<string, T>();
  #timer: NodeJS.Timeout | undefined;

  /** Reads what was there before; `changed` is not told of it. */
  constructor(options: OwnStoreOptions<T>) {
    this.#options = options;
    try {
      for (const one of this.#read()) this.#entries.set(options.keyOf(one), one);
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error));
      options.onError(new Error(`${this.#path}: ${message}: no ${options.what} of our own are announced`));
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  values(): readonly T[] {
    return [...this.#entries.values()];
  }

  /** Throws the system's error when it cannot be written: then nothing has changed. */
  put(one: T): void {
    const key = this.#options.keyOf(one);
    this.#write([...this.values().filter((other) => this.#options.keyOf(other) !== key), one]);
    this.#entries.set(key, one);
    this.#options.changed(key, one);
    this.expire();
  }

  /** As `put`. */
  remove(keys: readonly string[]): void {
    this.#write(this.values().filter((one) => !keys.includes(this.#options.keyOf(one))));
    for (const key of keys) if (this.#entries.delete(key)) this.#options.changed(key, undefined);
  }

  /** Takes out those whose time is over, and waits for the next. */
  expire(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const over = this.values().filter(({ until }) => until !== undefined && until <= now);
    try {
      if (over.length > 0) this.remove(over.map(this.#options.keyOf));
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    }
    const next = Math.min(...this.values().map(({ until }) => until ?? Number.POSITIVE_INFINITY));
    if (!Number.isFinite(next)) return;
    // At once where it could not be written: not in a loop.
    this.#timer = setTimeout(() => this.expire(), Math.min(LONGEST_TIMER, Math.max(1000, next - now)));
    this.#timer.unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  get #path(): string {
    return join(this.#options.stateDirectory, this.#options.file);
  }

  #read(): T[] {
    const { list, decode } = this.#options;
    const text = readIfThere(this.#path);
    if (text === undefined) return [];
    const file = z.object({ version: z.literal(VERSION), [list]: z.array(z.unknown()) }).parse(JSON.parse(text.toString()));
    return (file[list] as readonly unknown[]).map(decode);
  }

  #write(entries: readonly T[]): void {
    const { list, encode } = this.#options;
    writeWhole(this.#path, JSON.stringify({ version: VERSION, [list]: entries.map(encode) }), { mode: 0o600, survives: 'machine' });
  }
}
