import type { Family, Prefix } from '@weir/wire/inet';
import type { Config } from './config.ts';
import type { CumulusStatus } from './cumulus.ts';
import type { FlowDelta, FlowHop, NextHopState } from './flow.ts';
import type { FlushReport, Lifeline } from './flush.ts';
import type { MemberColumns, MemberDelta } from './member-delta.ts';

/** Something between Weir and the kernel that a person should know of; it stays listed until it is over. */
export interface KernelProblem {
  /** The tenant it is about; absent for the daemon's own rules and sets. */
  readonly tenant?: string;
  readonly kind:
    | 'namespace-missing'
    | 'namespace-shared'
    | 'tenant-failed'
    | 'table-missing'
    | 'set-missing'
    | 'set-unfit'
    | 'conflict'
    | 'refused'
    | 'not-permitted'
    | 'drift'
    | 'image-damaged'
    /** An interface or a cgroup that eBPF programs are to be attached to is not there: it is waited for. */
    | 'place-missing'
    /** eBPF programs are not attached, or those before are in force still. */
    | 'attach-failed'
    /** The kernel, or a right of the process, lacks what eBPF programs need. */
    | 'feature-missing'
    /** Another process manages the eBPF programs. */
    | 'engine-busy'
    /** A set has more members than its eBPF map has room for. */
    | 'list-full'
    /** More addresses come to rate limits than there are buckets for: some share one. */
    | 'limits-full'
    /** Rules, or members of sets, that the ACL file of a switch cannot say or has no room for: it is as it was. */
    | 'acl-refused'
    /** The ACL file cannot be written, or is somebody else's. */
    | 'acl-not-written'
    /** What commits the ACL file has failed. */
    | 'acl-not-committed';
  /** Named set or rule this is about. */
  readonly subject: string;
  readonly message: string;
  /** nft text that would mend it, where there is one. */
  readonly remedy: string | undefined;
  readonly since: number;
}

/** What one commit did. */
export interface CommitReport {
  readonly added: number;
  readonly removed: number;
  /** Milliseconds in the kernel. */
  readonly kernelMs: number;
  /** Milliseconds from the receipt of the earliest message to the end of the commit; undefined when no message caused it. */
  readonly latencyMs: number | undefined;
  readonly ok: boolean;
}

export interface SetStatus {
  /** Of a tenant its qualified name. */
  readonly set: string;
  readonly family: Family;
  readonly wanted: number;
  readonly installed: number;
  /** Covered by a wider member of the same interval set, so not an element of its own. */
  readonly covered: number;
  /** Elements of others in a shared set. */
  readonly foreign: number;
  /** Members left out because they collide with an element of others, the first 100. */
  readonly conflicts: readonly Prefix[];
  /** Members that this kind of kernel set cannot hold (a prefix in a set of hosts), the first 100. */
  readonly unfit: readonly Prefix[];
  readonly representation: 'hash' | 'interval' | 'hash+interval' | 'absent';
}

/** A base chain that Weir did not make: it sees the same packets, and what it drops is dropped whatever Weir says. */
export interface ForeignChain {
  /** In whose namespace it is; absent for the daemon's own. */
  readonly tenant?: string;
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly hook: string;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
}

/** The counters of a rule. */
export interface RuleCount {
  /** Absent for the daemon's own rules. */
  readonly tenant?: string;
  /** Of nf_tables; of eBPF the hook. */
  readonly chain: string;
  readonly rule: string;
  readonly packets: number;
  readonly bytes: number;
}

export interface OwnedTableStatus {
  readonly name: string;
  readonly owner: boolean;
  readonly persist: boolean;
}

/** The kernel side of one tenant. What is wrong with it is among the problems. */
export interface TenantStatus {
  readonly name: string;
  readonly netns: string;
  /** Whether its namespace is there and managed. */
  readonly open: boolean;
  readonly commits: number;
  readonly failedCommits: number;
  readonly ownedTable: OwnedTableStatus | undefined;
}

/** Where eBPF programs judge, or are to. */
export interface EbpfPlace {
  readonly hook: string;
  /** `xdp of eth0`, `tc ingress of eth0`, `connect4 of /sys/fs/cgroup`. */
  readonly place: string;
  /** `native` or `generic` XDP, `tcx` or `clsact`, `cgroup`; undefined where nothing is attached. */
  readonly way: string | undefined;
  /** Why it is not as was asked for: generic XDP because the driver has none. */
  readonly why: string | undefined;
  /** The number of the programs in force, which events carry; undefined where there are none. */
  readonly generation: number | undefined;
}

/** The members of a set of one family, as eBPF programs look them up. */
export interface EbpfList {
  readonly set: string;
  readonly family: Family;
  readonly members: number;
  /** Members that there was no room for. */
  readonly leftOut: number;
  /** Kernel memory in octets; undefined where the kernel does not tell. */
  readonly memory: number | undefined;
}

/** How full the buckets of a hook's rate limits are. */
export interface EbpfLimits {
  readonly hook: string;
  /** Addresses that were given a bucket of their own, and packets that were judged by a shared one because there was no room. */
  readonly admitted: number;
  readonly refused: number;
}

/** Rules that were in force once. */
export interface EarlierRules {
  /** What they are called: `the rules of generation 7`. */
  readonly what: string;
  readonly config: Config;
}

/** The eBPF side of the kernel. */
export interface EbpfStatus {
  /** Where its programs, maps and links are pinned. */
  readonly directory: string;
  readonly places: readonly EbpfPlace[];
  readonly lists: readonly EbpfList[];
  readonly limits: readonly EbpfLimits[];
  /** Hooks whose rules the kernel refuses although no others were in force: nothing judges there, or less than is wanted. */
  readonly lacking: readonly string[];
  /** Rules wait for the members of new sets, for a second at most. */
  readonly waits: boolean;
  /** Absent where no rule gives events. */
  readonly events?: EbpfEvents;
}

/** What became of the verdict events of programs. */
export interface EbpfEvents {
  /** Packets of rules that give events. */
  readonly seen: number;
  /** Left out because the rule says so. */
  readonly sampledOut: number;
  /** The ring buffer had no room for them. */
  readonly lost: number;
}

/** The programs of a hook, whose events say `generation` and the number of the rule. */
export interface EbpfProgramRules {
  readonly hook: string;
  readonly generation: number;
  /** In the order of their numbers. */
  readonly rules: readonly { readonly ref: string; readonly label: string }[];
}

/** Counts, sets, problems, rules and chains are those of all namespaces; the table is the daemon's own. */
export interface KernelStatus {
  readonly sets: readonly SetStatus[];
  readonly problems: readonly KernelProblem[];
  readonly commits: number;
  readonly failedCommits: number;
  readonly repairs: number;
  readonly elementsSent: number;
  readonly rules: readonly RuleCount[];
  readonly foreignChains: readonly ForeignChain[];
  readonly ownedTable: OwnedTableStatus | undefined;
  readonly tenants: readonly TenantStatus[];
  /** Absent where no eBPF program is attached or wanted. */
  readonly ebpf?: EbpfStatus;
  /** Absent where no ACL file is kept. */
  readonly cumulus?: CumulusStatus;
}

export type KernelEvent =
  | { readonly kind: 'commit'; readonly report: CommitReport }
  | { readonly kind: 'drift'; readonly set: string; readonly detail: string; readonly repaired: boolean }
  /** The namespace of a tenant is there now: `configure` opens it (`appeared`), or has just done so, and it needs every member again (`opened`). */
  | { readonly kind: 'tenant'; readonly tenant: string; readonly state: 'appeared' | 'opened' | 'gone' }
  | { readonly kind: 'problem'; readonly problem: KernelProblem }
  | { readonly kind: 'problem-over'; readonly problem: KernelProblem }
  /** The service manager could not be given the socket that owns the table: the table can be flushed while Weir is down. */
  /** Other programs are in force, or write their events elsewhere: `ring` is where the buffer is pinned. */
  | {
      readonly kind: 'programs';
      readonly programs: readonly EbpfProgramRules[];
      readonly ring: { readonly directory: string; readonly name: string } | undefined;
    }
  | { readonly kind: 'not-held'; readonly message: string }
  /** Whether packets can be redirected to addresses of `watch`. */
  | { readonly kind: 'next-hops'; readonly hops: readonly NextHopState[] }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * The kernel side as the main thread sees it: the worker thread that owns every netlink socket, the installed view, the ledger and drift
 * repair. Calls are served in order.
 */
export interface KernelPort {
  /**
   * Takes a (new) configuration: checks the targets, writes the owned table by difference, forgets targets that no set has any more (removing
   * what Weir added there). Returns the ledger's members that the kernel still has in sets that were not managed before this call.
   * `earlier`: what judges at hooks of eBPF programs that the kernel refuses, where nothing was in force. Until it resolves, members that are applied are those of the configuration before.
   */
  configure(config: Config, earlier?: EarlierRules): Promise<readonly MemberColumns[]>;
  /** Takes a change of the flow rules in force; resolves when they judge, or are refused, which is a problem. Before the first configuration it is only kept for that. */
  flows(delta: FlowDelta): Promise<void>;
  /** Takes the addresses that are asked about from now on: of each an event says whether packets can be redirected there, now and when that changes. */
  watch(hops: readonly FlowHop[]): Promise<void>;
  /** Makes the kernel agree; resolves when the commit is over. A refusal is a problem and an event, retried by itself, not a rejection. */
  apply(deltas: readonly MemberDelta[]): Promise<CommitReport>;
  status(): Promise<KernelStatus>;
  /** Cuts the tracked connections that the rules in force would deny, but for these. */
  flush(lifelines: readonly Lifeline[]): Promise<FlushReport>;
  /** Ends the worker. `clear` first removes everything Weir added; otherwise the kernel stays as it is. */
  close(options: { readonly clear: boolean }): Promise<void>;
}
