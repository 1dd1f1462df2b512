import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../read-if-there.ts';
import { type Damage, type JournalRecord, readRecords } from './record.ts';

export const SNAPSHOT = 'snapshot';
const JOURNAL = /^journal-(\d+)$/;

/** Octets that are no record of a file. */
export interface FileDamage extends Damage {
  readonly path: string;
  /** Where the file is kept as it was; undefined for a write that was cut off, of which nothing was acknowledged. */
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

/** Applies what a directory holds: the snapshot, then later changes. Nothing is changed but files that the snapshot stands for are removed, and damaged ones copied. */
export function readJournal(directory: string, apply: (payload: Uint8Array) => void): JournalContents {
  const damage: FileDamage[] = [];
  let changes = 0;
  let missing = 0;
  let octets = 0;
  let last: JournalFile | undefined;
  const take = (path: string, isLast: boolean): { readonly records: readonly JournalRecord[]; readonly length: number } => {
    const bytes = readIfThere(path) ?? Buffer.alloc(0);
    const found = readRecords(bytes);
    const [only] = found.damage;
    const cutOff = isLast && found.damage.length === 1 && only?.atEnd === true;
    const copy = `${path}.damaged`;
    if (found.damage.length > 0 && !cutOff) copyFileSync(path, copy);
    for (const one of found.damage) damage.push({ ...one, path, copy: cutOff ? undefined : copy });
    return { records: found.records, length: cutOff && only ? only.offset : bytes.length };
  };
  const snapshotPath = join(directory, SNAPSHOT);
  const snapshot = take(snapshotPath, false);
  const [head] = snapshot.records;
  // The first record of a snapshot is empty, and has the number of the first change that is not in it.
  const first = head?.payload.length === 0 ? head.number : 0;
  for (const { payload } of snapshot.records) {
    if (payload.length === 0) continue;
    apply(payload);
    changes++;
  }
  let next = Math.max(1, first);
  const files = journalFiles(directory);
  for (const [i, { path, first: number }] of files.entries()) {
    if (files[i + 1] && (files[i + 1]?.first ?? 0) <= first) {
      rmSync(path);
      continue;
    }
    const { records, length } = take(path, i === files.length - 1);
    if (records.length > 0) next = Math.max(next, number);
    for (const record of records) {
      if (record.number < first) continue;
      missing += Math.max(0, record.number - next);
      next = record.number + 1;
      apply(record.payload);
      changes++;
    }
    octets += length;
    last = { path, length };
  }
  return { report: { changes, damage, missing }, next, last, changes: octets, snapshot: snapshot.length };
}
