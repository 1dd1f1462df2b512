import type { ByteSet } from './byte-set.ts';
import { type Assertion, type Regex, RegexFailure } from './regex.ts';

/** States that a regular expression may have after its repetitions are written out. */
const MAX_STATES = 10_000;
/** Pieces that are placed for that: an empty one makes no state. */
const MAX_PIECES = 40_000;

/** A state of the automaton. `next` and `other` are numbers of states. */
export type State =
  | { readonly kind: 'set'; readonly set: ByteSet; readonly next: number }
  | { readonly kind: 'assertion'; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: 'fork'; readonly next: number; other: number }
  | { readonly kind: 'match' };

export interface Program {
  readonly states: readonly State[];
  readonly start: number;
}

/**
 * Thompson's construction, from the end to the beginning: each piece is given the state that follows it, and gives the state that it begins with. RegexFailure when
 * there are more than MAX_STATES.
 */
export function compileProgram(regex: Regex): Program {
  const states: State[] = [{ kind: 'match' }];
  let pieces = 0;
  const add = (state: State): number => {
    if (states.length >= MAX_STATES) throw new RegexFailure(`is too large: it has more than ${MAX_STATES} states`, 0, 0);
    return states.push(state) - 1;
  };
  const place = (piece: Regex, next: number): number => {
    if (++pieces > MAX_PIECES) throw new RegexFailure(`is too large: it has more than ${MAX_PIECES} pieces`, 0, 0);
    switch (piece.kind) {
      case 'set':
        return add({ kind: 'set', set: piece.set, next });
      case 'assertion':
        return add({ kind: 'assertion', assertion: piece.assertion, next });
      case 'sequence':
        return piece.items.reduceRight((after, item) => place(item, after), next);
      case 'choice': {
        const [first = next, ...others] = piece.items.map((item) => place(item, next));
        return others.reduce((before, other) => add({ kind: 'fork', next: before, other }), first);
      }
      case 'repeat':
        return repeat(piece.of, piece.min, piece.max, next);
    }
  };
  const repeat = (piece: Regex, min: number, max: number | undefined, next: number): number => {
    let start = next;
    if (max === undefined) {
      const fork: State & { kind: 'fork' } = { kind: 'fork', next, other: next };
      start = add(fork);
      fork.other = place(piece, start);
    } else {
      // Each is there only if the one before it is: (a(a(a)?)?)?
      for (let i = min; i < max; i++) start = add({ kind: 'fork', next, other: place(piece, start) });
    }
    for (let i = 0; i < min; i++) start = place(piece, start);
    return start;
  };
  return { start: place(regex, 0), states };
}
