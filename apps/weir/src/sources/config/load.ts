import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { Config } from '../../model/config.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { buildConfig } from './build.ts';
import { checkFile } from './check.ts';
import type { Code } from './codes.ts';
import { mergeTrees } from './merge.ts';
import { fileShape } from './schema.ts';
import type { Item } from './shape.ts';
import { type Place, SourceText, spanOf } from './source-text.ts';
import { type ConfigNode, parseTree, type Report } from './tree.ts';

/** Bounds of what is read: one file, all files together in bytes and by number, one password. */
export const MAX_FILE_BYTES: number = 1024 * 1024;
export const MAX_TOTAL_BYTES: number = 4 * MAX_FILE_BYTES;
export const MAX_INCLUDES = 256;
export const MAX_PASSWORD_BYTES = 80;
/** Diagnostics that are kept; a file with more says so in its last one. */
export const MAX_DIAGNOSTICS = 500;

/** The result of loading: `config` is there exactly when no diagnostic is an error. `sources` are the texts that spans point into, by file. */
export interface Loaded {
  readonly config: Config | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, SourceText>;
}

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

/** Loads a configuration and everything it includes. Never throws for what a file contains; every mistake is a diagnostic. */
export function loadConfig(file: string, files: Files = systemFiles): Loaded {
  return new Loader(file, files).load();
}

class Loader {
  readonly #file: string;
  readonly #files: Files;
  readonly #diagnostics: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  readonly #sources = new Map<string, SourceText>();
  #errors = 0;
  #bytes = 0;

  constructor(file: string, files: Files) {
    this.#file = file;
    this.#files = files;
  }

  load(): Loaded {
    const nowhere: Place = { source: new SourceText(this.#file, ''), start: 0, end: 0 };
    const main = this.#parse(this.#file, nowhere);
    let config: Config | undefined;
    if (main) {
      if (main.kind === 'scalar' && main.value === null)
        this.#report('E007', main.place, 'the file is empty: bgp is missing in the configuration');
      else {
        const shape = fileShape();
        const whole = this.#include(main);
        const table = shape.read(whole, { ...whole.place, end: whole.place.start }, this.#report);
        if (table) {
          checkFile(table.get, this.#report);
          config = buildConfig(this.#file, table.get, (item) => this.#password(item));
        }
      }
    }
    this.#diagnostics.sort(
      (a, b) =>
        Number(a.span.file !== this.#file) - Number(b.span.file !== this.#file) ||
        a.span.file.localeCompare(b.span.file) ||
        a.span.line - b.span.line ||
        a.span.column - b.span.column,
    );
    return { config: this.#errors > 0 ? undefined : config, diagnostics: this.#diagnostics, sources: this.#sources };
  }

  readonly #report: Report = (code: Code, place: Place, message: string, hint?: string): void => {
    const severity = code.startsWith('W') ? 'warning' : 'error';
    if (severity === 'error') this.#errors++;
    if (this.#diagnostics.length >= MAX_DIAGNOSTICS) return;
    const span = spanOf(place);
    const key = `${code} ${span.file}:${span.line}:${span.column} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#diagnostics.push({ severity, code, message, span, ...(hint === undefined ? {} : { hint }) });
  };

  /** Reads and parses one file; `from` is where it was named. */
  #parse(path: string, from: Place): ConfigNode | undefined {
    const read = this.#files.read(path, MAX_FILE_BYTES);
    if ('error' in read) {
      this.#report('E001', from, `cannot read ${path}: ${read.error}`);
      return undefined;
    }
    if (read.bytes.length > MAX_FILE_BYTES) {
      this.#report('E002', from, `${path} is larger than ${MAX_FILE_BYTES} bytes`);
      return undefined;
    }
    this.#bytes += read.bytes.length;
    if (this.#bytes > MAX_TOTAL_BYTES) {
      this.#report('E002', from, `with ${path} the configuration is larger than ${MAX_TOTAL_BYTES} bytes`);
      return undefined;
    }
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(read.bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#report('E003', from, `${path} is not UTF-8 text`);
      return undefined;
    }
    const source = new SourceText(path, text);
    this.#sources.set(path, source);
    return parseTree(source, this.#report);
  }

  /** The main tree with what it includes. */
  #include(main: ConfigNode): ConfigNode {
    const entry = main.kind === 'map' ? main.entries.find((e) => e.key === 'include') : undefined;
    if (!entry) return main;
    const named = entry.value.kind === 'list' ? entry.value.items : [entry.value];
    let whole = main;
    let count = 0;
    for (const item of named) {
      if (item.kind !== 'scalar' || typeof item.value !== 'string') continue;
      for (const path of this.#match(item.value, item.place)) {
        if (++count > MAX_INCLUDES) {
          this.#report('E002', item.place, `more than ${MAX_INCLUDES} files are included`);
          return whole;
        }
        if (this.#sources.has(path)) {
          this.#report('E020', item.place, `${path} is already part of the configuration`);
          continue;
        }
        const tree = this.#parse(path, item.place);
        if (tree) whole = mergeTrees(whole, tree, this.#report);
      }
    }
    return whole;
  }

  #match(pattern: string, place: Place): readonly string[] {
    const path = this.#relative(pattern);
    const last = path.slice(path.lastIndexOf('/') + 1);
    if (!last.includes('*')) return [path];
    const directory = dirname(path);
    if (directory.includes('*')) {
      this.#report('E018', place, 'a * may only stand in the last part of the name');
      return [];
    }
    return this.#files
      .names(directory)
      .filter((n) => !n.startsWith('.') && matches(last, n))
      .map((n) => join(directory, n));
  }

  #relative(path: string): string {
    const base = dirname(this.#file);
    return isAbsolute(path) ? path : base === '.' ? path : join(base, path);
  }

  #password(item: Item<string>): string | undefined {
    const path = this.#relative(item.value);
    const read = this.#files.read(path, 4096);
    if ('error' in read) {
      this.#report('E001', item.place, `cannot read ${path}: ${read.error}`);
      return undefined;
    }
    const text = new TextDecoder().decode(read.bytes);
    const password = text.split(/\r?\n/, 1)[0] ?? '';
    const bytes = Buffer.byteLength(password);
    if (bytes === 0 || bytes > MAX_PASSWORD_BYTES) {
      this.#report(
        'E029',
        item.place,
        `the first line of ${path} must have 1-${MAX_PASSWORD_BYTES} bytes, and has ${bytes > 4000 ? 'too many' : bytes}`,
      );
      return undefined;
    }
    if ((read.mode & 0o077) !== 0) {
      this.#report('W002', item.place, `${path} can be read by others than its owner`, `chmod 600 ${resolve(path)}`);
    }
    return password;
  }
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
