import type { PathAttributes } from '@weir/bgp/codec';
import { equalIp, type Prefix, printIp, printPrefix } from '@weir/wire/inet';
import type { FlowValidation } from '../../model/flow.ts';
import { isLocalPath, type PathRank } from './path-rank.ts';
import type { Foundation } from './unicast-foundation.ts';

/** A flow rule as its announcement came. */
export interface Announced {
  readonly peer: string;
  readonly rank: PathRank;
  readonly attributes: PathAttributes;
  readonly destination: Prefix | undefined;
}

/** Why a flow rule is not founded on the unicast routes (RFC 8955 section 6 as RFC 9117 section 4.1 and 4.2 have it); undefined where it is. */
export function validateFlow(
  { peer, rank, attributes, destination }: Announced,
  mode: FlowValidation,
  foundation: Foundation | undefined,
): string | undefined {
  if (mode === 'off') return undefined;
  if (!destination) return 'it has no destination prefix';
  const { best, foreign } = foundation ?? { best: undefined, foreign: undefined };
  if (!best) return `no unicast route covers ${printPrefix(destination)}`;
  const sameOriginator = rank.originator && best.rank.originator ? equalIp(rank.originator, best.rank.originator) : peer === best.peer;
  // What the own AS or confederation has made needs no unicast route of its own.
  if (!sameOriginator && (rank.external || !isLocalPath(attributes))) {
    const whose = best.rank.originator ? printIp(best.rank.originator) : best.peer;
    return `the best route to its destination, ${printPrefix(best.prefix)}, is from ${whose}`;
  }
  if (mode === 'origin') return undefined;
  if (rank.external && rank.neighbourAs !== best.rank.neighbourAs)
    return `its AS path begins with ${rank.neighbourAs ?? 'no AS'}, that of the best route to ${printPrefix(best.prefix)} with ${best.rank.neighbourAs ?? 'no AS'}`;
  if (foreign) return `${printPrefix(foreign)} within its destination is announced by another AS`;
  return undefined;
}
