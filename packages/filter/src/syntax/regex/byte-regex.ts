import { WORD } from './byte-set.ts';
import type { Program, State } from './program.ts';
import type { Assertion } from './regex.ts';

/** Whether a regular expression matches somewhere in the octets. */
export interface ByteRegex {
  test(octets: Uint8Array): boolean;
}

/** What stands on one side of a place. */
const EDGE = 0;
const LF = 1;
const CR = 2;
const IS_WORD = 3;
const OTHER = 4;

const UNKNOWN = -1;
const MATCHED = -2;

/** The cache is emptied when it holds so many numbers; 8 MiB with all that is around them. */
const MAX_CACHED = 400_000;

/** A state of the deterministic automaton: where the program can be after an octet of kind `before`. */
interface Place {
  readonly heads: readonly number[];
  readonly before: number;
  /** By class of the next octet, the last for the end: the index of a place, MATCHED or UNKNOWN. */
  readonly next: Int32Array;
}

/**
 * Simulates the program with all its states at once, and keeps what it has found out (a lazily made deterministic automaton). So the time for an octet is
 * constant where the place is known, and at most that of all states where not: a pattern cannot make it more.
 */
export function byteRegex({ states, start }: Program): ByteRegex {
  const { classOf, members } = byteClasses(states);
  const end = members.length;
  const marks = new Int32Array(states.length);
  let mark = 0;
  let places: Place[] = [];
  let byKey = new Map<string, number>();
  let cached = 0;

  const placeFor = (heads: readonly number[], before: number): number => {
    const key = `${before}:${heads.join()}`;
    const known = byKey.get(key);
    if (known !== undefined) return known;
    if (cached > MAX_CACHED) {
      places = [];
      byKey = new Map();
      cached = 0;
    }
    cached += heads.length * 4 + end + 16;
    places.push({ heads, before, next: new Int32Array(end + 1).fill(UNKNOWN) });
    byKey.set(key, places.length - 1);
    return places.length - 1;
  };

  /** Follows what takes no octet; `undefined` when the program has matched. */
  const close = (place: Place, after: number): (State & { kind: 'set' })[] | undefined => {
    mark++;
    const sets: (State & { kind: 'set' })[] = [];
    // The search may begin at every place.
    const stack = [start, ...place.heads];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (marks[at] === mark) continue;
      marks[at] = mark;
      const state = states[at];
      if (state?.kind === 'match') return undefined;
      if (state?.kind === 'set') sets.push(state);
      else if (state?.kind === 'fork') stack.push(state.next, state.other);
      else if (state && holds(state.assertion, place.before, after)) stack.push(state.next);
    }
    return sets;
  };

  const step = (place: Place, byteClass: number): number => {
    const octet = members[byteClass];
    const sets = close(place, octet === undefined ? EDGE : kindOf(octet));
    if (!sets) return MATCHED;
    if (octet === undefined) return UNKNOWN;
    mark++;
    const heads: number[] = [];
    for (const { set, next } of sets) {
      if (set[octet] !== 1 || marks[next] === mark) continue;
      marks[next] = mark;
      heads.push(next);
    }
    return placeFor(
      heads.sort((a, b) => a - b),
      kindOf(octet),
    );
  };

  return {
    test(octets) {
      let index = placeFor([], EDGE);
      for (let i = 0; i <= octets.length; i++) {
        const place = places[index];
        if (!place) return false;
        const byteClass = i < octets.length ? (classOf[octets[i] ?? 0] ?? 0) : end;
        let next = place.next[byteClass] ?? UNKNOWN;
        if (next === UNKNOWN) {
          const before = places;
          next = step(place, byteClass);
          // What was found out is of no use when the cache has been emptied meanwhile.
          if (before === places) place.next[byteClass] = next;
        }
        if (next === MATCHED) return true;
        index = next;
      }
      return false;
    },
  };
}

/** Octets that no state and no assertion tells apart are one class; `members` has one octet of each. */
function byteClasses(states: readonly State[]): { classOf: Uint8Array; members: readonly number[] } {
  let classOf = Uint8Array.from({ length: 256 }, (_, octet) => kindOf(octet));
  const seen = new Set<string>();
  for (const state of states) {
    if (state.kind !== 'set') continue;
    const key = state.set.join('');
    if (seen.has(key)) continue;
    seen.add(key);
    const renamed = new Map<number, number>();
    classOf = classOf.map((old, octet) => {
      const pair = old * 2 + (state.set[octet] ?? 0);
      const name = renamed.get(pair) ?? renamed.size;
      renamed.set(pair, name);
      return name;
    });
  }
  const names = new Map<number, number>();
  const members: number[] = [];
  classOf.forEach((old, octet) => {
    if (names.has(old)) return;
    names.set(old, members.length);
    members.push(octet);
  });
  return { classOf: classOf.map((old) => names.get(old) ?? 0), members };
}

function kindOf(octet: number): number {
  return octet === 0x0a ? LF : octet === 0x0d ? CR : WORD[octet] === 1 ? IS_WORD : OTHER;
}

function holds(assertion: Assertion, before: number, after: number): boolean {
  const wordBefore = before === IS_WORD;
  const wordAfter = after === IS_WORD;
  switch (assertion) {
    case 'text-start':
      return before === EDGE;
    case 'text-end':
      return after === EDGE;
    case 'line-start':
      return before === EDGE || before === LF;
    case 'line-end':
      return after === EDGE || after === LF;
    case 'line-start-crlf':
      return before === EDGE || before === LF || (before === CR && after !== LF);
    case 'line-end-crlf':
      return after === EDGE || after === CR || (after === LF && before !== CR);
    case 'word':
      return wordBefore !== wordAfter;
    case 'not-word':
      return wordBefore === wordAfter;
    case 'word-start':
      return !wordBefore && wordAfter;
    case 'word-end':
      return wordBefore && !wordAfter;
    case 'word-start-half':
      return !wordBefore;
    case 'word-end-half':
      return !wordAfter;
  }
}
