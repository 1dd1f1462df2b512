import type { FamilyName } from '@weir/bgp/codec';
import type { Hook } from '@weir/filter/scheme';
import type { Asn, Ip, Prefix } from '@weir/wire/inet';
import type { Listen } from '../../model/config.ts';
import type { OnExit, XdpAttachment } from '../../model/ebpf.ts';
import type { PortRange } from '../../model/firewall.ts';
import type { FlowValidation } from '../../model/flow.ts';
import type { CommunityPattern, SessionLoss } from '../../model/named-set.ts';
import type { Item, Named, Table } from '../yaml/shape.ts';
import type { ConfigNode } from '../yaml/tree.ts';
import type { RawFlowspec } from './raw-flowspec.ts';
import type { RawBlackholes } from './schema-blackholes.ts';
import type { RawDistribute } from './schema-distribute.ts';
import type { RawFeed } from './schema-feeds.ts';

/** A configuration file as written: checked key by key, but not yet as a whole (see build.ts). Names are those of the YAML keys. */
export interface RawFile {
  include: readonly Item<string>[];
  bgp: Table<RawBgp> | undefined;
  sets: readonly Named<Table<RawSet>>[];
  firewall: Table<RawFirewall> | undefined;
  ebpf: Table<RawEbpf> | undefined;
  flowspec: Table<RawFlowspec> | undefined;
  blackholes: Table<RawBlackholes> | undefined;
  distribute: Table<RawDistribute> | undefined;
  feeds: readonly Item<Table<RawFeed>>[];
  cumulus: Table<RawCumulus> | undefined;
  observe: Table<RawObserve> | undefined;
  exabgp: Table<RawExabgp> | undefined;
  policy: readonly Item<string>[] | undefined;
  protected: readonly Item<Prefix>[];
  convergence: Table<RawConvergence> | undefined;
  state_directory: string;
  socket: string;
  netns: string | undefined;
  /** Read one by one, so that the mistakes of each are its own. */
  tenants: ConfigNode | undefined;
}

export interface RawObserve {
  nflog: boolean;
  log_group: number;
}

export interface RawExabgp {
  socket: string | undefined;
  user: string | undefined;
  on_no_refresh: 'reset' | 'wait';
}

/** What has rules and sets of its own: the configuration itself, and each tenant. */
export type RawScope = Pick<RawFile, 'sets' | 'firewall' | 'policy'>;

export interface RawTenant extends RawScope {
  netns: string | undefined;
  config: string | undefined;
  interfaces: readonly Item<string>[] | undefined;
}

export interface RawBgp {
  as: Asn | undefined;
  router_id: Ip | undefined;
  hostname: string | undefined;
  listen: readonly Item<Listen>[];
  peers: readonly Item<Table<RawPeer>>[];
}

export interface RawPeer {
  name: string | undefined;
  address: Ip | undefined;
  as: Asn | undefined;
  port: number;
  local_as: Asn | undefined;
  families: readonly Item<FamilyName>[];
  hold_time: number;
  passive: boolean;
  source: Ip | undefined;
  interface: string | undefined;
  password_file: string | undefined;
  ttl_security: number | undefined;
  multihop: number | undefined;
  graceful_restart: Table<RawGracefulRestart> | undefined;
  add_path: boolean;
  extended_message: boolean;
  role: 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer' | undefined;
  role_strict: boolean;
  max_prefixes: Table<RawMaxPrefixes> | undefined;
  flow_validation: FlowValidation | undefined;
  keep_all: boolean;
  via: 'weir' | 'exabgp';
}

export interface RawGracefulRestart {
  restart_time: number;
  long_lived_stale_time: number | undefined;
}

export interface RawMaxPrefixes {
  limit: number | undefined;
  warn_at: number;
  action: 'warn' | 'block' | 'restart';
  restart_after: number;
}

export interface RawSet {
  kind: 'allow' | 'deny' | undefined;
  communities: readonly Item<CommunityPattern>[] | undefined;
  guard: Table<RawGuard> | undefined;
  on_session_loss: SessionLoss | undefined;
  on_withdraw: 'keep' | 'cut';
  nft: Table<RawNft> | undefined;
}

export interface RawGuard {
  peers: readonly Item<string>[] | undefined;
  prefixes: readonly Item<Prefix>[] | undefined;
  prefixes_of: readonly Named<readonly Item<Prefix>[]>[] | undefined;
  lengths: Table<RawLengths> | undefined;
  max_members: number;
  churn: Table<RawChurn> | undefined;
}

export interface RawLengths {
  ipv4: { readonly min: number; readonly max: number };
  ipv6: { readonly min: number; readonly max: number };
}

export interface RawChurn {
  rate: number;
  burst: number;
}

export interface RawNft {
  family: 'inet' | 'ip' | 'ip6';
  table: string | undefined;
  ipv4: string | undefined;
  ipv6: string | undefined;
}

export interface RawFirewall {
  table: string;
  base: Table<RawBase> | undefined;
  borders: readonly Item<Table<RawBorder>>[];
}

export interface RawBase {
  loopback: boolean;
  established: boolean;
  neighbour_discovery: boolean;
  multicast_listener: boolean;
  path_mtu: boolean;
  dhcp_client: boolean;
  bgp_peers: boolean;
}

export interface RawBorder {
  name: string | undefined;
  from: readonly Item<string>[] | undefined;
  to: readonly Item<string>[] | undefined;
  deny: readonly Item<string>[];
  allow: readonly Item<Table<RawAllow>>[];
  established: boolean;
  default: 'drop' | 'accept';
}

export interface RawAllow {
  set: string | undefined;
  protocol: 'tcp' | 'udp' | 'icmp' | 'any';
  ports: readonly Item<PortRange>[];
}

export interface RawEbpf {
  xdp: Table<RawXdp> | undefined;
  tc: Table<RawTc> | undefined;
  connect: Table<RawConnect> | undefined;
  pin_directory: string;
  event_buffer: number;
}

export interface RawCumulus {
  directory: string;
  number: number;
  name: string;
  hooks: readonly Item<Hook>[];
  in_interfaces: readonly Item<string>[];
  out_interfaces: readonly Item<string>[];
  state: boolean;
  matches: 'iptables' | 'hardware';
  max_rules: number;
  commit: readonly Item<string>[];
  commit_timeout: number;
  batch: number;
}

export interface RawXdp {
  interfaces: readonly Item<string>[] | undefined;
  mode: XdpAttachment['mode'];
  on_exit: OnExit;
}

export interface RawTc {
  ingress: readonly Item<string>[];
  egress: readonly Item<string>[];
  on_exit: OnExit;
}

export interface RawConnect {
  cgroup: string;
  on_exit: OnExit;
}

export interface RawConvergence {
  settle: number;
  settle_without_restart: number;
  startup_hold: number;
}

/** Values that are used where a key is not written. */
export const DEFAULTS: {
  readonly lengths: RawLengths;
  readonly maxMembers: number;
  readonly churn: RawChurn;
  readonly restartTime: number;
  readonly convergence: RawConvergence;
} = {
  lengths: { ipv4: { min: 8, max: 32 }, ipv6: { min: 16, max: 128 } },
  maxMembers: 1_000_000,
  churn: { rate: 50_000, burst: 1_000_000 },
  restartTime: 120,
  convergence: { settle: 30_000, settle_without_restart: 10_000, startup_hold: 300_000 },
};
