import type { IrSpan } from './expr.ts';

/** What lowering finds. Codes are stable. */
export type WarningCode =
  /** A part (or the whole) can never be true. */
  | 'never-true'
  /** A part (or the whole) is true of everything. */
  | 'always-true'
  /** A literal lies outside of what the field can be. */
  | 'out-of-range'
  | 'empty-set'
  /** `ne` or `not` on a layer-4 field is true of every packet of another protocol. */
  | 'unguarded-negation';

export type ProblemCode = 'type' | 'unknown-field' | 'unknown-list' | 'hook' | 'needs-table' | 'pattern' | 'bounds' | 'too-costly';

export interface Finding<Code> {
  readonly code: Code;
  readonly message: string;
  readonly span: IrSpan;
}

/** The word among `words` that is most like `word`; undefined when none is near. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.ceil(word.length / 2)) + 1;
  for (const candidate of words) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const d = distance(word, candidate);
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
