import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory and what is missing above it. Throws the system's error where that cannot be. (Node's own recursive mkdir never returns where a directory refuses
 * new entries with ENOENT, as those of /proc do.)
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    makeDirectory(parent, mode);
    mkdirSync(path, mode);
  }
}
