import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory and what is missing above it; what is there stays as it is. Throws an Error with the path and the system's reason. (Node's own recursive mkdir never
 * returns where a directory refuses new entries with ENOENT, as those of /proc do.)
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    make(path, mode);
  } catch (error) {
    throw new Error(`the directory ${path} cannot be made: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function make(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    make(parent, mode);
    mkdirSync(path, mode);
  }
}
