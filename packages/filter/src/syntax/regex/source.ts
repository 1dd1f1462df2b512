import { RegexFailure } from './regex.ts';

/** Flags in force: (?i), (?m), (?s), (?R), (?x). */
export interface Flags {
  readonly caseless: boolean;
  readonly lines: boolean;
  readonly dotAll: boolean;
  readonly crlf: boolean;
  readonly verbose: boolean;
}

/** Groups and brackets inside each other. */
const MAX_NESTING = 128;
const IGNORED = /(?:[\t-\r \u0085\u200e\u200f\u2028\u2029]|#[^\n]*(?:\n|$))+/y;

/** A place in the text of a regular expression, with the flags in force there. */
export class Source {
  readonly text: string;
  at = 0;
  flags: Flags = { caseless: false, lines: false, dotAll: false, crlf: false, verbose: false };
  #nesting = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** The next character (not code unit); empty at the end. */
  get char(): string {
    const code = this.text.codePointAt(this.at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  sees(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  take(text: string): boolean {
    if (!this.sees(text)) return false;
    this.at += text.length;
    return true;
  }

  next(): string {
    const char = this.char;
    this.at += char.length;
    return char;
  }

  match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  /** White space and comments, where (?x) is in force. */
  skipIgnored(): void {
    if (this.flags.verbose) this.match(IGNORED);
  }

  /** Whether `text` comes after what is ignored, and one character before that. */
  seesAfter(text: string): boolean {
    const start = this.at;
    this.at++;
    this.skipIgnored();
    const seen = this.sees(text);
    this.at = start;
    return seen;
  }

  nested<T>(what: () => T): T {
    if (++this.#nesting > MAX_NESTING) this.fail(`groups and brackets nest at most ${MAX_NESTING} deep`);
    const result = what();
    this.#nesting--;
    return result;
  }

  fail(message: string, start: number = this.at, end: number = this.at): never {
    throw new RegexFailure(message, start, Math.max(end, start));
  }
}
