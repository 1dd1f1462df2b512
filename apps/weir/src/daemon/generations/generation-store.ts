import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { makeDirectory, readIfThere, writeWhole } from '../../files/index.ts';
import { digestTexts, type Texts } from '../../sources/config/index.ts';
import type { GenerationIndex, GenerationRecord, Pending } from './record.ts';

/** Generations that are kept, and bytes of all their texts; the one in force and the one to go back to always stay. */
export const MAX_GENERATIONS = 100;
const MAX_TOTAL_BYTES: number = 64 * 1024 * 1024;
/** Texts of changes that are kept of one generation. */
const MAX_CHANGES = 100;

const VERSION = 1;
const DIRECTORY = 'history';
const INDEX = 'index.json';

const record = z.object({
  number: z.int(),
  at: z.number(),
  cause: z.enum(['start', 'reload', 'apply', 'rollback', 'revert']),
  by: z.string(),
  digest: z.string(),
  file: z.string(),
  changes: z.array(z.string()),
  reverted: z.boolean(),
});
const indexShape = z.object({
  format_version: z.literal(VERSION),
  inForce: z.optional(z.int()),
  pending: z.optional(z.object({ generation: z.int(), previous: z.int(), deadline: z.number() })),
  records: z.array(record),
});
const textsShape = z.object({ format_version: z.literal(VERSION), texts: z.record(z.string(), z.string()) });

/** The history on disk cannot be read. `code` is `HISTORY_DAMAGED`, or that of the system. */
export class HistoryError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'HistoryError';
    this.code = code;
  }
}

/**
 * Configurations that were in force, on disk: an index and the texts of each. Every change of the index is written whole and reaches the disk before it counts, so that a
 * process that is killed leaves the state before or after, and whatever starts next knows what to go back to.
 */
export class GenerationStore {
  readonly #directory: string;
  readonly #tell: (problem: string) => void;
  #index: GenerationIndex;

  private constructor(directory: string, index: GenerationIndex, tell: (problem: string) => void) {
    this.#directory = directory;
    this.#index = index;
    this.#tell = tell;
  }

  /** Throws HistoryError. `tell` gets what goes wrong without being in the way. */
  static open(stateDirectory: string, tell: (problem: string) => void = () => undefined): GenerationStore {
    const directory = join(stateDirectory, DIRECTORY);
    const path = join(directory, INDEX);
    const text = readText(path);
    if (text === undefined) return new GenerationStore(directory, { inForce: undefined, pending: undefined, records: [] }, tell);
    const parsed = indexShape.safeParse(parseJson(path, text));
    if (!parsed.success) throw damaged(path);
    const { inForce, pending, records } = parsed.data;
    return new GenerationStore(directory, { inForce, pending, records }, tell);
  }

  get index(): GenerationIndex {
    return this.#index;
  }

  /** The record of the generation in force. */
  get current(): GenerationRecord | undefined {
    return this.find(this.#index.inForce);
  }

  find(number: number | undefined): GenerationRecord | undefined {
    return this.#index.records.find((one) => one.number === number);
  }

  /** The generation that was in force before another one and was not taken back. */
  before(number: number): GenerationRecord | undefined {
    const digest = this.find(number)?.digest;
    return this.#index.records.filter((one) => one.number < number && !one.reverted && one.digest !== digest).at(-1);
  }

  /** Whether texts were in force last and taken back because nobody confirmed them. */
  wasReverted(digest: string): boolean {
    return this.#index.records.filter((one) => one.digest === digest).at(-1)?.reverted ?? false;
  }

  /** Throws HistoryError when they are not there any more. */
  texts(number: number): Texts {
    const path = this.#textsPath(number);
    const text = readText(path);
    if (text === undefined) throw new HistoryError('ENOENT', `the texts of generation ${number} are not kept any more`);
    const parsed = textsShape.safeParse(parseJson(path, text));
    if (!parsed.success) throw damaged(path);
    return new Map(Object.entries(parsed.data.texts));
  }

  /** A configuration has come into force. With a deadline it waits for confirmation. Throws what the file system throws: then nothing is different. */
  add(entry: Omit<GenerationRecord, 'number' | 'digest' | 'reverted'>, texts: Texts, deadline?: number): GenerationRecord {
    const number = (this.#index.records.at(-1)?.number ?? 0) + 1;
    const changes = entry.changes.slice(0, MAX_CHANGES);
    const added: GenerationRecord = { ...entry, changes, number, digest: digestTexts(texts), reverted: false };
    makeDirectory(this.#directory, 0o700);
    write(this.#textsPath(number), { format_version: VERSION, texts: Object.fromEntries(texts) });
    const previous = this.#index.inForce;
    const pending: Pending | undefined =
      deadline === undefined || previous === undefined ? undefined : { generation: number, previous, deadline };
    this.#save({ inForce: number, pending, records: [...this.#index.records, added] });
    try {
      this.#prune();
    } catch (error) {
      // What was added counts; the next addition tries again.
      this.#tell(`old generations cannot be removed: ${error instanceof Error ? error.message : String(error)}`);
    }
    return added;
  }

  /** Texts that are not to come into force by themselves: they are on disk, and something else is in force. */
  refuse(entry: Omit<GenerationRecord, 'number' | 'digest' | 'reverted' | 'changes'>, texts: Texts): void {
    const digest = digestTexts(texts);
    const known = this.#index.records.filter((one) => one.digest === digest).at(-1);
    const number = (this.#index.records.at(-1)?.number ?? 0) + 1;
    const records = known
      ? this.#index.records.map((one) => (one === known ? { ...one, reverted: true } : one))
      : [...this.#index.records, { ...entry, number, digest, changes: [], reverted: true }];
    this.#save({ ...this.#index, records });
  }

  /** Somebody said that the change that waits is good. */
  confirm(): void {
    this.#save({ ...this.#index, pending: undefined });
  }

  /** The change that waits is taken back: what was before it is in force. Returns that generation. */
  takeBack(): number | undefined {
    const { pending } = this.#index;
    if (!pending) return undefined;
    const records = this.#index.records.map((one) => (one.number === pending.generation ? { ...one, reverted: true } : one));
    this.#save({ inForce: pending.previous, pending: undefined, records });
    return pending.previous;
  }

  #textsPath(number: number): string {
    return join(this.#directory, `${number}.json`);
  }

  #save(index: GenerationIndex): void {
    write(join(this.#directory, INDEX), { format_version: VERSION, ...index });
    this.#index = index;
  }

  /** Forgets the oldest when there are too many, and files that no record names. */
  #prune(): void {
    const { records, inForce, pending } = this.#index;
    const needed = new Set([inForce, pending?.previous]);
    const sizes = new Map(records.map((one) => [one.number, readText(this.#textsPath(one.number))?.length ?? 0]));
    let count = records.length;
    let bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const kept = records.filter((one) => {
      if (needed.has(one.number) || (count <= MAX_GENERATIONS && bytes <= MAX_TOTAL_BYTES)) return true;
      count--;
      bytes -= sizes.get(one.number) ?? 0;
      return false;
    });
    if (kept.length < records.length) this.#save({ ...this.#index, records: kept });
    const names = new Set([INDEX, ...kept.map((one) => `${one.number}.json`)]);
    for (const name of readdirSync(this.#directory)) if (!names.has(name)) rmSync(join(this.#directory, name), { force: true });
  }
}

function write(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value)}\n`, { mode: 0o600, survives: 'machine' });
}

function readText(path: string): string | undefined {
  try {
    return readIfThere(path)?.toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    throw new HistoryError(code, `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged(path);
    throw error;
  }
}

function damaged(path: string): HistoryError {
  return new HistoryError('HISTORY_DAMAGED', `${path} is damaged`);
}
