import type { Family, Prefix } from '@weir/wire/inet';
import type { Config } from './config.ts';
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
    | 'image-damaged';
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
}

export type KernelEvent =
  | { readonly kind: 'commit'; readonly report: CommitReport }
  | { readonly kind: 'drift'; readonly set: string; readonly detail: string; readonly repaired: boolean }
  /** The namespace of a tenant is there now: `configure` opens it (`appeared`), or has just done so, and it needs every member again (`opened`). */
  | { readonly kind: 'tenant'; readonly tenant: string; readonly state: 'appeared' | 'opened' | 'gone' }
  | { readonly kind: 'problem'; readonly problem: KernelProblem }
  | { readonly kind: 'problem-over'; readonly problem: KernelProblem }
  /** The service manager could not be given the socket that owns the table: the table can be flushed while Weir is down. */
  | { readonly kind: 'not-held'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * The kernel side as the main thread sees it: the worker thread that owns every netlink socket, the installed view, the ledger and drift
 * repair. Calls are served in order.
 */
export interface KernelPort {
  /**
   * Takes a (new) configuration: checks the targets, writes the owned table by difference, forgets targets that no set has any more (removing
   * what Weir added there). Returns the ledger's members that the kernel still has in sets that were not managed before this call.
   */
  configure(config: Config): Promise<readonly MemberColumns[]>;
  /** Makes the kernel agree; resolves when the commit is over. A refusal is a problem and an event, retried by itself, not a rejection. */
  apply(deltas: readonly MemberDelta[]): Promise<CommitReport>;
  status(): Promise<KernelStatus>;
  /** Cuts the tracked connections that the rules in force would deny, but for these. */
  flush(lifelines: readonly Lifeline[]): Promise<FlushReport>;
  /** Ends the worker. `clear` first removes everything Weir added; otherwise the kernel stays as it is. */
  close(options: { readonly clear: boolean }): Promise<void>;
}
