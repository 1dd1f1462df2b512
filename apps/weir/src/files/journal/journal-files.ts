import { closeSync, constants, fdatasync, fsync, ftruncate, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { syncDirectory } from '../sync-directory.ts';

const writeAt = promisify(write);

/** What a journal asks of the system. Each throws, or rejects with, the system's error. */
export interface JournalFiles {
  /** Opens a file to write to, and makes it where it is not there: its name is on disk then. */
  open(directory: string, path: string): number;
  /** Octets that were written, which may be fewer. */
  write(fd: number, bytes: Uint8Array, from: number, position: number): Promise<number>;
  truncate(fd: number, length: number): Promise<void>;
  /** What was written is on disk, and that the file has it. */
  syncData(fd: number): Promise<void>;
  syncWhole(fd: number): Promise<void>;
  close(fd: number): void;
}

export const systemFiles: JournalFiles = {
  open(directory, path) {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      syncDirectory(directory);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return fd;
  },
  write: async (fd, bytes, from, position) => (await writeAt(fd, bytes, from, bytes.length - from, position)).bytesWritten,
  truncate: promisify(ftruncate),
  syncData: promisify(fdatasync),
  syncWhole: promisify(fsync),
  close: closeSync,
};

export async function writeWholly(files: JournalFiles, fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += await files.write(fd, bytes, at, position + at);
}
