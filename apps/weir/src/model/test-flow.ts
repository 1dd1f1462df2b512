import { type FlowAction, type FlowRule, flowOrderKey, flowTreatment, parseFlow, printFlow } from '@weir/bgp/flowspec';
import { type ActiveFlow, DEFAULT_FLOWSPEC, type FlowConfig } from './flow.ts';

const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };

/** What rules mostly ask for. */
export const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };

/** A flow rule as BIRD writes it; throws where it has a mistake. */
export function testFlowRule(text: string): FlowRule {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem.message}`);
  return parsed.rule;
}

/** One in force with these actions, of the peer `core`. */
export function testFlow(text: string, ...actions: readonly FlowAction[]): ActiveFlow {
  return testFlowOf('core', text, ...actions);
}

/** One of a peer. */
export function testFlowOf(peer: string, text: string, ...actions: readonly FlowAction[]): ActiveFlow {
  const rule = testFlowRule(text);
  return {
    rule,
    order: flowOrderKey(rule),
    treatment: flowTreatment(actions, undefined),
    provenance: { kind: 'flow', peer, flow: printFlow(rule), pathId: undefined, asPath: [], since: 7, stale: false },
  };
}

/** `flowspec:` with nothing beside what is given: no guard, nothing protected, no redirect to a table, nothing announced. */
export function testFlowConfig(more: Partial<FlowConfig> = {}): FlowConfig {
  const { guard: _, ...defaults } = DEFAULT_FLOWSPEC;
  return { ...defaults, protected: [], protectedFlows: [], guards: [], redirects: [], announce: undefined, span, ...more };
}

/** Redirects of these route targets to tables; undefined: the target is known and goes nowhere. */
export function testRedirects(tables: Readonly<Record<string, number | undefined>>): FlowConfig['redirects'] {
  return Object.entries(tables).map(([target, table]) => ({ target, table, span }));
}
