import type { FlowRule, FlowTreatment } from '@weir/bgp/flowspec';
import { covers, type Prefix, printPrefix } from '@weir/wire/inet';
import type { FlowActionKind, FlowGuard } from '../../model/flow.ts';

/** Why a flow rule is not enforced. */
const FLOW_REFUSALS = ['family', 'guard', 'destination', 'length', 'action', 'invalid', 'full', 'unenforceable', 'overflow'] as const;
export type FlowRefusalReason = (typeof FLOW_REFUSALS)[number];

export interface FlowRefusal {
  readonly reason: FlowRefusalReason;
  readonly message: string;
}

/** What the guard of a peer says of a rule by itself; undefined lets it in. */
export function guardRefusal(
  guard: FlowGuard | undefined,
  { family, address }: FlowRule,
  destination: Prefix | undefined,
  treatment: FlowTreatment,
): FlowRefusal | undefined {
  if (family === 'ipv4 flow-vpn' || family === 'ipv6 flow-vpn')
    return { reason: 'family', message: 'flow rules of a VPN are not enforced' };
  if (!guard) return { reason: 'guard', message: 'no guard of flowspec.guards names the peer' };
  const least = guard.minLength[address];
  if ((destination?.length ?? 0) < least)
    return {
      reason: 'length',
      message: `its destination ${destination ? printPrefix(destination) : 'is any'}, of ${least} bits at least is allowed`,
    };
  if (guard.destinations && !guard.destinations.some((prefix) => destination && covers(prefix, destination)))
    return { reason: 'destination', message: 'its destination is outside of what the guard allows' };
  const denied = actionsOf(treatment).find((action) => !guard.actions.includes(action));
  return denied && { reason: 'action', message: `the guard does not allow ${denied}` };
}

/** What a rule does, in the words of guards. */
function actionsOf({ rateBytes, ratePackets, sample, mark, redirect }: FlowTreatment): FlowActionKind[] {
  const out: FlowActionKind[] = [];
  const rates = [rateBytes, ratePackets].filter((rate) => rate !== undefined);
  if (rates.includes(0)) out.push('discard');
  else if (rates.length > 0) out.push('rate');
  if (sample) out.push('sample');
  if (mark !== undefined) out.push('mark');
  if (redirect) out.push('redirect');
  return out;
}
