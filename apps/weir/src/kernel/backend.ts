import type { ConntrackKey, Tuple } from '@weir/netlink/conntrack';
import type { Expression } from '@weir/netlink/nftables';
import type { Family, Ip } from '@weir/wire/inet';
import type { MapEntry, MapSpec } from '../model/kernel-map.ts';
import type { ForeignChain } from '../model/kernel-port.ts';
import type { MatchProgram } from '../model/match-program.ts';
import type { MemberDelta, PrefixColumns } from '../model/member-delta.ts';
import type { KnownMembers } from './ebpf/engine.ts';

/** Families of tables that Weir fills or writes. */
export type TableFamily = 'inet' | 'ip' | 'ip6';

export interface TableAddress {
  readonly family: TableFamily;
  readonly table: string;
}

export interface SetAddress extends TableAddress {
  readonly set: string;
}

/** A kernel set as it is. `family` is undefined when its keys are not addresses of one family. */
export interface SetInfo extends SetAddress {
  readonly keyFamily: Family | undefined;
  readonly interval: boolean;
  readonly map: boolean;
  readonly constant: boolean;
  readonly dynamic: boolean;
  /** Elements get a time to live of their own accord. */
  readonly expires: boolean;
  /** The most elements it takes. */
  readonly size: number | undefined;
  /** Differs when the set or its table was made anew: the table's and the set's number. */
  readonly identity: string;
}

export interface RuleInfo {
  readonly handle: bigint;
  readonly name: string;
  /** Of a rule that Weir wrote. */
  readonly fingerprint: string | undefined;
  /** Has a counter; one that only leads to others has none. */
  readonly counts: boolean;
  readonly packets: number;
  readonly bytes: number;
}

export interface ChainInfo {
  readonly name: string;
  readonly hook: string | undefined;
  readonly priority: number | undefined;
  readonly policy: 'accept' | 'drop' | undefined;
  readonly rules: readonly RuleInfo[];
}

export interface TableInfo extends TableAddress {
  readonly comment: string | undefined;
  readonly owner: boolean;
  readonly persist: boolean;
  /** Whether this process may change it: nobody owns it, or this backend does. */
  readonly ours: boolean;
  readonly sets: readonly SetInfo[];
  readonly chains: readonly ChainInfo[];
}

/** Ranges in columns, both ends included: `firsts[i*stride ..]` to `lasts[i*stride ..]` (stride 1 for IPv4, 4 for IPv6). A host has equal ends. */
export interface RangeColumns {
  readonly family: Family;
  readonly count: number;
  readonly firsts: Uint32Array;
  readonly lasts: Uint32Array;
}

export interface SetSpec {
  readonly name: string;
  readonly family: Family;
  readonly interval: boolean;
  readonly size: number | undefined;
  readonly comment: string;
}

/** Keys or ranges of keys, both ends included, in order and apart. */
export interface AnonymousSetSpec {
  /** As nft numbers types. */
  readonly keyType: number;
  /** Bytes. */
  readonly keyLength: number;
  readonly order: 'big' | 'host';
  readonly interval: boolean;
  readonly ranges: readonly { readonly first: Uint8Array; readonly last: Uint8Array }[];
}

/** How a map keeps its entries: as single values, as ranges of one field, or of several. */
export type MapLayout = 'values' | 'ranges' | 'boxes';

export function mapLayout({ keys, ranges }: Pick<MapSpec, 'keys' | 'ranges'>): MapLayout {
  return !ranges ? 'values' : keys.length === 1 ? 'ranges' : 'boxes';
}

/** A set that rules fill with addresses. */
export interface MeterSpec {
  readonly name: string;
  readonly family: Family;
  readonly size: number;
  /** Milliseconds. */
  readonly timeout: number;
}

/** A rule to add. A lookup expression with `setId` n means `sets[n]`. */
export interface RuleSpec {
  readonly name: string;
  readonly fingerprint: string;
  readonly expressions: readonly Expression[];
  readonly sets: readonly AnonymousSetSpec[];
  /** eBPF programs that it asks: a `match bpf` whose path is the name of one means that, wherever it is. */
  readonly programs?: readonly MatchProgram[];
}

/** One step of a transaction; the kernel works through them in order, all or nothing. */
export type Operation =
  /** Makes the table, or takes over one that its owner has left. */
  | { readonly kind: 'put-table'; readonly address: TableAddress; readonly comment: string; readonly owned: boolean }
  | { readonly kind: 'delete-table'; readonly address: TableAddress }
  | { readonly kind: 'add-set'; readonly address: TableAddress; readonly set: SetSpec }
  | { readonly kind: 'add-map'; readonly address: TableAddress; readonly map: MapSpec }
  | { readonly kind: 'add-meter'; readonly address: TableAddress; readonly meter: MeterSpec }
  /** Of sets, maps and meters. */
  | { readonly kind: 'delete-set'; readonly address: SetAddress }
  /** Refused when a range meets one that is there (EEXIST), or is not there (ENOENT). In order of their keys. */
  | {
      readonly kind: 'add-entries' | 'delete-entries';
      readonly address: SetAddress;
      readonly layout: MapLayout;
      readonly entries: readonly MapEntry[];
    }
  | {
      readonly kind: 'add-chain';
      readonly address: TableAddress;
      readonly name: string;
      readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | undefined;
      /** Of a hook; 0 when absent. */
      readonly priority?: number;
    }
  /** Deletes its rules. */
  | { readonly kind: 'flush-chain'; readonly address: TableAddress; readonly name: string }
  /** With its rules. */
  | { readonly kind: 'delete-chain'; readonly address: TableAddress; readonly name: string }
  /** Before the rule with the handle, else at the end. */
  | {
      readonly kind: 'add-rule';
      readonly address: TableAddress;
      readonly chain: string;
      readonly rule: RuleSpec;
      readonly before: bigint | undefined;
    }
  | { readonly kind: 'delete-rule'; readonly address: TableAddress; readonly chain: string; readonly handle: bigint }
  /** Refused when one is there already (EEXIST), or is not there (ENOENT). `interval` says how the set keeps its elements. */
  | {
      readonly kind: 'add-elements' | 'delete-elements';
      readonly address: SetAddress;
      readonly interval: boolean;
      readonly elements: PrefixColumns;
    };

/**
 * What programs that rules ask are bound to besides what they say, by the name or path that rules ask them by: the maps of their lists, or which program is pinned at the user's path. A rule
 * whose program is bound to something else is put in anew. Empty text: it cannot be told.
 */
export type ProgramBindings = ReadonlyMap<string, string>;

/** The programs that the rules of a table ask. */
export interface AskedPrograms {
  readonly programs: readonly MatchProgram[];
  /** Where the user's are pinned. */
  readonly paths: readonly string[];
}

/** Members of a list that programs of rules look into and that there was no room for. */
export interface FullList {
  readonly set: string;
  readonly family: Family;
  readonly members: number;
  readonly leftOut: number;
}

/** What the kernel refused: which step, and which of its elements, where it says so. */
export interface Refusal {
  readonly operation: number | undefined;
  readonly element: number | undefined;
  /** Name of the errno. */
  readonly code: string;
  readonly message: string;
}

/**
 * `committed`: all took effect. `unknown`: the answer was lost. `refused`: nothing took effect.
 */
export type Outcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] };

/** Something that another process changed. */
export type ForeignChange =
  | { readonly kind: 'elements'; readonly present: boolean; readonly address: SetAddress; readonly ranges: RangeColumns }
  | { readonly kind: 'set'; readonly present: boolean; readonly address: SetAddress }
  | { readonly kind: 'table'; readonly present: boolean; readonly address: TableAddress }
  /** A chain or rule. */
  | { readonly kind: 'structure'; readonly address: TableAddress };

/** One commit of another process. */
export interface ForeignCommit {
  /** Its name, where the kernel says so. */
  readonly process: string | undefined;
  readonly changes: readonly ForeignChange[];
}

/** `lost`: the kernel dropped notifications; everything is to be read again. */
export type PollOutcome = 'current' | 'lost';

/** Whether an address (words) is still let through; an entry whose destination is not is deleted. */
export type AddressTest = (w0: number, w1: number, w2: number, w3: number) => boolean;

/** A tracked connection. */
export interface TrackedConnection {
  /** Its original direction, and what names it to the kernel. */
  readonly key: ConntrackKey;
  /** The other direction, where it is not just the original one turned round. */
  readonly reply: Tuple | undefined;
  /** It was announced by another connection, as FTP's data are. */
  readonly expected: boolean;
}

/** Where packets go: to this host, or out by one of these interfaces (undefined: by which cannot be told). */
export type KernelRoute = { readonly kind: 'local' } | { readonly kind: 'out'; readonly interfaces: readonly string[] | undefined };

/** The routing of a namespace when it was opened. */
export interface KernelRoutes {
  isLocal(address: Ip): boolean;
  /** Undefined where it cannot be told. */
  to(address: Ip): KernelRoute | undefined;
  close(): void;
}

/**
 * The kernel as reconcile sees it: one network namespace's nf_tables and conntrack. Calls are synchronous and may take as long as the kernel does. Throws KernelError or
 * SystemError where a read fails; a refused commit is an outcome.
 */
export interface KernelBackend {
  /** Whether tables may have an owner that others cannot flush. */
  readonly ownership: boolean;
  /** Whether rules can ask eBPF programs. */
  readonly asksPrograms: boolean;
  /** Differs for another boot or network namespace: what was true in another realm says nothing about this one. */
  readonly realm: string;
  readTable(address: TableAddress): TableInfo | undefined;
  /** The rules of one chain, in order; none where there is no such chain. */
  readRules(address: TableAddress, chain: string): readonly RuleInfo[];
  /** The base chains of every table of this namespace. */
  baseChains(): readonly ForeignChain[];
  readSet(address: SetAddress): SetInfo | undefined;
  /** Every element. `complete` is false when commits of others kept coming in: elements may be missing then, none is wrong. */
  readElements(set: SetInfo): { readonly ranges: RangeColumns; readonly complete: boolean };
  /** What a map leads to, in order of its keys. */
  readMap(address: SetAddress): readonly MapEntry[];
  /** Which of these are elements of the set exactly as they are: 1 for those. */
  present(set: SetInfo, elements: PrefixColumns): Uint8Array;
  commit(operations: readonly Operation[]): Outcome;
  /** Gives what others committed since the last call to `visit`, in order. */
  poll(visit: (commit: ForeignCommit) => void): PollOutcome;
  /** Whether `poll` has told of everything that was committed until now. */
  isCaughtUp(): boolean;
  /** Resolves to true when `poll` has something, to false after `timeout` ms or when closed. */
  wait(timeout: number): Promise<boolean>;
  /** Deletes the tracked connections of a family to addresses that `closed` accepts; returns how many. */
  cutConnections(family: Family, closed: AddressTest): number;
  /** So many tracked connections at most, and how many there are. */
  listConnections(most: number): { readonly connections: readonly TrackedConnection[]; readonly total: number };
  /** Returns how many of them were still there. */
  deleteConnections(connections: readonly TrackedConnection[]): number;
  openRoutes(): KernelRoutes;
  /** Where programs that rules ask are pinned from now on; the usual place when undefined. */
  pinAt(directory: string | undefined): void;
  /** Loads programs that rules of the next transactions ask, one at a step, so that what is done in between need not wait for all. `directory`: as of `pinAt`. */
  loadPrograms(address: TableAddress, programs: readonly MatchProgram[], directory: string | undefined): Iterator<undefined, void>;
  /**
   * Opens the lists that the programs of a table look into, and fills those that are new with the members that are known; says what the programs are bound to now. What cannot be opened is said when a
   * rule that asks it is added.
   */
  bindPrograms(address: TableAddress, asked: AskedPrograms, known: KnownMembers): ProgramBindings;
  /** Members of lists that programs of rules look into; true when programs have to be bound again (`bindPrograms`). */
  applyMembers(deltas: readonly MemberDelta[]): boolean;
  /** Lists that are full. */
  fullLists(): readonly FullList[];
  /** The table asks no other programs than these any more; says why what is left over could not be removed. */
  keepPrograms(address: TableAddress, names: ReadonlySet<string>): string | undefined;
  /** Calling it again does nothing. */
  close(): void;
}
