import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Returns when the names in a directory are on disk: a rename or a removal is so only then. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
