import { ApiError, type ControlClient, type FlowChange, type FlowPlanAnswer, type FlowStanding } from '../../api/index.ts';
import { plural } from '../render/units.ts';

/** What the files as the daemon reads them make of the flow rules; undefined where they cannot be used. Whoever plans reads them as well, and says why. */
export async function plannedFlows(client: ControlClient, limit: number): Promise<FlowPlanAnswer | undefined> {
  try {
    return await client.call('flow-plan', { limit });
  } catch (error) {
    if (error instanceof ApiError && error.code === 'invalid-config') return undefined;
    throw error;
  }
}

/** The lines of a plan about flow rules; nothing where they stay as they are. `digest` is that of the files that the plan is of. */
export function flowPart(planned: FlowPlanAnswer | undefined, digest: string): { readonly flows?: readonly string[] } {
  if (!planned || planned.total === 0) return {};
  if (planned.digest !== digest) return { flows: ['flow rules: not compared, the files changed meanwhile'] };
  const { enforced, changes, total } = planned;
  const left = total - changes.length;
  return {
    flows: [
      ...changes.map(printChange),
      ...(left > 0 ? [`and ${left} more; --limit shows them`] : []),
      `${plural(enforced.before, 'flow rule')} enforced then, ${enforced.after} now`,
    ],
  };
}

/** `- flow4 { dst 203.0.113.7/32; } discard from core: enforced -> refused (guard): no guard of flowspec.guards names the peer`. */
function printChange({ flow, peer, actions, before, after }: FlowChange): string {
  const sign = after?.state === 'enforced' ? '+' : before.state === 'enforced' ? '-' : '~';
  const message = after?.refused ? `: ${after.refused.message}` : '';
  return `${sign} ${flow} ${actions.join(', ') || 'accept'} from ${peer}: ${print(before)} -> ${after ? print(after) : 'gone'}${message}`;
}

function print({ state, refused }: FlowStanding): string {
  return refused ? `${state} (${refused.reason})` : state;
}
