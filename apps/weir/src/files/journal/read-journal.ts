import { copyFileSync, linkSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../read-if-there.ts';
import { type Damage, readRecords } from './record.ts';

export const SNAPSHOT = 'snapshot';
const JOURNAL = /^journal-(\d+)$/;

/** Octets that are no record of a file. */
export interface FileDamage extends Damage {
  readonly path: string;
  /** It is what a write leaves that was cut off, of which nothing was acknowledged. */
  readonly cutOff: boolean;
  /** Where the file is kept as it was; undefined for a write that was cut off, and where it could not be kept. */
  readonly copy: string | undefined;
}

export interface JournalReport {
  /** Changes that were read, those of the snapshot included. */
  readonly changes: number;
  readonly damage: readonly FileDamage[];
  /** Numbers of changes that are nowhere. */
  readonly missing: number;
}

/** A file of changes that more can be written to. */
export interface JournalFile {
  readonly path: string;
  /** Octets of it that are whole records. */
  readonly length: number;
}

export interface JournalContents {
  readonly report: JournalReport;
  /** The number of the change to come. */
  readonly next: number;
  /** The newest file of changes, if there is one. */
  readonly last: JournalFile | undefined;
  /** Octets of changes, and of the snapshot. */
  readonly changes: number;
  readonly snapshot: number;
}

/** File of the changes from a number on. */
export function journalPath(directory: string, first: number): string {
  return join(directory, `journal-${first}`);
}

/** Files of changes with the number of their first, in order. */
export function journalFiles(directory: string): readonly { readonly path: string; readonly first: number }[] {
  return readdirSync(directory)
    .flatMap((name) => {
      const first = JOURNAL.exec(name)?.[1];
      return first === undefined ? [] : [{ path: join(directory, name), first: Number(first) }];
    })
    .sort((a, b) => a.first - b.first);
}

/**
 * Applies what a directory holds: the snapshot, then later changes. Nothing is changed but files that the snapshot stands for are removed, and damaged ones kept under another name. Throws
 * the system's error where a file cannot be read.
 */
export function readJournal(directory: string, apply: (payload: Uint8Array) => void): JournalContents {
  const damage: FileDamage[] = [];
  let changes = 0;
  let missing = 0;
  let octets = 0;
  let last: JournalFile | undefined;
  const tell = (path: string, found: readonly Damage[]): void => {
    const copy = keepAside(path);
    for (const one of found) damage.push({ ...one, path, cutOff: false, copy });
  };
  const snapshotPath = join(directory, SNAPSHOT);
  const snapshot = readIfThere(snapshotPath);
  const { records, damage: snapshotDamage } = readRecords(snapshot ?? Buffer.alloc(0));
  // Its first and last record are empty; the first has the number of the first change that is not in it.
  const head = records[0]?.payload.length === 0 ? records[0] : undefined;
  const isWhole = !snapshot || (head && records.length > 1 && records.at(-1)?.payload.length === 0);
  if (snapshot && (snapshotDamage.length > 0 || !isWhole))
    tell(snapshotPath, snapshotDamage.length > 0 ? snapshotDamage : [{ offset: snapshot.length, octets: 0, atEnd: true, torn: true }]);
  const first = head?.number ?? 0;
  for (const { payload } of records) {
    if (payload.length === 0) continue;
    apply(payload);
    changes++;
  }
  let next = Math.max(1, first);
  const files = journalFiles(directory);
  for (const [i, { path, first: number }] of files.entries()) {
    const end = files[i + 1]?.first ?? Number.POSITIVE_INFINITY;
    if (end <= first) {
      rmSync(path);
      continue;
    }
    const bytes = readIfThere(path) ?? Buffer.alloc(0);
    const found = readRecords(bytes);
    const [only] = found.damage;
    const cutOff = end === Number.POSITIVE_INFINITY && found.damage.length === 1 && only?.torn === true;
    if (cutOff) damage.push({ ...only, path, cutOff, copy: undefined });
    else if (found.damage.length > 0) tell(path, found.damage);
    if (number >= first) {
      missing += Math.max(0, number - next);
      next = Math.max(next, number);
    }
    for (const record of found.records) {
      // What an older file has from the first number of a newer one on was refused when it was written.
      if (record.number < first || record.number >= end) continue;
      missing += Math.max(0, record.number - next);
      next = record.number + 1;
      apply(record.payload);
      changes++;
    }
    octets += bytes.length;
    last = { path, length: cutOff ? only.offset : bytes.length };
  }
  return { report: { changes, damage, missing }, next, last, changes: octets, snapshot: snapshot?.length ?? 0 };
}

/** Keeps a file under another name beside it, which needs no room; undefined where that cannot be. */
function keepAside(path: string): string | undefined {
  const copy = `${path}.damaged`;
  try {
    rmSync(copy, { force: true });
    try {
      linkSync(path, copy);
    } catch (error) {
      // Some file systems have no second names.
      if (!(error instanceof Error)) throw error;
      copyFileSync(path, copy);
    }
    return copy;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return undefined;
  }
}
