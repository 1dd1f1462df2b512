import type { FlowRule } from '@weir/bgp/flowspec';
import type { Prefix } from '@weir/wire/inet';
import type { FlowActionKind } from '../../model/flow.ts';
import type { SessionLoss } from '../../model/named-set.ts';
import type { Item, Table } from '../yaml/shape.ts';
import type { RawChurn } from './raw.ts';
import type { RawFromSet } from './schema-from-sets.ts';

/** `flowspec:` as written. */
export interface RawFlowspec {
  at: 'prerouting' | 'xdp' | 'tc';
  guards: readonly Item<Table<RawFlowGuard>>[];
  protected: readonly Item<Prefix>[];
  protected_flows: readonly Item<FlowRule>[];
  redirects: readonly Item<Table<RawFlowRedirect>>[];
  announce: Table<RawFlowAnnounce> | undefined;
  from_sets: readonly Item<Table<RawFromSet>>[];
  first_mark: number;
  routing: Table<RawFlowRouting> | undefined;
  on_session_loss: SessionLoss | undefined;
  sample_rate: number;
}

export interface RawFlowGuard {
  peers: readonly Item<string>[] | undefined;
  destinations: readonly Item<Prefix>[] | undefined;
  min_length: Table<RawMinLength> | undefined;
  actions: readonly Item<FlowActionKind>[];
  max_rules: number;
  churn: Table<RawChurn> | undefined;
}

export interface RawFlowAnnounce {
  peers: readonly Item<string>[] | undefined;
  destinations: readonly Item<Prefix>[] | undefined;
  max_rules: number;
}

export interface RawMinLength {
  ipv4: number;
  ipv6: number;
}

export interface RawFlowRedirect {
  target: string | undefined;
  table: number | undefined;
}

export interface RawFlowRouting {
  priority: number;
  first_mark: number;
  first_table: number;
  next_hops: number;
}
