import { flowActions, printFlowAction, treatmentActions } from '@weir/bgp/flowspec';
import { printHex } from '@weir/wire/bytes';
import { type FlowStatus, type FlowSummary, type FlowsAnswer, FORMAT_VERSION, type Params } from '../api/index.ts';
import { FLOW_STEPS, flowRuleName } from '../compile/flows/index.ts';
import type { Config } from '../model/config.ts';
import type { ActiveFlow, FlowConfig } from '../model/flow.ts';
import type { RuleCount } from '../model/kernel-port.ts';
import type { FlowState, FlowView } from '../state/index.ts';
import type { Announcements } from './announcements.ts';
import { iso, printCommunities } from './summaries.ts';

const DEFAULT_PAGE = 1000;
/** Characters of the rules of a page, in octets and text; a longer one has fewer rules. */
const MOST_CHARACTERS = 2_000_000;

/** A page of the flow rules with what they have counted. `cursor` is the number of those before it. */
export function answerFlows(
  flows: FlowState,
  { announced, fromSets, enforced }: ReturnType<Announcements['flows']>,
  rules: readonly RuleCount[],
  config: FlowConfig | undefined,
  { peer, state, limit = DEFAULT_PAGE, cursor = '0' }: Params<'flows'>,
): FlowsAnswer {
  const all = withFlowsOfSets(flows.list(), enforced).filter(
    (view) => (peer === undefined || view.peer === peer) && (state === undefined || view.state === state),
  );
  const from = Number(cursor);
  const counts = new Map(rules.filter(({ tenant }) => tenant === undefined).map((rule) => [rule.rule, rule]));
  const page = pageOf(
    all.slice(from, from + limit).map((view) => summarizeFlow(view, counts)),
    MOST_CHARACTERS,
  );
  const to = from + page.length;
  return {
    format_version: FORMAT_VERSION,
    ...(config ? { at: config.at } : {}),
    peers: flows.counts(),
    announced,
    ...(fromSets.length > 0 ? { from_sets: fromSets } : {}),
    flows: page,
    total: all.length,
    ...(to < all.length ? { next: String(to) } : {}),
  };
}

/** What sets have in force comes before what peers announce of the same rule. */
function withFlowsOfSets(views: readonly FlowView[], enforced: readonly ActiveFlow[]): readonly FlowView[] {
  if (enforced.length === 0) return views;
  const own = new Map(enforced.map((flow) => [flow.rule.key, flow]));
  const others = views.map((view) =>
    view.state === 'enforced' && own.has(view.flow.rule.key) ? { ...view, state: 'not-best' as const } : view,
  );
  const ofSets = [...own.values()].map((flow): FlowView => {
    const peer = flow.provenance.kind === 'flow' ? flow.provenance.peer : '';
    return { flow, peer, attributes: undefined, state: 'enforced', refusal: undefined };
  });
  return [...others, ...ofSets].sort((a, b) => (a.flow.order < b.flow.order ? -1 : a.flow.order > b.flow.order ? 1 : 0));
}

/** Flow rules in a few numbers, for the status. Empty where there cannot be any. */
export function summarizeFlows(
  flows: FlowState,
  own: { readonly announced: number; readonly ofSets: number },
  { flowspec }: Config,
): { readonly flows?: FlowStatus } {
  const { announced, ofSets } = own;
  const peers = flows.counts();
  if (!flowspec && peers.length === 0 && announced === 0 && ofSets === 0) return {};
  const refused: Record<string, number> = {};
  for (const one of peers) for (const [reason, count] of Object.entries(one.refused)) refused[reason] = (refused[reason] ?? 0) + count;
  const sum = (of: 'enforced' | 'waiting' | 'stale'): number => peers.reduce((all, one) => all + one[of], 0);
  const counts = {
    enforced: sum('enforced'),
    waiting: sum('waiting'),
    stale: sum('stale'),
    refused,
    announced,
    ...(ofSets > 0 ? { of_sets: ofSets } : {}),
  };
  return { flows: { ...(flowspec ? { at: flowspec.at } : {}), ...counts } };
}

/** One of them at least. */
function pageOf(flows: readonly FlowSummary[], most: number): readonly FlowSummary[] {
  let characters = 0;
  const end = flows.findIndex(({ flow, octets }, i) => {
    characters += flow.length + octets.length;
    return i > 0 && characters > most;
  });
  return end < 0 ? flows : flows.slice(0, end);
}

function summarizeFlow(view: FlowView, counts: ReadonlyMap<string, RuleCount>): FlowSummary {
  const { flow, peer, attributes, state, refusal } = view;
  const { provenance: why, treatment, rule } = flow;
  if (why.kind !== 'flow') throw new TypeError(`a flow rule because of ${why.kind}`);
  const counters = FLOW_STEPS.flatMap((step) => {
    const found = counts.get(flowRuleName(rule, step));
    return found ? [{ step: step.trim(), packets: found.packets, bytes: found.bytes }] : [];
  });
  return {
    flow: why.flow,
    family: rule.family,
    octets: printHex(rule.octets),
    peer,
    ...(why.pathId === undefined ? {} : { path_id: why.pathId }),
    state,
    ...(refusal ? { refused: refusal } : {}),
    actions: announcedActions(view),
    notes: treatment.notes.map(({ action, reason }) => `${printFlowAction(action)}: ${reason}`),
    treatment: treatmentActions(treatment).map(printFlowAction),
    ...(flow.path ? { path: { mark: flow.path.mark, table: flow.path.table } } : {}),
    communities: attributes ? printCommunities(attributes) : [],
    as_path: why.asPath,
    since: iso(why.since),
    stale: why.stale,
    ...(state === 'enforced' ? { counters } : {}),
  };
}

/** What was asked for, as text. */
export function announcedActions({ attributes, flow }: FlowView): readonly string[] {
  return (attributes ? flowActions(attributes) : treatmentActions(flow.treatment)).map(printFlowAction);
}
