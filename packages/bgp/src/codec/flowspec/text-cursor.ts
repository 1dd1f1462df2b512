/** What is wrong with the text of a rule, and where: `length` characters from `offset` on. */
export interface FlowProblem {
  readonly offset: number;
  readonly length: number;
  readonly message: string;
}

/** Ends parsing; caught where it began. */
export class FlowTextError extends Error {
  readonly problem: FlowProblem;

  constructor(problem: FlowProblem) {
    super(problem.message);
    this.name = 'FlowTextError';
    this.problem = problem;
  }
}

const SPACE = /\s*/y;
const NUMBER = /0x[0-9a-f]{1,16}(?![0-9a-z_])|\d{1,20}(?![0-9a-z_])/iy;
const WORD = /[a-z_][a-z0-9_]*/iy;
const RAW = /[^\s;{}]+/y;
/** What is shown as the thing that was not expected. */
const ANYTHING = /[a-z0-9_.:/]+|&&|\|\||\.\.|[<>!]=|[^\s]/iuy;

/** A place in the text of a rule. White space is passed over before everything that is read. */
export class TextCursor {
  readonly text: string;
  #at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Where the next thing begins. */
  get offset(): number {
    this.#match(SPACE);
    return this.#at;
  }

  get done(): boolean {
    return this.offset >= this.text.length;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #next(pattern: RegExp): string | undefined {
    this.#match(SPACE);
    return this.#match(pattern);
  }

  /** The first of `symbols` that is next, read; undefined, with nothing read, when none is. Longer ones come before those that they begin with. */
  take<S extends string>(...symbols: readonly S[]): S | undefined {
    const at = this.offset;
    for (const symbol of symbols) {
      if (!this.text.startsWith(symbol, at)) continue;
      this.#at = at + symbol.length;
      return symbol;
    }
    return undefined;
  }

  expect(symbol: string): void {
    if (this.take(symbol) === undefined) this.unexpected(`"${symbol}"`);
  }

  word(): string | undefined {
    return this.#next(WORD);
  }

  /** Characters up to white space, a semicolon or a brace. */
  raw(): string | undefined {
    return this.#next(RAW);
  }

  /** A number, decimal or 0x; undefined when none is next. Fails when it is over `most`. */
  number(what: string, most: number): number | undefined {
    const at = this.offset;
    const digits = this.#next(NUMBER);
    if (digits === undefined) return undefined;
    const value = Number(digits);
    if (value > most) this.fail(at, this.#at - at, `${what} is 0-${most}`);
    return value;
  }

  /** Fails at what was read from `from` on. */
  failSince(from: number, message: string): never {
    return this.fail(from, Math.max(1, this.#at - from), message);
  }

  fail(offset: number, length: number, message: string): never {
    throw new FlowTextError({ offset, length, message });
  }

  /** Fails at what is next. */
  unexpected(wanted: string): never {
    const at = this.offset;
    const found = this.#match(ANYTHING);
    return this.fail(
      at,
      found?.length ?? 1,
      found === undefined ? `expected ${wanted}, but the text ends` : `expected ${wanted}, not "${found}"`,
    );
  }
}
