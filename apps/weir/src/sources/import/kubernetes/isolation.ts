import type { Condition, Side } from '../condition.ts';
import type { Clause, ClauseAction } from '../program.ts';
import { type Entry, note } from '../report.ts';

export type Direction = 'ingress' | 'egress';

/** Where the other end of a connection is, seen from the selected pods. */
export function peerSide(direction: Direction): Side {
  return direction === 'ingress' ? 'source' : 'destination';
}

/** Where the selected pods are. */
export function podSide(direction: Direction): Side {
  return direction === 'ingress' ? 'destination' : 'source';
}

/** What the policies of a cluster say together about one direction: denials first, then what is allowed, then the end of isolated pods. */
export interface DirectionClauses {
  readonly denied: Clause[];
  readonly allowed: Clause[];
  readonly isolated: Clause[];
}

/** Rules that one part of a manifest may become. */
const MAX_PRODUCT = 10_000;

/** A clause for each peer with each port; undefined lists are every peer and every port. */
export function pushProduct(
  out: Clause[],
  entry: Entry,
  selected: Condition,
  peers: readonly (readonly Condition[])[] | undefined,
  ports: readonly (readonly Condition[])[] | undefined,
  action: ClauseAction,
): void {
  const from = peers ?? [[]];
  const to = ports ?? [[]];
  if (from.length * to.length > MAX_PRODUCT) {
    note(entry, `more than ${MAX_PRODUCT} combinations of peers and ports`, 'unsupported');
    return;
  }
  for (const peer of from) {
    for (const port of to) out.push({ entry, conditions: [selected, ...peer, ...port], limit: undefined, action, comment: undefined });
  }
}
