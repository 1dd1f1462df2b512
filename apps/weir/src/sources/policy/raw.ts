import type { Hook } from '@weir/filter/scheme';
import type { Prefix } from '@weir/wire/inet';
import type { Counted } from '../../model/counted.ts';
import type { PortRange } from '../../model/firewall.ts';
import type { Item, Named, Table } from '../yaml/shape.ts';

/** A policy file as written: checked key by key, but not yet as a whole (see load.ts). Names are those of the YAML keys. */
export interface RawPolicy {
  default_action: 'allow' | 'deny' | undefined;
  default_action_at: Table<RawDefaults> | undefined;
  generated_at: string | undefined;
  mode: 'enforce' | 'audit';
  include: readonly Item<string>[];
  lists: readonly Named<RawList>[];
  tables: Table<RawTables> | undefined;
  rules: readonly Item<ReadRule>[];
}

/** Default actions by hook. */
export type RawDefaults = { [H in Hook]: 'allow' | 'deny' | undefined };

/** Files in the MaxMind DB format. */
export interface RawTables {
  country: string | undefined;
  asnum: string | undefined;
}

/** A program of the user's that a rule asks. */
export type RawProgram = { readonly kind: 'pinned'; readonly path: string } | { readonly kind: 'object'; readonly table: Table<RawObject> };

export interface RawObject {
  object: string | undefined;
  program: string | undefined;
}

/** `sound`: nothing in it was a mistake so far. */
export interface ReadRule {
  readonly table: Table<RawRule>;
  readonly sound: boolean;
}

export const PROTOCOLS = ['tcp', 'udp', 'icmp', 'sctp', 'gre', 'esp', 'any'] as const;
export const STATES = ['new', 'established', 'related', 'invalid'] as const;
export const ACTIONS = ['allow', 'deny', 'reject', 'rate_limit', 'log', 'mark', 'skip'] as const;
export const REJECTIONS = ['port-unreachable', 'admin-prohibited', 'tcp-reset'] as const;

export type Protocol = (typeof PROTOCOLS)[number];
export type ActionWord = (typeof ACTIONS)[number];

/** A value, or `$name` for those of a list or set. */
export type OrList<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'list'; readonly name: string };

/** What a list holds; all of one type. */
export type RawList =
  | { readonly type: 'Ip'; readonly prefixes: readonly Prefix[] }
  | { readonly type: 'Int'; readonly ranges: readonly PortRange[] }
  | { readonly type: 'Bytes'; readonly texts: readonly string[] };

export interface RawRule {
  name: string | undefined;
  ref: string | undefined;
  hook: readonly Item<Hook>[];
  priority: number;
  source_cidrs: readonly Item<OrList<Prefix>>[] | undefined;
  destination_cidrs: readonly Item<OrList<Prefix>>[] | undefined;
  source_ports: readonly Item<OrList<PortRange>>[] | undefined;
  destination_ports: readonly Item<OrList<PortRange>>[] | undefined;
  protocol: Protocol;
  in_interface: readonly Item<OrList<string>>[] | undefined;
  out_interface: readonly Item<OrList<string>>[] | undefined;
  state: readonly Item<(typeof STATES)[number]>[] | undefined;
  expression: string | undefined;
  bpf: RawProgram | undefined;
  action: ActionWord | undefined;
  rate_limit_pps: number | undefined;
  rate_limit_bps: number | undefined;
  rate_limit_burst: number | undefined;
  rate_limit_per: Counted | undefined;
  reject_with: (typeof REJECTIONS)[number] | undefined;
  mark: number | undefined;
  skip_to: string | undefined;
  log: boolean;
  log_sample: number | undefined;
  log_rate: number | undefined;
  description: string | undefined;
  until: number | undefined;
  enabled: boolean;
  audit: boolean;
}
