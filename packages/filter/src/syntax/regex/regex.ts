import type { ByteSet } from './byte-set.ts';

/** What holds between two octets. `crlf` knows CR, LF and CR LF as ends of lines. */
export type Assertion =
  | 'text-start'
  | 'text-end'
  | 'line-start'
  | 'line-end'
  | 'line-start-crlf'
  | 'line-end-crlf'
  | 'word'
  | 'not-word'
  | 'word-start'
  | 'word-end'
  | 'word-start-half'
  | 'word-end-half';

/** A regular expression over octets. Greedy or lazy does not matter to whether it matches, so neither is kept. */
export type Regex =
  | { readonly kind: 'set'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly Regex[] }
  /** `max` undefined is any number. */
  | { readonly kind: 'repeat'; readonly of: Regex; readonly min: number; readonly max: number | undefined };

/** Why a text is no regular expression; the span is in the text, UTF-16 offsets. */
export interface RegexProblem {
  readonly message: string;
  readonly span: { readonly start: number; readonly end: number };
}

export class RegexFailure extends Error {
  readonly problem: RegexProblem;

  constructor(message: string, start: number, end: number) {
    super(message);
    this.name = 'RegexFailure';
    this.problem = { message, span: { start, end } };
  }
}
