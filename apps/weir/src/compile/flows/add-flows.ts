import type { ActiveFlow, FlowConfig } from '../../model/flow.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { flowHook, protectedRules, withFlows } from './flow-rules.ts';
import { type LoweredFlow, lowerFlow } from './lower-flow.ts';

/** What flow rules came to, as long as they and the configuration are the same objects. */
const known = new WeakMap<FlowConfig, WeakMap<ActiveFlow, LoweredFlow>>();

/** `lowerFlow`, once for each flow rule of a configuration. */
function loweredFlow(flow: ActiveFlow, config: FlowConfig): LoweredFlow {
  let flows = known.get(config);
  if (!flows) {
    flows = new WeakMap();
    known.set(config, flows);
  }
  const before = flows.get(flow);
  if (before) return before;
  const lowered = lowerFlow(flow, config);
  flows.set(flow, lowered);
  return lowered;
}

/** Why a flow rule cannot be enforced where the configuration says; undefined where it can. */
export function unenforceable(flow: ActiveFlow, config: FlowConfig): string | undefined {
  const lowered = loweredFlow(flow, config);
  if (lowered.kind === 'refused') return lowered.reason;
  const { at } = config;
  if (at === 'prerouting') return undefined;
  const kinds = lowered.rules.map(({ action }) => action.kind);
  return at === 'xdp' && kinds.includes('mark') ? 'a program at xdp cannot redirect: it has no marks' : undefined;
}

/**
 * The hooks with flow rules, which are in their order. At `prerouting` they are a list of their own, the last one here and the first that a packet comes to; at the hooks of programs they are in that hook's list, behind its
 * deny sets. `base`: what this host needs to stay on its links and to speak with its peers there.
 */
export function addFlows(
  hooks: readonly HookRules[],
  flows: readonly ActiveFlow[],
  config: FlowConfig,
  base: readonly Rule[],
): HookRules[] {
  const rules = flows.flatMap((flow) => {
    const lowered = loweredFlow(flow, config);
    return lowered.kind === 'rules' ? lowered.rules : [];
  });
  const guarded = protectedRules(config, base);
  const { at } = config;
  if (at === 'prerouting' || !hooks.some(({ hook }) => hook === at)) return [...hooks, ...flowHook(at, guarded, rules)];
  return hooks.map((hook) => (hook.hook === at ? withFlows(hook, guarded, rules) : hook));
}
