import { type Position, positionKey, stepper } from './positions.ts';
import type { Program } from './program.ts';

/** A deterministic automaton that says whether a regular expression matches somewhere in octets: for compilers. State 0 is the first. */
export interface RegexAutomaton {
  /** By octet: its class. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** By state times classes plus class: the next state, or MATCHED_ALREADY: what comes after does not matter. */
  readonly next: Int32Array;
  /** By state: 1 where octets that end there match. */
  readonly accepts: Uint8Array;
}

export const MATCHED_ALREADY = -1;

export interface AutomatonLimits {
  readonly states: number;
  /** States of the program that are looked at to make it, each time that they are. */
  readonly steps: number;
}

/** Undefined when it would be larger than the limits allow. */
export function automatonOf(program: Program, limits: AutomatonLimits): RegexAutomaton | undefined {
  const { classOf, members, first, step, visited } = stepper(program);
  const classes = members.length;
  const positions: Position[] = [first];
  const byKey = new Map([[positionKey(first), 0]]);
  const next: number[] = [];
  const accepts: number[] = [];
  for (let state = 0; state < positions.length; state++) {
    const position = positions[state];
    if (!position) break;
    for (let byteClass = 0; byteClass < classes; byteClass++) {
      const to = step(position, byteClass);
      if (typeof to === 'string') {
        next.push(MATCHED_ALREADY);
        continue;
      }
      const key = positionKey(to);
      let known = byKey.get(key);
      if (known === undefined) {
        if (positions.length >= limits.states) return undefined;
        known = positions.push(to) - 1;
        byKey.set(key, known);
      }
      next.push(known);
    }
    if (visited() > limits.steps) return undefined;
    accepts.push(step(position, classes) === 'matched' ? 1 : 0);
  }
  return { classOf, classes, next: Int32Array.from(next), accepts: Uint8Array.from(accepts) };
}
