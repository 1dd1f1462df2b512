import type { FamilyName } from '@weir/bgp/codec';
import type { Asn, Ip, Prefix } from '@weir/wire/inet';
import type { BlackholeConfig } from './blackhole.ts';
import type { CumulusConfig } from './cumulus.ts';
import type { DistributeConfig } from './distribute.ts';
import type { EbpfConfig } from './ebpf.ts';
import type { FeedConfig } from './feed.ts';
import type { Firewall } from './firewall.ts';
import type { FlowConfig, FlowValidation } from './flow.ts';
import type { NamedSet } from './named-set.ts';
import type { Policy } from './policy.ts';
import type { SourceSpan } from './provenance.ts';
import type { FaultyTenant, Tenant } from './tenant.ts';

export interface Listen {
  readonly address: Ip;
  readonly port: number;
}

/** What a family of one peer may announce before Weir acts. */
export interface MaxPrefixes {
  readonly limit: number;
  /** Share of the limit, 0-1, at which a warning is given. */
  readonly warnAt: number;
  readonly action: 'warn' | 'block' | 'restart';
  /** Milliseconds after which a session closed by `restart` is tried again. */
  readonly restartAfter: number;
}

/** A neighbour as configured. Durations are in milliseconds but for the hold time, which is in seconds as on the wire. */
export interface Peer {
  readonly name: string;
  readonly address: Ip;
  readonly port: number;
  readonly localAs: Asn;
  readonly as: Asn;
  readonly families: readonly FamilyName[];
  readonly holdTime: number;
  readonly passive: boolean;
  readonly source: Ip | undefined;
  readonly interface: string | undefined;
  /** From `password_file`, already read; never printed. */
  readonly password: string | undefined;
  /** GTSM (RFC 5082): accept only packets that came at most this many hops; undefined is off. */
  readonly ttlSecurity: number | undefined;
  /** TTL of an eBGP session over several hops; undefined is 1 for eBGP, 64 for iBGP. */
  readonly multihop: number | undefined;
  readonly restartTime: number;
  /** Long-lived graceful restart (RFC 9494): offered with this time, which also bounds the peer's; undefined does not offer it. */
  readonly longLivedStaleTime: number | undefined;
  readonly addPath: boolean;
  readonly extendedMessage: boolean;
  readonly role: 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer' | undefined;
  readonly roleStrict: boolean;
  readonly maxPrefixes: MaxPrefixes | undefined;
  /** How its flow rules have to be founded on unicast routes. */
  readonly flowValidation: FlowValidation;
  /** Keep every route for display, not only those that a set asks for. */
  readonly keepAll: boolean;
  /** Who holds the session: Weir itself when absent. */
  readonly via?: 'exabgp' | undefined;
  readonly span: SourceSpan;
}

export interface BgpConfig {
  readonly as: Asn;
  readonly routerId: Ip;
  readonly hostname: string | undefined;
  readonly listen: readonly Listen[];
  readonly peers: readonly Peer[];
  /** Where clients of `distribute` connect from. */
  readonly clients?: readonly { readonly name: string; readonly range: Prefix }[];
}

/** How ExaBGP hands over what its peers say. */
export interface ExabgpConfig {
  /** A socket for that alone; undefined when it has none of its own. */
  readonly socket: string | undefined;
  /** User that may hand over, by name or number, besides root and the daemon's own. */
  readonly user: string | undefined;
  /** What is done about a session that was up before Weir, whose peer does not send its routes again: it is ended, so that it does, or left alone. */
  readonly onNoRefresh: 'reset' | 'wait';
}

/** DESIGN: session loss and convergence. All in milliseconds. */
export interface Convergence {
  /** Quiet time after End-of-RIB until a peer counts as converged. */
  readonly settle: number;
  /** Quiet time where the peer offers no graceful restart. */
  readonly settleWithoutRestart: number;
  /** How long members found at start are kept without a converged peer (allow sets). */
  readonly startupHold: number;
}

/** What is read of the packets that rules of nf_tables log. */
export interface ObserveConfig {
  /** Whether the daemon reads them itself; otherwise they are for somebody else. */
  readonly nflog: boolean;
  /** nfnetlink_log group that they go to. */
  readonly logGroup: number;
}

/** A whole configuration, checked and with every default filled in. */
export interface Config {
  readonly file: string;
  readonly bgp: BgpConfig;
  readonly sets: readonly NamedSet[];
  readonly firewall: Firewall | undefined;
  /** What the rules of the eBPF hooks are attached to, in the namespace `netns`. */
  readonly ebpf: EbpfConfig;
  /** The ACL file of a switch that the rules are written to as well. */
  readonly cumulus?: CumulusConfig | undefined;
  /** What becomes of flow rules; undefined enforces none. */
  readonly flowspec?: FlowConfig | undefined;
  /** What is announced as blackhole routes; undefined announces none. */
  readonly blackholes?: BlackholeConfig | undefined;
  /** What other firewalls get; undefined gives nothing. */
  readonly distribute?: DistributeConfig | undefined;
  /** Lists that are pulled into its tables; none when absent. */
  readonly feeds?: readonly FeedConfig[] | undefined;
  /** The rules of the policy files; undefined when none are named. */
  readonly policy: Policy | undefined;
  /** Deny sets never cover these. */
  readonly protected: readonly Prefix[];
  readonly convergence: Convergence;
  readonly stateDirectory: string;
  readonly socket: string;
  /** Network namespace (name or path) whose nf_tables is managed; undefined is the daemon's own. */
  readonly netns: string | undefined;
  /** As if it were { nflog: true, logGroup: 64 } when absent. */
  readonly observe?: ObserveConfig | undefined;
  /** As if nothing of it were given when absent. */
  readonly exabgp?: ExabgpConfig | undefined;
  readonly tenants: readonly Tenant[];
  /** Tenants that the files name and that are not among `tenants`, or are there as an earlier configuration had them. */
  readonly faultyTenants: readonly FaultyTenant[];
}
