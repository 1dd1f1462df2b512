import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { Place } from './source-text.ts';
import type { Report } from './tree.ts';

/** The file system as loading needs it. */
export interface Files {
  /** Bytes of a file, or the reason why not. At most `max + 1` bytes are read. */
  read(path: string, max: number): { readonly bytes: Uint8Array; readonly mode: number } | { readonly error: string };
  /** Names in a directory; empty when it cannot be read. */
  names(directory: string): readonly string[];
}

export const systemFiles: Files = {
  read(path, max) {
    let fd = -1;
    try {
      fd = path === '-' ? 0 : openSync(path, 'r');
      const stat = fstatSync(fd);
      if (stat.isDirectory()) return { error: 'it is a directory' };
      const chunks: Uint8Array[] = [];
      let total = 0;
      while (total <= max) {
        const chunk = new Uint8Array(Math.min(65_536, max + 1 - total));
        const length = readSync(fd, chunk);
        if (length === 0) break;
        chunks.push(chunk.subarray(0, length));
        total += length;
      }
      return { bytes: Buffer.concat(chunks), mode: stat.mode };
    } catch (error) {
      return { error: reason(error) };
    } finally {
      if (fd > 0) closeSync(fd);
    }
  },
  names(directory) {
    try {
      return readdirSync(directory).sort();
    } catch (error) {
      if (error instanceof Error) return [];
      throw error;
    }
  },
};

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return error instanceof Error ? error.message : String(error);
}

/** `path` as it is meant in `file`: relative to that file's directory. */
export function relativeTo(file: string, path: string): string {
  const base = dirname(file);
  return isAbsolute(path) ? path : base === '.' ? path : join(base, path);
}

/** The files that `pattern`, written in `file`, stands for: itself, or with a `*` in its last part those that there are. */
export function matchFiles(files: Files, file: string, pattern: string, place: Place, report: Report): readonly string[] {
  const path = relativeTo(file, pattern);
  const last = path.slice(path.lastIndexOf('/') + 1);
  if (!last.includes('*')) return [path];
  const directory = dirname(path);
  if (directory.includes('*')) {
    report('E018', place, 'a * may only stand in the last part of the name');
    return [];
  }
  return files
    .names(directory)
    .filter((n) => !n.startsWith('.') && matches(last, n))
    .map((n) => join(directory, n));
}

/** Whether `name` is what `pattern` stands for; `*` is any run of characters. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
