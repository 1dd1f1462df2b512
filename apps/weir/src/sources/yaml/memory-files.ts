import type { Files } from './files.ts';

/** Files in memory, for tests: path to text. */
export function memoryFiles(texts: { readonly [path: string]: string | Uint8Array }, mode = 0o100600): Files {
  return {
    read(path, max) {
      const text = texts[path];
      if (text === undefined) return { error: 'no such file' };
      const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
      return { bytes: bytes.subarray(0, max + 1), mode };
    },
    names: (directory) =>
      Object.keys(texts)
        .filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1))
        .sort(),
  };
}
