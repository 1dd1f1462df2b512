import type { Prefix } from '@weir/wire/inet';
import { DEFAULT_FLOWSPEC, type FlowConfig, type FlowGuard, type FlowRedirect } from '../../model/flow.ts';
import type { Item, Table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import type { RawFlowGuard, RawFlowRedirect, RawFlowspec } from './raw-flowspec.ts';
import { buildFromSet } from './schema-from-sets.ts';

/** What becomes of flow rules, with every default filled in; `shield` is what the whole configuration protects. */
export function buildFlowspec(raw: Table<RawFlowspec> | undefined, shield: readonly Prefix[]): FlowConfig | undefined {
  if (!raw) return undefined;
  const f = raw.get;
  return {
    at: f.at,
    protected: [...shield, ...f.protected.map(({ value }) => value)],
    protectedFlows: f.protected_flows.map(({ value }) => value),
    guards: f.guards.flatMap(({ value }) => buildGuard(value) ?? []),
    redirects: f.redirects.flatMap((item) => buildRedirect(item) ?? []),
    announce: buildAnnounce(f.announce),
    fromSets: f.from_sets.flatMap((item) => buildFromSet(item) ?? []),
    firstMark: f.first_mark,
    routing: buildRouting(f.routing),
    onSessionLoss: f.on_session_loss ?? DEFAULT_FLOWSPEC.onSessionLoss,
    sampleRate: f.sample_rate,
    span: spanOf(raw.label),
  };
}

/** Where redirected packets are routed. */
export function buildRouting(table: RawFlowspec['routing']): FlowConfig['routing'] {
  if (!table) return DEFAULT_FLOWSPEC.routing;
  const { priority, first_mark: firstMark, first_table: firstTable, next_hops: most } = table.get;
  return { priority, firstMark, firstTable, most };
}

function buildAnnounce(table: RawFlowspec['announce']): FlowConfig['announce'] {
  const { peers, destinations, max_rules: maxRules } = table?.get ?? {};
  return peers && maxRules !== undefined
    ? { peers: peers.map(({ value }) => value), destinations: destinations?.map(({ value }) => value), maxRules }
    : undefined;
}

function buildGuard(table: Table<RawFlowGuard>): FlowGuard | undefined {
  const { peers, destinations, min_length: least, actions, max_rules: maxRules, churn } = table.get;
  const { guard } = DEFAULT_FLOWSPEC;
  return (
    peers && {
      peers: peers.map(({ value }) => value),
      destinations: destinations?.map(({ value }) => value),
      minLength: least ? { 4: least.get.ipv4, 6: least.get.ipv6 } : guard.minLength,
      actions: actions.length > 0 ? actions.map(({ value }) => value) : guard.actions,
      maxRules,
      churn: churn?.get ?? guard.churn,
      span: spanOf(table.label),
    }
  );
}

function buildRedirect({ value }: Item<Table<RawFlowRedirect>>): FlowRedirect | undefined {
  const { target, table } = value.get;
  return target === undefined ? undefined : { target, table, span: spanOf(value.place('target')) };
}
