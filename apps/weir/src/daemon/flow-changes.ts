import { ApiError, type FlowChange, type FlowPlanAnswer, type FlowStanding, FORMAT_VERSION, type Params } from '../api/index.ts';
import type { Config } from '../model/config.ts';
import type { ActiveFlow } from '../model/flow.ts';
import { type FlowState, type FlowView, setOfFlow } from '../state/index.ts';
import { announcedActions } from './answer-flows.ts';
import type { DaemonConfig } from './load-daemon-config.ts';

const DEFAULT_CHANGES = 50;

/** What a configuration would make of the flow rules that peers announce. */
export interface FlowChanges {
  readonly enforced: { readonly before: number; readonly after: number };
  /** In the order in which rules are judged. */
  readonly changes: readonly FlowChange[];
}

export function flowChanges(before: readonly FlowView[], after: readonly FlowView[]): FlowChanges {
  const then = new Map(after.map((view) => [keyOf(view), view]));
  const changes = before.flatMap((view): FlowChange[] => {
    const [was, willBe] = [standing(view), then.get(keyOf(view))];
    if (willBe && sameStanding(was, standing(willBe))) return [];
    const flow = view.flow.provenance.kind === 'flow' ? view.flow.provenance.flow : '';
    return [{ flow, peer: view.peer, actions: announcedActions(view), before: was, after: willBe && standing(willBe) }];
  });
  return { enforced: { before: countEnforced(before), after: countEnforced(after) }, changes };
}

/** The answer to `flow-plan`: of the files as they are now. */
export function answerFlowPlan(
  flows: FlowState,
  loaded: DaemonConfig,
  { digest, limit = DEFAULT_CHANGES }: Params<'flow-plan'>,
): FlowPlanAnswer {
  if (!loaded.config) throw new ApiError('invalid-config', 'the configuration has mistakes', loaded.errors);
  if (digest !== undefined && digest !== loaded.digest) throw new ApiError('stale', 'the files have changed meanwhile: plan again');
  const { enforced, changes } = flowChanges(flows.list(), flows.preview(loaded.config));
  return { format_version: FORMAT_VERSION, digest: loaded.digest, enforced, changes: changes.slice(0, limit), total: changes.length };
}

/** In a few words, for whoever puts the configuration into force. */
export function describeFlowChanges({ enforced, changes }: FlowChanges): readonly string[] {
  if (changes.length === 0) return [];
  const no = changes.filter(({ before, after }) => before.state === 'enforced' && after?.state !== 'enforced').length;
  const anew = changes.filter(({ before, after }) => before.state !== 'enforced' && after?.state === 'enforced').length;
  const parts = [...(no > 0 ? [`${no} enforced no more`] : []), ...(anew > 0 ? [`${anew} enforced now`] : [])];
  return [`flow rules: ${parts.join(', ') || 'others refused, or for other reasons'}; ${enforced.after} in force`];
}

/** What configurations that have just been read make of the rules, once for each: it takes as long as to put one into force. */
export function flowPreviews(flows: FlowState): (config: Config) => readonly FlowView[] {
  const known = new WeakMap<Config, readonly FlowView[]>();
  return (config) => {
    const views = known.get(config) ?? flows.preview(config);
    known.set(config, views);
    return views;
  };
}

/** What stays of the rules of sets under another configuration: those of sets that are still made rules of. */
export function keptOfSets(flows: readonly ActiveFlow[], { flowspec }: Config): readonly ActiveFlow[] {
  const names = new Set(flowspec?.fromSets?.flatMap(({ set, enforce }) => (enforce ? [set] : [])));
  return flows.filter((flow) => names.has(setOfFlow(flow) ?? ''));
}

/** The rules of sets and those of peers that are in force, or will be as soon as the churn limit lets them: in their order, each once. */
export function flowsInForce(ofSets: readonly ActiveFlow[], views: readonly FlowView[]): readonly ActiveFlow[] {
  const ofPeers = views.filter(({ state }) => state === 'enforced' || state === 'waiting').map(({ flow }) => flow);
  const each = new Map([...ofPeers, ...ofSets].map((flow) => [flow.rule.key, flow]));
  return [...each.values()].sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
}

function keyOf({ peer, flow, attributes }: FlowView): string {
  const path = flow.provenance.kind === 'flow' ? flow.provenance.pathId : undefined;
  return `${peer}\n${path ?? ''}\n${flow.rule.key}\n${attributes ? '' : 'before'}`;
}

function standing({ state, refusal }: FlowView): FlowStanding {
  return { state, ...(refusal ? { refused: refusal } : {}) };
}

function sameStanding(a: FlowStanding, b: FlowStanding): boolean {
  return a.state === b.state && a.refused?.reason === b.refused?.reason;
}

function countEnforced(views: readonly FlowView[]): number {
  return views.filter(({ state }) => state === 'enforced').length;
}
