import { WORD } from './byte-set.ts';
import type { Program, State } from './program.ts';
import type { Assertion } from './regex.ts';

/** What stands on one side of a place between two octets. */
const EDGE = 0;
const LF = 1;
const CR = 2;
const IS_WORD = 3;
const OTHER = 4;

/** All the states that the program can be in between two octets; `before` is the kind of the octet before. Heads are in order. */
export interface Position {
  readonly heads: readonly number[];
  readonly before: number;
}

export interface Stepper {
  /** Octets that nothing in the program tells apart are one class. */
  readonly classOf: Uint8Array;
  /** One octet of each class. */
  readonly members: readonly number[];
  /** Before the first octet. */
  readonly first: Position;
  /** Where an octet of a class leads, or, of the class after the last one, the end: `matched` when the program has matched before that octet, or there. */
  step(position: Position, byteClass: number): Position | 'matched' | 'ended';
  /** States of the program that have been looked at by all steps. */
  visited(): number;
}

/** Runs a program with all its states at once. A step takes at most the time of all states. */
export function stepper({ states, start }: Program): Stepper {
  const { classOf, members } = byteClasses(states);
  const marks = new Int32Array(states.length);
  let mark = 0;
  let visited = 0;

  /** Follows what takes no octet; `undefined` when the program has matched. */
  const close = (position: Position, after: number): (State & { kind: 'set' })[] | undefined => {
    mark++;
    const sets: (State & { kind: 'set' })[] = [];
    // The search may begin at every place.
    const stack = [start, ...position.heads];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (marks[at] === mark) continue;
      marks[at] = mark;
      visited++;
      const state = states[at];
      if (state?.kind === 'match') return undefined;
      if (state?.kind === 'set') sets.push(state);
      else if (state?.kind === 'fork') stack.push(state.next, state.other);
      else if (state && holds(state.assertion, position.before, after)) stack.push(state.next);
    }
    return sets;
  };

  return {
    classOf,
    members,
    first: { heads: [], before: EDGE },
    visited: () => visited,
    step(position, byteClass) {
      const octet = members[byteClass];
      const sets = close(position, octet === undefined ? EDGE : kindOf(octet));
      if (!sets) return 'matched';
      if (octet === undefined) return 'ended';
      mark++;
      const heads: number[] = [];
      for (const { set, next } of sets) {
        if (set[octet] !== 1 || marks[next] === mark) continue;
        marks[next] = mark;
        heads.push(next);
      }
      return { heads: heads.sort((a, b) => a - b), before: kindOf(octet) };
    },
  };
}

/** The same text for the same position, and for no other. */
export function positionKey({ heads, before }: Position): string {
  return `${before}:${heads.join()}`;
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
