import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../sync-directory.ts';
import { type JournalFiles, writeWholly } from './journal-files.ts';
import { journalFiles, SNAPSHOT } from './read-journal.ts';
import { encodeRecord } from './record.ts';

/** Octets that are gathered before other work has its turn. */
const STEP = 1 << 18;
const NOTHING = new Uint8Array(0);

/**
 * Puts a snapshot in the place of all changes before the number `first`, and removes their files; its length in octets. It begins and ends with an empty record, so that one that was
 * cut off is known as such. Rejects with the system's error: then what was there stays.
 */
export async function writeSnapshot(
  files: JournalFiles,
  directory: string,
  first: number,
  payloads: Iterable<Uint8Array>,
): Promise<number> {
  const path = join(directory, `${SNAPSHOT}.new`);
  let size = 0;
  try {
    rmSync(path, { force: true });
    const fd = files.open(directory, path);
    try {
      let number = first;
      let gathered = [encodeRecord({ number, payload: NOTHING })];
      let octets = 0;
      const flush = async (): Promise<void> => {
        const bytes = Buffer.concat(gathered);
        await writeWholly(files, fd, bytes, size);
        size += bytes.length;
        gathered = [];
        octets = 0;
      };
      for (const payload of payloads) {
        const record = encodeRecord({ number: ++number, payload });
        gathered.push(record);
        octets += record.length;
        if (octets >= STEP) await flush();
      }
      gathered.push(encodeRecord({ number: ++number, payload: NOTHING }));
      await flush();
      await files.syncWhole(fd);
    } finally {
      files.close(fd);
    }
    renameSync(path, join(directory, SNAPSHOT));
  } catch (error) {
    // What is half written would only take the room that is missing.
    rmSync(path, { force: true });
    throw error;
  }
  syncDirectory(directory);
  for (const { path: old, first: number } of journalFiles(directory)) if (number < first) rmSync(old, { force: true });
  return size;
}
