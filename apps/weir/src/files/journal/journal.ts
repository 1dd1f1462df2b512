import { closeSync, constants, fdatasync, fsync, ftruncate, openSync, renameSync, rmSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeDirectory } from '../make-directory.ts';
import { syncDirectory } from '../sync-directory.ts';
import { type JournalReport, journalFiles, journalPath, readJournal, SNAPSHOT } from './read-journal.ts';
import { encodeRecord, LONGEST_PAYLOAD } from './record.ts';

const writeAt = promisify(write);
const syncData = promisify(fdatasync);
const syncWhole = promisify(fsync);
const truncate = promisify(ftruncate);

/** Octets of a snapshot that are gathered before other work has its turn. */
const STEP = 1 << 18;
const COMPACT_AFTER = 4 << 20;

export interface JournalOptions {
  readonly directory: string;
  /** Makes one change, of before or of now, in the order in which they were appended. Changes say how things are, not what is added to them: one may come twice. Must not throw. */
  readonly apply: (payload: Uint8Array) => void;
  /** Everything as changes to nothing, none of them empty. What changes while it is read may be in it or not. */
  readonly snapshot: () => Iterable<Uint8Array>;
  /** Octets of changes after which they become a snapshot, beyond the size of the last one; 4 MiB. */
  readonly compactAfter?: number;
  /** A snapshot could not be written: changes stay where they are, and it is tried again after the next. */
  readonly onError: (error: Error) => void;
}

interface Waiting {
  readonly payload: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Changes that are on disk before they are made: an append-only file of records with checksums, and from time to time a snapshot in the place of all. What was acknowledged survives the
 * end of the process and of the machine at any moment; what was being written then is there whole or not at all. The directory holds `snapshot`, which begins with the number of the
 * first change that is not in it, and `journal-N`, whose first change has the number N. At most four times what the snapshot takes is on disk, and 4 MiB.
 */
export class Journal {
  readonly #options: JournalOptions;
  /** What was found when it was opened. */
  readonly report: JournalReport;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  #fd: number;
  /** Octets of the present file that are acknowledged. */
  #length: number;
  /** There may be more in it. */
  #mustCut: boolean;
  /** The number of the change to come. */
  #next: number;
  /** Octets of changes that the snapshot does not have. */
  #changes: number;
  #snapshot: number;
  #mustCompact: boolean;
  #closed = false;

  /** Reads what there is, and makes those changes. Throws the system's error where a file or the directory cannot be read or made. */
  constructor(options: JournalOptions) {
    this.#options = options;
    makeDirectory(options.directory, 0o700);
    const { report, next, last, changes, snapshot } = readJournal(options.directory, options.apply);
    this.report = report;
    this.#next = next;
    this.#changes = changes;
    this.#snapshot = snapshot;
    const damaged = report.damage.some(({ copy }) => copy !== undefined);
    const goesOn = last !== undefined && !damaged;
    this.#fd = openFile(options.directory, goesOn ? last.path : journalPath(options.directory, next));
    this.#length = goesOn ? last.length : 0;
    this.#mustCut = true;
    this.#mustCompact = damaged;
  }

  /** Resolves when the change is on disk and made; rejects with the system's error when it cannot be written: then it is not made, now or after a start. */
  append(payload: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the journal is closed'));
    if (payload.length === 0 || payload.length > LONGEST_PAYLOAD)
      return Promise.reject(new RangeError(`a change of ${payload.length} octets: 1 to ${LONGEST_PAYLOAD}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Resolves when what was appended is written, and a snapshot that was begun. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#compacting;
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  /** What waits is written together, and what comes meanwhile after it. */
  async #writeAll(): Promise<void> {
    // Changes of one turn of the event loop are one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch.map(({ payload }, i) => encodeRecord({ number: this.#next + i, payload })));
      } catch (error) {
        for (const { reject } of batch) reject(asError(error));
        continue;
      }
      this.#next += batch.length;
      for (const { payload, resolve } of batch) {
        this.#options.apply(payload);
        resolve();
      }
      if (this.#mustCompact || this.#changes > (this.#options.compactAfter ?? COMPACT_AFTER) + this.#snapshot) this.#compact();
    }
    // In the same turn as the last look: what is appended from here on starts anew.
    this.#writing = undefined;
  }

  async #write(records: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(records);
    // What a failed write left must never be read as a change that was made.
    if (this.#mustCut) await truncate(this.#fd, this.#length);
    this.#mustCut = true;
    await writeWholly(this.#fd, bytes, this.#length);
    await syncData(this.#fd);
    this.#mustCut = false;
    this.#length += bytes.length;
    this.#changes += bytes.length;
  }

  /** Between two writes: from here on changes go to another file. */
  #compact(): void {
    if (this.#compacting) return;
    const failed = (error: unknown): void => {
      this.#mustCompact = true;
      this.#options.onError(asError(error));
    };
    try {
      const fd = openFile(this.#options.directory, journalPath(this.#options.directory, this.#next));
      closeSync(this.#fd);
      this.#fd = fd;
      this.#length = 0;
      this.#changes = 0;
    } catch (error) {
      failed(error);
      return;
    }
    this.#compacting = this.#writeSnapshot(this.#next)
      .catch(failed)
      .finally(() => {
        this.#compacting = undefined;
      });
  }

  async #writeSnapshot(first: number): Promise<void> {
    const { directory, snapshot } = this.#options;
    const path = join(directory, `${SNAPSHOT}.new`);
    const fd = openSync(path, 'w', 0o600);
    let size = 0;
    try {
      let number = first;
      let gathered = [encodeRecord({ number, payload: new Uint8Array(0) })];
      let octets = 0;
      const flush = async (): Promise<void> => {
        const bytes = Buffer.concat(gathered);
        await writeWholly(fd, bytes, size);
        size += bytes.length;
        gathered = [];
        octets = 0;
      };
      for (const payload of snapshot()) {
        const record = encodeRecord({ number: ++number, payload });
        gathered.push(record);
        octets += record.length;
        if (octets >= STEP) await flush();
      }
      await flush();
      await syncWhole(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(path, join(directory, SNAPSHOT));
    syncDirectory(directory);
    this.#snapshot = size;
    this.#mustCompact = false;
    for (const { path: old, first: number } of journalFiles(directory)) if (number < first) rmSync(old);
  }
}

function openFile(directory: string, path: string): number {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  syncDirectory(directory);
  return fd;
}

async function writeWholly(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await writeAt(fd, bytes, at, bytes.length - at, position + at)).bytesWritten;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
