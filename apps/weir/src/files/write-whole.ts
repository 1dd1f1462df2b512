import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './sync-directory.ts';

export interface WriteOptions {
  /** Of a file that is new. */
  readonly mode: 0o600 | 0o644;
  /** `machine`: it is on disk when this returns, which takes milliseconds to seconds. `process`: a loss of power may lose it or leave it empty. */
  readonly survives: 'process' | 'machine';
}

/** Writes a file whole or not at all: whoever reads it finds the old text or the new one. Throws the system's error; then the old one is there. */
export function writeWhole(path: string, data: string | Uint8Array, { mode, survives }: WriteOptions): void {
  const fresh = `${path}.new`;
  try {
    const fd = openSync(fresh, 'w', mode);
    try {
      writeFileSync(fd, data);
      if (survives === 'machine') fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  if (survives === 'machine') syncDirectory(dirname(path));
}
