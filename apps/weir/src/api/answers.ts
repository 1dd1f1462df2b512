import type { FlushReport } from '../model/flush.ts';
import type { ForeignChain, KernelProblem, OwnedTableStatus, RuleCount } from '../model/kernel-port.ts';
import type { FeedSummary } from './feed-answers.ts';
import type { FlowStatus } from './flow-answers.ts';
import type { ClientSummary } from './network-answers.ts';
import type { EventCounts } from './verdict-answers.ts';

/** Times are ISO 8601 text, durations milliseconds, prefixes text with their length. Every answer carries `format_version`. */
export interface Versioned {
  readonly format_version: number;
}

export interface LatencySummary {
  readonly count: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

export interface StatusAnswer extends Versioned {
  readonly version: string;
  readonly pid: number;
  readonly started: string;
  readonly uptime_ms: number;
  readonly config: {
    readonly file: string;
    readonly loaded: string;
    readonly reloads: number;
    readonly failed_reloads: number;
    /** Why the last reload was refused; absent when it was not. */
    readonly last_error?: readonly string[];
  };
  readonly bgp: {
    readonly as: number;
    readonly router_id: string;
    readonly listen: readonly { readonly address: string; readonly ok: boolean; readonly message?: string }[];
    readonly peers: number;
    readonly established: number;
    readonly converged: number;
  };
  /** Clients of what is distributed; absent where none are configured. */
  readonly clients?: readonly ClientSummary[];
  /** Tables of networks that are distributed, and what is wrong with their journal; absent where nothing is distributed. */
  readonly networks?: {
    readonly tables: number;
    readonly prefixes: number;
    /** Octets on disk: of changes, and of the snapshot. */
    readonly journal: { readonly changes: number; readonly snapshot: number };
    readonly problems: readonly string[];
  };
  /** Where a peer is ExaBGP's. */
  readonly exabgp?: ExabgpSummary;
  /** Lists that are pulled into tables; absent where none are. */
  readonly feeds?: readonly FeedSummary[];
  readonly sets: readonly SetSummary[];
  readonly routes: {
    readonly kept: number;
    readonly prefixes: number;
    readonly attribute_sets: number;
  };
  readonly kernel: {
    readonly commits: number;
    readonly failed_commits: number;
    readonly elements_sent: number;
    readonly repairs: number;
    readonly owned_table?: OwnedTableStatus;
    /** Absent where no eBPF program is attached or wanted. */
    readonly ebpf?: EbpfSummary;
    readonly rules: readonly RuleCount[];
    /** Base chains of others: what they drop is dropped whatever Weir says. */
    readonly foreign_chains: readonly ForeignChain[];
    readonly problems: readonly (Omit<KernelProblem, 'since' | 'remedy'> & { readonly since: string; readonly remedy?: string })[];
  };
  /** In the order of the configuration; what is wrong with them is among the problems. */
  /** Absent where no peer has flow rules and none are configured. */
  readonly flows?: FlowStatus;
  readonly tenants: readonly TenantSummary[];
  readonly latency: { readonly wire_to_kernel: LatencySummary; readonly commit: LatencySummary };
  /** Absent where no ACL file of a switch is kept. */
  readonly cumulus?: CumulusSummary;
  /** Absent where no rule gives verdict events. */
  readonly events?: EventCounts;
  readonly memory: { readonly rss: number; readonly heap: number };
}

/** The ACL file of a switch. What is wrong with it is among the problems. */
export interface CumulusSummary {
  readonly file: string;
  /** Of the file that is wanted; absent before the first. */
  readonly lines?: { readonly ipv4: number; readonly ipv6: number };
  readonly written?: string;
  readonly committed?: string;
  readonly commits: number;
  readonly failed_commits: number;
  /** What is wanted is not on disk, or not committed. */
  readonly pending: boolean;
  /** Of the commit command that failed last, until one does not; absent where it did not end by itself. */
  readonly exit_code?: number;
}

/** What eBPF programs are attached to, and what they look into. */
export interface EbpfSummary {
  /** Where programs, maps and links are pinned. */
  readonly directory: string;
  /** `way` is absent where nothing is attached; `why` says why it is not as was asked for; `generation` is the number of the programs in force. */
  readonly places: readonly {
    readonly hook: string;
    readonly place: string;
    readonly way?: string;
    readonly why?: string;
    readonly generation?: number;
  }[];
  /** Members of sets; `left_out`: those that there was no room for. `memory` is in octets. */
  readonly lists: readonly {
    readonly set: string;
    readonly family: 'ipv4' | 'ipv6';
    readonly members: number;
    readonly left_out: number;
    readonly memory?: number;
  }[];
  /** Addresses that were given a bucket of their own by rate limits, and packets that were judged by a shared one for want of room. */
  readonly limits: readonly { readonly hook: string; readonly admitted: number; readonly refused: number }[];
}

export interface TenantSummary {
  readonly name: string;
  /** Absent for one that has never been without mistakes. */
  readonly netns?: string;
  /** Whether its namespace is there and managed. */
  readonly open: boolean;
  readonly sets: number;
  readonly members: number;
  readonly owned_table?: OwnedTableStatus;
  /** Its part of the files has mistakes, and it is as it was before. */
  readonly mistakes?: { readonly errors: number; readonly first: string };
}

export interface SetSummary {
  readonly name: string;
  readonly kind: 'allow' | 'deny';
  readonly members: number;
  readonly max_members: number;
  /** Asked for and not yet a member: no room, or too much churn. */
  readonly waiting: number;
  /** Members found at start that no peer has announced yet. */
  readonly stale: number;
  readonly refused: { readonly [reason: string]: number };
  readonly targets: readonly SetTargetSummary[];
}

export interface SetTargetSummary {
  readonly family: 'ipv4' | 'ipv6';
  /** `inet core_fw web_allowed_v4`. */
  readonly kernel_set: string;
  readonly wanted: number;
  readonly installed: number;
  readonly covered: number;
  readonly foreign: number;
  readonly representation: string;
  readonly conflicts: readonly string[];
  readonly unfit: readonly string[];
}

export interface SetsAnswer extends Versioned {
  readonly sets: readonly SetSummary[];
}

export interface LongLivedSummary {
  readonly family: string;
  /** Seconds that sets with `hold long-lived` keep routes after the restart time: what the peer asked for, as far as the configuration allows. */
  readonly stale_time: number;
  readonly asked: number;
  /** The F bit. It changes nothing: routes stay until the peer has converged. */
  readonly forwarding_preserved: boolean;
}

/** What ExaBGP has handed over since the daemon started. */
export interface ExabgpSummary {
  /** That are heard now. */
  readonly processes: number;
  readonly lines: number;
  readonly updates: number;
  readonly bad_lines: number;
  readonly unknown_neighbours: number;
  readonly refused_commands: number;
  /** The last bad lines, newest first, each by its beginning. */
  readonly quoted: readonly { readonly at: string; readonly message: string; readonly line: string }[];
}

export interface PeerSummary {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly as: number;
  readonly local_as: number;
  /** Who holds the session where it is not Weir. */
  readonly via?: 'exabgp';
  readonly state: string;
  /** When the state was entered. */
  readonly since: string;
  readonly converged: boolean;
  /** How far each family has converged: down, learning, settling, converged. */
  readonly phases: { readonly [family: string]: string };
  readonly families: readonly string[];
  /** Families with long-lived graceful restart (RFC 9494), where it was agreed on. */
  readonly long_lived?: readonly LongLivedSummary[];
  /** Families that a reload wanted to hear again and that the peer did not send: complete after its next session. Absent where there are none. */
  readonly not_refreshed?: readonly string[];
  /** Routes that are kept. */
  readonly routes: number;
  /** Of these, held since the session was lost or not yet heard again. */
  readonly stale_routes: number;
  /** When what is held of this peer goes, per set; absent when it is held forever. */
  readonly holds: readonly { readonly set: string; readonly routes: number; readonly ends?: string }[];
  /** Announcements that were not kept: nothing asks for them, over max_prefixes, for want of space. */
  readonly not_kept: { readonly unneeded: number; readonly blocked: number; readonly overflow: number };
  /** Announcements that are route leaks (ONLY_TO_CUSTOMER against the role, RFC 9234 section 5) and so give nothing. */
  readonly leaked: number;
  readonly hold_time?: number;
  readonly router_id?: string;
  readonly local_address?: string;
  readonly capabilities: readonly string[];
  readonly messages: { readonly received: number; readonly sent: number };
  readonly errors: number;
  readonly last_error?: string;
}

export interface PeersAnswer extends Versioned {
  readonly peers: readonly PeerSummary[];
  /** Those that come by themselves are counted; absent where none are configured. */
  readonly clients?: readonly ClientSummary[];
}

export interface RouteSummary {
  readonly prefix: string;
  readonly peer: string;
  readonly path_id?: number;
  readonly next_hop?: string;
  readonly as_path: readonly number[];
  readonly communities: readonly string[];
  readonly attributes: { readonly [name: string]: unknown };
  /** Sets that the route gives to. */
  readonly sets: readonly string[];
  /** Sets whose community it carries and that do not have it, with the reason. */
  readonly refused: readonly { readonly set: string; readonly reason: string }[];
  readonly stale: boolean;
  /** Long-lived stale (RFC 9494): by its age here, or as the peer says. */
  readonly long_lived_stale?: boolean;
  readonly since: string;
}

export interface RoutesAnswer extends Versioned {
  readonly routes: readonly RouteSummary[];
  /** Where to go on; absent at the end. */
  readonly next?: string;
}

/** A reason why a member is there. */
export interface WhySummary {
  readonly kind: 'route' | 'flow' | 'ledger' | 'file' | 'builtin' | 'api';
  readonly peer?: string;
  readonly prefix?: string;
  readonly path_id?: number;
  readonly as_path?: readonly number[];
  readonly communities?: readonly string[];
  readonly since?: string;
  readonly stale?: boolean;
  readonly text?: string;
}

export interface MemberSummary {
  readonly prefix: string;
  readonly why: readonly WhySummary[];
}

export interface MembersAnswer extends Versioned {
  readonly set: string;
  readonly members: readonly MemberSummary[];
  /** Members of the whole set. */
  readonly total: number;
  readonly next?: string;
}

export interface RefusedAnswer extends Versioned {
  readonly set: string;
  readonly counts: { readonly [reason: string]: number };
  readonly waiting: number;
  /** The last of them, newest first. */
  readonly recent: readonly { readonly prefix: string; readonly peer: string; readonly reason: string; readonly at: string }[];
}

export interface EventSummary {
  readonly at: string;
  readonly kind: string;
  readonly level: string;
  readonly message: string;
  readonly fields: { readonly [key: string]: unknown };
}

export interface EventsAnswer extends Versioned {
  readonly events: readonly EventSummary[];
  /** Events that were dropped before these, because the reader was too slow. */
  readonly lost: number;
}

export interface ReloadAnswer extends Versioned {
  /** What is different now, as short texts; empty when nothing is. */
  readonly changed: readonly string[];
  readonly warnings: readonly string[];
}

/** A configuration that was in force. */
export interface GenerationSummary {
  readonly number: number;
  readonly at: string;
  /** start, reload, apply, rollback. */
  readonly cause: string;
  readonly by: string;
  /** SHA-256 of its files, hexadecimal. */
  readonly digest: string;
  readonly file: string;
  readonly changes: readonly string[];
  /** It was taken back because nobody confirmed it. */
  readonly reverted: boolean;
}

export interface HistoryAnswer extends Versioned {
  readonly in_force?: number;
  /** A change that goes back to `previous` unless it is confirmed in time. */
  readonly pending?: { readonly generation: number; readonly previous: number; readonly confirm_before: string };
  /** Oldest first. */
  readonly generations: readonly GenerationSummary[];
}

export interface GenerationAnswer extends Versioned {
  readonly generation: number;
  readonly digest: string;
  readonly file: string;
  /** The main file and all that it includes, by name; secrets are not among them. */
  readonly texts: { readonly [file: string]: string };
}

/** How the cutting of connections went; absent where nobody asked for it. */
interface Flushing {
  readonly flushed?: FlushReport;
  /** Why it failed: the change itself is in force. */
  readonly flush_error?: string;
}

export interface ApplyAnswer extends Versioned, Flushing {
  readonly generation: number;
  readonly changed: readonly string[];
  readonly warnings: readonly string[];
  /** Until when it has to be confirmed; absent when it has not. */
  readonly confirm_before?: string;
  /** Connections are cut when the change is confirmed. */
  readonly flush_at_confirm?: boolean;
}

export interface ConfirmAnswer extends Versioned, Flushing {
  readonly generation: number;
}

export interface RollbackAnswer extends Versioned {
  /** The generation in force now. */
  readonly generation: number;
  /** The one whose configuration it has. */
  readonly to: number;
  readonly changed: readonly string[];
}

/** The longest member of each set that covers an address. */
export interface LookupAnswer extends Versioned {
  readonly members: readonly { readonly set: string; readonly address: string; readonly member: MemberSummary }[];
}
