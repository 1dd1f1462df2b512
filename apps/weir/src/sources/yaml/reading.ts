import type { Diagnostic } from '../../model/diagnostic.ts';
import type { TreeBounds } from './bounds.ts';
import type { Code } from './codes.ts';
import type { Files } from './files.ts';
import { type Place, SourceText, spanOf } from './source-text.ts';
import { type ConfigNode, parseTree, type Report } from './tree.ts';

/** Diagnostics that are kept; a file with more says so in its last one. */
export const MAX_DIAGNOSTICS = 500;

/** What may be read at all: one file and all of them in bytes, and what a file may be made of. */
export interface ReadingBounds {
  readonly fileBytes: number;
  readonly totalBytes: number;
  readonly tree: TreeBounds;
}

/** Files being read: their texts, and every mistake found in them, each once. */
export class Reading {
  readonly #files: Files;
  readonly #bounds: ReadingBounds;
  /** What the files are together, in messages: `the configuration`. */
  readonly #whole: string;
  readonly #diagnostics: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  readonly #sources = new Map<string, SourceText>();
  #errors = 0;
  #bytes = 0;

  constructor(files: Files, bounds: ReadingBounds, whole: string) {
    this.#files = files;
    this.#bounds = bounds;
    this.#whole = whole;
  }

  get errors(): number {
    return this.#errors;
  }

  /** The texts that spans point into, by file. */
  get sources(): ReadonlyMap<string, SourceText> {
    return this.#sources;
  }

  readonly report: Report = (code: Code, place: Place, message: string, hint?: string): void => {
    const severity = code.startsWith('W') ? 'warning' : 'error';
    if (severity === 'error') this.#errors++;
    if (this.#diagnostics.length >= MAX_DIAGNOSTICS) return;
    const span = spanOf(place);
    const key = `${code} ${span.file}:${span.line}:${span.column} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#diagnostics.push({ severity, code, message, span, ...(hint === undefined ? {} : { hint }) });
  };

  /** Takes over what was found and read elsewhere. */
  add(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, SourceText>): void {
    for (const d of diagnostics) {
      if (d.severity === 'error') this.#errors++;
      if (this.#diagnostics.length < MAX_DIAGNOSTICS) this.#diagnostics.push(d);
    }
    for (const [file, source] of sources) this.#sources.set(file, source);
  }

  /** Reads and parses one file; `from` is where it was named. */
  parse(path: string, from: Place): ConfigNode | undefined {
    const { fileBytes, totalBytes, tree } = this.#bounds;
    const read = this.#files.read(path, fileBytes);
    if ('error' in read) {
      this.report('E001', from, `cannot read ${path}: ${read.error}`);
      return undefined;
    }
    if (read.bytes.length > fileBytes) {
      this.report('E002', from, `${path} is larger than ${fileBytes} bytes`);
      return undefined;
    }
    this.#bytes += read.bytes.length;
    if (this.#bytes > totalBytes) {
      this.report('E002', from, `with ${path} ${this.#whole} is larger than ${totalBytes} bytes`);
      return undefined;
    }
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(read.bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.report('E003', from, `${path} is not UTF-8 text`);
      return undefined;
    }
    const source = new SourceText(path, text);
    this.#sources.set(path, source);
    return parseTree(source, this.report, tree);
  }

  /** Every diagnostic in order: those of `main` first, then by file, line and column. */
  diagnostics(main: string): readonly Diagnostic[] {
    return this.#diagnostics.sort(
      (a, b) =>
        Number(a.span.file !== main) - Number(b.span.file !== main) ||
        a.span.file.localeCompare(b.span.file) ||
        a.span.line - b.span.line ||
        a.span.column - b.span.column,
    );
  }
}
