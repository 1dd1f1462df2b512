import type { Family } from '@weir/wire/inet';
import { redirectOf } from '../../compile/flows/index.ts';
import type { PolicyRule } from '../../kernel/routes/index.ts';
import type { ActiveFlow, FlowConfig, FlowHop } from '../../model/flow.ts';

/** What flow rules in force ask of the routing. */
export interface WantedRouting {
  /** Into tables that the configuration names: what is in them is the user's. */
  readonly rules: readonly PolicyRule[];
  readonly hops: readonly FlowHop[];
}

export const NO_ROUTING: WantedRouting = { rules: [], hops: [] };

/** Each rule and each address once, however many flow rules ask for it. */
export function wantedRouting(flows: readonly ActiveFlow[], config: FlowConfig | undefined): WantedRouting {
  if (!config) return NO_ROUTING;
  const { priority } = config.routing;
  const rules = new Map<string, PolicyRule>();
  const hops = new Map<number, FlowHop>();
  for (const { rule, treatment, path } of flows) {
    const { redirect } = treatment;
    if (redirect?.kind === 'ip' && path) hops.set(path.mark, { address: redirect.address, path });
    if (redirect?.kind !== 'rt') continue;
    const index = redirectOf(redirect, config.redirects);
    const table = config.redirects[index]?.table;
    if (table === undefined) continue;
    const wanted = { family: rule.address, priority, mark: config.firstMark + index, table };
    rules.set(ruleKey(wanted), wanted);
  }
  return { rules: [...rules.values()], hops: [...hops.values()] };
}

/** The rule that sends packets to the table of an address. */
export function ruleOf({ address, path }: FlowHop, priority: number): PolicyRule {
  return { family: address.family, priority, ...path };
}

function ruleKey({ family, mark }: { readonly family: Family; readonly mark: number }): string {
  return `${family} ${mark}`;
}
