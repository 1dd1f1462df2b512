import type { SourceSpan } from '../../model/provenance.ts';

/** A stretch of a source text: UTF-16 offsets, `end` is one past the last. */
export interface Place {
  readonly source: SourceText;
  readonly start: number;
  readonly end: number;
}

/** A file's text with its line starts; offsets become lines and columns (from 1, columns in code points) only when asked. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  #starts(): readonly number[] {
    if (this.#lineStarts) return this.#lineStarts;
    const starts = [0];
    for (let at = this.text.indexOf('\n'); at >= 0; at = this.text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
    return starts;
  }

  /** The index of the line that `offset` lies in, from 0. */
  #lineIndex(offset: number): number {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The text of a line (from 1) without its line break; empty past the end. */
  line(number: number): string {
    const starts = this.#starts();
    const start = starts[number - 1];
    if (start === undefined) return '';
    const end = (starts[number] ?? this.text.length + 1) - 1;
    const line = this.text.slice(start, end);
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  }

  /** The place as line, column and length in code points; a place of several lines is cut at the end of its first, an empty one has length 1. */
  span(start: number, end: number): SourceSpan {
    const index = this.#lineIndex(Math.min(start, this.text.length));
    const lineStart = this.#starts()[index] ?? 0;
    const line = this.line(index + 1);
    const from = Math.min(start - lineStart, line.length);
    const to = Math.max(from, Math.min(end - lineStart, line.trimEnd().length));
    return {
      file: this.file,
      line: index + 1,
      column: codePoints(line.slice(0, from)) + 1,
      length: Math.max(1, codePoints(line.slice(from, to))),
    };
  }
}

export function spanOf(place: Place): SourceSpan {
  return place.source.span(place.start, place.end);
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
