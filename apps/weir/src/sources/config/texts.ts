import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { type Files, systemFiles } from '../yaml/files.ts';

/** Texts of a configuration by file name: the main file and all that it includes. Secrets are in files of their own and not among them. */
export type Texts = ReadonlyMap<string, string>;

/** SHA-256 over names and texts, hexadecimal. */
export function digestTexts(texts: Texts): string {
  const hash = createHash('sha256');
  for (const name of [...texts.keys()].sort()) {
    const text = texts.get(name) ?? '';
    hash.update(`${Buffer.byteLength(name)} ${name}\n${Buffer.byteLength(text)}\n${text}\n`);
  }
  return hash.digest('hex');
}

/** Files as texts say. What is not among them is a secret (a password file) or a table of addresses, and is read as it is now. */
export function textFiles(texts: Texts, system: Files = systemFiles): Files {
  return {
    read(path, max) {
      const text = texts.get(path);
      if (text === undefined) return system.read(path, max);
      return { bytes: new TextEncoder().encode(text).subarray(0, max + 1), mode: 0o600 };
    },
    names: (directory) =>
      [...texts.keys()]
        .filter((path) => dirname(path) === directory)
        .map((path) => path.slice(path.lastIndexOf('/') + 1))
        .sort(),
  };
}
