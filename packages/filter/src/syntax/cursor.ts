import type { Span, SyntaxProblem } from './tree.ts';

/** Thrown inside the parser alone; `parse` returns its problem. */
export class ParseFailure extends Error {
  readonly problem: SyntaxProblem;

  constructor(problem: SyntaxProblem) {
    super(problem.message);
    this.name = 'ParseFailure';
    this.problem = problem;
  }
}

/** White space inside an expression. A tab is none. */
const SPACE = /[ \r\n]*/y;

/** A place in the text of an expression. It counts the characters that it looks at, so that a test can tell linear from not. */
export class Cursor {
  readonly text: string;
  at: number;
  #steps = 0;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  /** Characters looked at so far. */
  get steps(): number {
    return this.#steps;
  }

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  sees(word: string): boolean {
    this.#steps += word.length;
    return this.text.startsWith(word, this.at);
  }

  take(word: string): boolean {
    if (!this.sees(word)) return false;
    this.at += word.length;
    return true;
  }

  /** What a sticky expression matches here, without taking it; empty for nothing. */
  look(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.#steps += found.length + 1;
    return found;
  }

  match(pattern: RegExp): string {
    const found = this.look(pattern);
    this.at += found.length;
    return found;
  }

  skipSpace(): void {
    this.match(SPACE);
  }

  /** Goes to the end of the next `word`, and gives what stands before it; undefined when there is none. */
  through(word: string): string | undefined {
    const found = this.text.indexOf(word, this.at);
    this.#steps += (found < 0 ? this.text.length : found + word.length) - this.at;
    if (found < 0) return undefined;
    const before = this.text.slice(this.at, found);
    this.at = found + word.length;
    return before;
  }

  from(start: number): string {
    return this.text.slice(start, this.at);
  }

  span(start: number): Span {
    return { start, end: this.at };
  }

  /** The span is from `start` to here unless it is given; it covers at least the character at `start`. */
  fail(message: string, start: number = this.at, end: number = this.at): never {
    throw new ParseFailure({ message, span: { start, end: Math.max(start, end) } });
  }
}
