import { dirname } from 'node:path';
import { DirectoryLock } from '@weir/sys';
import { makeDirectory } from '../make-directory.ts';
import { syncDirectory } from '../sync-directory.ts';
import { type JournalFiles, systemFiles, writeWholly } from './journal-files.ts';
import { type JournalReport, journalPath, readJournal } from './read-journal.ts';
import { encodeRecord, LONGEST_PAYLOAD } from './record.ts';
import { writeSnapshot } from './write-snapshot.ts';

const COMPACT_AFTER = 4 << 20;
/** Milliseconds until a snapshot that failed is tried again. */
const PATIENCE_MS = 60_000;

export interface JournalOptions {
  readonly directory: string;
  /** Makes one change of before, in the order in which they were appended. Changes say how things are, not what is added to them: one may come twice. Must not throw. */
  readonly apply: (payload: Uint8Array) => void;
  /** Everything as changes to nothing, none of them empty. What changes while it is read may be in it or not. */
  readonly snapshot: () => Iterable<Uint8Array>;
  /** Octets of changes after which they become a snapshot, beyond the size of the last one; 4 MiB. */
  readonly compactAfter?: number;
  /** A snapshot could not be written: changes stay where they are, and it is tried again later. */
  readonly onError: (error: Error) => void;
  /** The system's own when absent. */
  readonly files?: JournalFiles;
}

/** The journal of a directory is another process's. */
export class JournalInUseError extends Error {
  readonly code = 'JOURNAL_IN_USE';
  readonly holder: number | undefined;

  constructor(directory: string, holder: number | undefined) {
    super(`${directory} is in use by ${holder === undefined ? 'another process' : `process ${holder}`}: two must not write to it`);
    this.name = 'JournalInUseError';
    this.holder = holder;
  }
}

/** How a journal is now. */
export interface JournalStatus {
  /** Octets on disk: of changes, and of the snapshot. */
  readonly changes: number;
  readonly snapshot: number;
  /** Why changes cannot be written, or become no snapshot, since when; absent when all is well. */
  readonly problem: { readonly since: number; readonly message: string } | undefined;
}

interface Waiting {
  readonly payload: Uint8Array;
  readonly make: () => void | Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Changes that are on disk before they are made: an append-only file of records with checksums, and from time to time a snapshot in the place of all. What was acknowledged survives the
 * end of the process and of the machine at any moment; what was being written then is there whole or not at all. The directory holds `snapshot`, which begins with the number of the
 * first change that is not in it, and `journal-N`, whose first change has the number N: an older file has none from there on. At most four times what the snapshot takes is on disk, and 4
 * MiB. One process at a time has it.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #files: JournalFiles;
  readonly #lock: DirectoryLock;
  /** What was found when it was opened. */
  readonly report: JournalReport;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  /** The present file; undefined where the next change has to go to another one. */
  #fd: number | undefined;
  /** The file of before the start that changes are added to, until it is opened. */
  #last: string | undefined;
  /** Octets of the present file that are acknowledged. */
  #length: number;
  /** There may be more in it. */
  #mustCut = true;
  /** The number of the change to come. */
  #next: number;
  /** Octets of changes that the snapshot does not have. */
  #changes: number;
  #snapshot: number;
  #mustCompact: boolean;
  /** Not before: milliseconds of a clock that only goes forward. */
  #compactFrom = 0;
  #writeProblem: JournalStatus['problem'];
  #snapshotProblem: JournalStatus['problem'];
  #closed = false;

  /** Reads what there is, and makes those changes. Throws JournalInUseError, or the system's error where the directory or a file cannot be read. That it cannot be written to is a problem of the first change. */
  constructor(options: JournalOptions) {
    const { directory } = options;
    this.#options = options;
    this.#files = options.files ?? systemFiles;
    makeDirectory(directory, 0o700);
    const lock = DirectoryLock.take(directory);
    if (!lock) throw new JournalInUseError(directory, DirectoryLock.holder(directory));
    this.#lock = lock;
    try {
      const { report, next, last, changes, snapshot } = readJournal(directory, options.apply);
      this.report = report;
      this.#next = next;
      this.#changes = changes;
      this.#snapshot = snapshot;
      const damaged = report.damage.some(({ cutOff }) => !cutOff);
      this.#last = damaged ? undefined : last?.path;
      this.#length = damaged ? 0 : (last?.length ?? 0);
      this.#mustCompact = damaged;
    } catch (error) {
      lock.close();
      throw error;
    }
    try {
      this.#file();
      syncDirectory(dirname(directory));
    } catch (error) {
      this.#cannotWrite(error);
    }
  }

  get status(): JournalStatus {
    return { changes: this.#changes, snapshot: this.#snapshot, problem: this.#writeProblem ?? this.#snapshotProblem };
  }

  /** Resolves when the change is on disk and made, by `make`, which must not throw; rejects with the system's error when it cannot be written: then it is not made, now or after a start. */
  append(payload: Uint8Array, make: () => void | Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the journal is closed'));
    if (payload.length === 0 || payload.length > LONGEST_PAYLOAD)
      return Promise.reject(new RangeError(`a change of ${payload.length} octets: 1 to ${LONGEST_PAYLOAD}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload, make, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Resolves when what was appended is written, and a snapshot that was begun. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#compacting;
    if (this.#fd !== undefined) this.#files.close(this.#fd);
    this.#fd = undefined;
    this.#lock.close();
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
        this.#writeProblem = undefined;
      } catch (error) {
        const cause = this.#cannotWrite(error);
        for (const { reject } of batch) reject(cause);
        continue;
      }
      this.#next += batch.length;
      for (const { make, resolve } of batch) {
        await make();
        resolve();
      }
      // Only between changes: what is made by then is all that the files before have.
      if (this.#isLong()) this.#compact();
    }
    this.#writing = undefined;
  }

  #cannotWrite(error: unknown): Error {
    const cause = asError(error);
    this.#writeProblem = { since: this.#writeProblem?.since ?? Date.now(), message: `changes cannot be written: ${cause.message}` };
    return cause;
  }

  #isLong(): boolean {
    if (this.#compacting || performance.now() < this.#compactFrom) return false;
    return this.#mustCompact || this.#changes > (this.#options.compactAfter ?? COMPACT_AFTER) + this.#snapshot;
  }

  /** The file for the changes to come. */
  #file(): number {
    if (this.#fd !== undefined) return this.#fd;
    const { directory } = this.#options;
    this.#fd = this.#files.open(directory, this.#last ?? journalPath(directory, this.#next));
    if (this.#last === undefined) this.#length = 0;
    this.#last = undefined;
    this.#mustCut = true;
    return this.#fd;
  }

  async #write(records: readonly Uint8Array[]): Promise<void> {
    const bytes = records.length === 1 && records[0] ? records[0] : Buffer.concat(records);
    const fd = this.#file();
    // What a failed write left must never be read as a change that was made.
    if (this.#mustCut) await this.#files.truncate(fd, this.#length);
    this.#mustCut = true;
    let written = false;
    try {
      await writeWholly(this.#files, fd, bytes, this.#length);
      written = true;
      await this.#files.syncData(fd);
    } catch (error) {
      await this.#cut(fd, written);
      throw error;
    }
    this.#mustCut = false;
    this.#length += bytes.length;
    this.#changes += bytes.length;
  }

  /**
   * Takes back what a failed write left. After a failed fsync nobody knows which octets of the file the disk has, and a later fsync would not say: no more is written to that file. Its
   * last acknowledged octet is on disk since the fsync before.
   */
  async #cut(fd: number, syncFailed: boolean): Promise<void> {
    try {
      await this.#files.truncate(fd, this.#length);
      await this.#files.syncData(fd);
      this.#mustCut = false;
    } catch (error) {
      this.#cannotWrite(error);
      syncFailed = true;
    }
    if (!syncFailed) return;
    this.#files.close(fd);
    this.#fd = undefined;
  }

  /** Between two changes: from here on they go to another file. */
  #compact(): void {
    const { directory, snapshot, onError } = this.#options;
    const failed = (error: unknown): void => {
      const cause = asError(error);
      this.#mustCompact = true;
      this.#compactFrom = performance.now() + PATIENCE_MS;
      this.#snapshotProblem = {
        since: this.#snapshotProblem?.since ?? Date.now(),
        message: `no snapshot can be written: ${cause.message}`,
      };
      onError(cause);
    };
    const before = this.#fd;
    try {
      this.#fd = undefined;
      this.#file();
    } catch (error) {
      this.#fd = before;
      failed(error);
      return;
    }
    if (before !== undefined) this.#files.close(before);
    this.#changes = 0;
    this.#compacting = writeSnapshot(this.#files, directory, this.#next, snapshot())
      .then((size) => {
        this.#snapshot = size;
        this.#mustCompact = false;
        this.#snapshotProblem = undefined;
      }, failed)
      .finally(() => {
        this.#compacting = undefined;
      });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
