import { type Position, positionKey, stepper } from './positions.ts';
import type { Program } from './program.ts';

/** Whether a regular expression matches somewhere in the octets. */
export interface ByteRegex {
  test(octets: Uint8Array): boolean;
}

const UNKNOWN = -1;
const MATCHED = -2;

/** The cache is emptied when it holds so many numbers; 8 MiB with all that is around them. */
const MAX_CACHED = 400_000;

/** A state of the deterministic automaton. */
interface Place extends Position {
  /** By class of the next octet, the last for the end: the index of a place, MATCHED or UNKNOWN. */
  readonly next: Int32Array;
}

/**
 * Simulates the program with all its states at once, and keeps what it has found out (a lazily made deterministic automaton). So the time for an octet is
 * constant where the place is known, and at most that of all states where not: a pattern cannot make it more.
 */
export function byteRegex(program: Program): ByteRegex {
  const { classOf, members, first, step } = stepper(program);
  const end = members.length;
  let places: Place[] = [];
  let byKey = new Map<string, number>();
  let cached = 0;

  const placeFor = (position: Position): number => {
    const key = positionKey(position);
    const known = byKey.get(key);
    if (known !== undefined) return known;
    if (cached > MAX_CACHED) {
      places = [];
      byKey = new Map();
      cached = 0;
    }
    cached += position.heads.length * 4 + end + 16;
    places.push({ ...position, next: new Int32Array(end + 1).fill(UNKNOWN) });
    byKey.set(key, places.length - 1);
    return places.length - 1;
  };

  const follow = (place: Place, byteClass: number): number => {
    const next = step(place, byteClass);
    return next === 'matched' ? MATCHED : next === 'ended' ? UNKNOWN : placeFor(next);
  };

  return {
    test(octets) {
      let index = placeFor(first);
      for (let i = 0; i <= octets.length; i++) {
        const place = places[index];
        if (!place) return false;
        const byteClass = i < octets.length ? (classOf[octets[i] ?? 0] ?? 0) : end;
        let next = place.next[byteClass] ?? UNKNOWN;
        if (next === UNKNOWN) {
          const before = places;
          next = follow(place, byteClass);
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
