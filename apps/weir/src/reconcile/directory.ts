import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory of the state, readable by its owner only; one that is there stays as it is. What is above it must be there: Node's recursive mkdir may never return
 * where a directory refuses entries, as those of /proc do. Throws an Error with the path and the system's reason.
 */
export function makeStateDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const reason = code === 'ENOENT' ? `${dirname(path)} is not there` : message;
    throw new Error(`the directory ${path} cannot be made: ${reason}`, { cause: error });
  }
}
