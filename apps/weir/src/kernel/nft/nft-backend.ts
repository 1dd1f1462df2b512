import { readFileSync, statSync } from 'node:fs';
import { decodeNotification, NFT_MSG, NftClient, type NftSet, NftTransaction, nftType, setType, type Table } from '@weir/netlink/nftables';
import { type CommitResult, NetfilterMonitor, NFNLGRP_NFTABLES } from '@weir/netlink/socket';
import { networkNamespacePath, SystemError } from '@weir/sys';
import type { Family } from '@weir/wire/inet';
import type { MapEntry } from '../../model/kernel-map.ts';
import type { ForeignChain } from '../../model/kernel-port.ts';
import type { MatchProgram } from '../../model/match-program.ts';
import type { MemberDelta, PrefixColumns } from '../../model/member-delta.ts';
import type {
  AddressTest,
  AskedPrograms,
  ForeignCommit,
  FullList,
  KernelBackend,
  KernelRoutes,
  Operation,
  Outcome,
  PollOutcome,
  ProgramBindings,
  RuleInfo,
  SetAddress,
  SetInfo,
  TableAddress,
  TableInfo,
  TrackedConnection,
} from '../backend.ts';
import type { KnownMembers } from '../ebpf/engine.ts';
import type { ListStore } from '../ebpf/list-store.ts';
import { PinnedMatches } from '../ebpf/pinned-matches.ts';
import { RouteTable } from '../routes/index.ts';
import { outcomeOf } from './commit-outcome.ts';
import { elementColumns, rangeColumns } from './element-shapes.ts';
import { type FollowedSet, ForeignChanges } from './foreign-changes.ts';
import { encodeOperation } from './operations.ts';
import { entriesOf } from './range-elements.ts';
import { byChain, ruleInfo } from './rule-info.ts';
import { canAskPrograms, deletedTables, keepPrograms, refusePrograms, ruleProgramPlaces, sayWhatIsMissing } from './rule-programs.ts';
import { TrackedConnections } from './tracked-connections.ts';

/** A commit of more elements is made without notifications, which would cost more than the commit and overrun the socket. */
const QUIET = 5_000;
/** How often such a commit is tried again when others commit at the same moment. */
const QUIET_ATTEMPTS = 5;
/** Milliseconds between two looks at the generation, in case a notification went missing unnoticed. */
const AUDIT = 5_000;
const RECEIVE_BUFFER = 32 * 1024 * 1024;
const GENERATION = nftType(NFT_MSG.newGen);
const IPV4_ADDR = setType('ipv4_addr').type;
const IPV6_ADDR = setType('ipv6_addr').type;

export interface NftBackendOptions {
  /** Network namespace to work on: a name as in `ip netns`, or a path; the process's own when absent. */
  readonly netns: string | undefined;
  /** Whether to make tables with an owner; found out when absent. */
  readonly ownership?: boolean;
  /** Rules cannot ask eBPF programs, whatever the kernel has; found out when absent. */
  readonly withoutPrograms?: boolean;
  /** Descriptor of the socket that owned the table before, where one was kept; used if it fits. */
  readonly heldSocket?: number | undefined;
}

/** nf_tables and conntrack of one network namespace over netlink. */
export class NftBackend implements KernelBackend {
  readonly #client: NftClient;
  readonly #monitor: NetfilterMonitor;
  readonly #netns: { readonly netns?: string };
  readonly #conntrack: TrackedConnections;
  readonly #changes: ForeignChanges;
  readonly #programs: PinnedMatches;
  /** Sets that were read, whose elements are followed. */
  readonly #followed = new Map<string, FollowedSet>();
  /** Commits of others that were read while one of Weir's own was prepared. */
  #waiting: ForeignCommit[] = [];
  #lost = false;
  #closed = false;
  /** The last generation that a notification told of. */
  #generation = 0;
  #audited = 0;
  #ownership: boolean | undefined;
  readonly #withoutPrograms: boolean;
  #asksPrograms = false;
  readonly realm: string;

  constructor(options: NftBackendOptions) {
    this.#netns = options.netns === undefined ? {} : { netns: options.netns };
    this.#conntrack = new TrackedConnections(options.netns);
    this.#client = new NftClient({ ...this.#netns, ...(options.heldSocket === undefined ? {} : { adopt: options.heldSocket }) });
    try {
      this.realm = realmOf(options.netns);
      this.#programs = new PinnedMatches(this.realm.split(' ')[1] ?? '');
      this.#monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], receiveBuffer: RECEIVE_BUFFER, ...this.#netns });
      this.#changes = new ForeignChanges((address) => this.#followed.get(keyOf(address)));
      this.#ownership = options.ownership;
      this.#withoutPrograms = options.withoutPrograms ?? false;
      this.#generation = this.#client.generation().id;
    } catch (error) {
      this.#client.close();
      throw error;
    }
  }

  /** The socket that owns tables. */
  get socket(): { readonly descriptor: number; readonly adopted: boolean } {
    return this.#client.connection;
  }

  /** Asked of the kernel when it is first needed: without a table of Weir's own a start sends nothing. */
  get ownership(): boolean {
    this.#ownership ??= this.#probeOwnership();
    return this.#ownership;
  }

  get asksPrograms(): boolean {
    // What is missing may come: it is looked for again.
    this.#asksPrograms ||= !this.#withoutPrograms && canAskPrograms(this.#netns.netns);
    return this.#asksPrograms;
  }

  /** A table that is added and removed in one transaction leaves nothing behind but the answer. */
  #probeOwnership(): boolean {
    const name = `weir-probe-${process.pid}`;
    const probe = new NftTransaction();
    probe.addTable({ family: 'inet', name, flags: { owner: true, persist: true } }).deleteTable({ family: 'inet', name });
    const result = this.#client.commit(probe);
    if (result.kind === 'committed') return true;
    if (result.kind === 'refused' && result.errors.some((e) => e.code === 'EPERM')) throw result.errors[0] ?? new Error('refused');
    return false;
  }

  readTable(address: TableAddress): TableInfo | undefined {
    const table = this.#client.table(address.family, address.table);
    if (!table) return undefined;
    // A kernel that has such a table need not be asked.
    if (table.flags?.owner && table.flags.persist) this.#ownership ??= true;
    const scope = { family: address.family, table: address.table };
    const rules = byChain(this.#client.rules({ ...scope, only: 'counter' }));
    const chains = this.#client.chains(scope).map((chain) => ({
      name: chain.name,
      hook: chain.base?.hook,
      priority: chain.base?.priority,
      policy: chain.base ? (chain.base.policy ?? ('accept' as const)) : undefined,
      rules: (rules.get(chain.name) ?? []).map(ruleInfo),
    }));
    const sets = this.#client.sets(scope).filter((set) => !set.flags.anonymous);
    return {
      ...address,
      comment: table.comment,
      owner: table.flags?.owner ?? false,
      persist: table.flags?.persist ?? false,
      ours: this.#isOurs(table),
      sets: sets.map((set) => this.#info(address, set, table)),
      chains,
    };
  }

  readRules({ family, table }: TableAddress, chain: string): readonly RuleInfo[] {
    return this.#client.rules({ family, table, chain, only: 'counter' }).map(ruleInfo);
  }

  baseChains(): readonly ForeignChain[] {
    return this.#client
      .chains()
      .flatMap(({ family, table, name, base }): ForeignChain[] =>
        base ? [{ family, table, chain: name, hook: base.hook, priority: base.priority, policy: base.policy ?? 'accept' }] : [],
      );
  }

  #isOurs(table: Table): boolean {
    const owner = table.ownerPortId ?? 0;
    return !(table.flags?.owner ?? false) || owner === 0 || owner === this.#client.connection.portId;
  }

  readSet(address: SetAddress): SetInfo | undefined {
    const table = this.#client.table(address.family, address.table);
    const set = table && this.#client.set({ family: address.family, table: address.table, name: address.set });
    return table && set && this.#info(address, set, table);
  }

  #info(address: TableAddress, set: NftSet, table: Table): SetInfo {
    const family = keyFamily(set);
    const filled = !set.flags.map && !set.flags.dynamic;
    if (family && filled) this.#followed.set(keyOf({ ...address, set: set.name }), { family, interval: set.flags.interval ?? false });
    return {
      family: address.family,
      table: address.table,
      set: set.name,
      keyFamily: family,
      interval: set.flags.interval ?? false,
      map: set.flags.map ?? false,
      constant: set.flags.constant ?? false,
      dynamic: set.flags.dynamic ?? false,
      expires: set.timeout !== undefined,
      size: set.size,
      identity: `${table.handle ?? 0n}/${set.handle ?? 0n}`,
    };
  }

  readElements(set: SetInfo): ReturnType<KernelBackend['readElements']> {
    const found = this.#client.set({ family: set.family, table: set.table, name: set.set });
    const family = set.keyFamily ?? 4;
    if (!found) return { ranges: { family, count: 0, firsts: new Uint32Array(0), lasts: new Uint32Array(0) }, complete: true };
    const dump = this.#client.elementColumns(found);
    return { ranges: rangeColumns(family, dump.columns), complete: dump.consistent };
  }

  readMap(address: SetAddress): readonly MapEntry[] {
    const ref = { family: address.family, table: address.table, name: address.set };
    const set = this.#client.set(ref);
    if (!set) return [];
    const { interval, concatenated } = set.flags;
    return entriesOf(this.#client.elements(ref), !interval ? 'values' : concatenated ? 'boxes' : 'ranges');
  }

  present(set: SetInfo, elements: PrefixColumns): Uint8Array {
    const found = this.#client.presence({ family: set.family, table: set.table, name: set.set }, elementColumns(elements, set.interval));
    return Uint8Array.from(found, (state) => (state === 'present' ? 1 : 0));
  }

  commit(operations: readonly Operation[]): Outcome {
    const transaction = new NftTransaction<number>(1 << 16);
    const { places, refusals } = this.#withoutPrograms
      ? { places: new Map(), refusals: refusePrograms(operations) }
      : ruleProgramPlaces(this.#programs, operations);
    if (refusals.length > 0) return { kind: 'refused', refusals };
    operations.forEach((operation, index) => {
      encodeOperation(transaction, operation, index, places);
    });
    const elements = operations.reduce((sum, o) => sum + ('elements' in o ? o.elements.count : 0), 0);
    try {
      const result = elements > QUIET ? this.#commitQuietly(transaction) : this.#client.commit(transaction);
      const outcome = sayWhatIsMissing(outcomeOf(result), operations);
      if (outcome.kind === 'committed') for (const address of deletedTables(operations)) this.keepPrograms(address, new Set());
      return outcome;
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'EMSGSIZE') throw error;
      return { kind: 'refused', refusals: [{ operation: undefined, element: undefined, code: error.code, message: error.message }] };
    }
  }

  /**
   * Commits without notifications, which nobody else needs either when it is Weir's own. What others commit meanwhile would go unnoticed, so the
   * transaction is bound to the generation that was seen last.
   */
  #commitQuietly(transaction: NftTransaction<number>): CommitResult<number> {
    for (let attempt = 1; attempt <= QUIET_ATTEMPTS; attempt++) {
      this.#collect();
      const generation = this.#client.generation().id;
      if (generation !== this.#generation) continue;
      this.#monitor.pause();
      let result: CommitResult<number>;
      try {
        result = this.#client.commit(transaction, { generation });
      } finally {
        this.#monitor.resume();
      }
      const after = this.#client.generation().id;
      if (result.kind === 'committed' && after === nextGeneration(generation)) this.#generation = after;
      else if (after !== generation) this.#lost = true;
      if (result.kind !== 'stale') return result;
    }
    return this.#client.commit(transaction);
  }

  poll(visit: (commit: ForeignCommit) => void): PollOutcome {
    this.#collect();
    this.#audit();
    const commits = this.#waiting;
    this.#waiting = [];
    for (const commit of commits) visit(commit);
    const lost = this.#lost;
    this.#lost = false;
    return lost ? 'lost' : 'current';
  }

  isCaughtUp(): boolean {
    this.#collect();
    return !this.#lost && this.#waiting.length === 0 && this.#generation === this.#client.generation().id;
  }

  /** Reads the notifications that wait. */
  #collect(): void {
    const own = this.#client.connection.portId;
    for (;;) {
      const outcome = this.#monitor.read((header, netfilter, r) => {
        const generation = header.type === GENERATION;
        if (header.portId === own && !generation) return;
        const notification = decodeNotification(header, netfilter, r);
        if (notification?.kind !== 'generation') {
          if (notification) this.#changes.take(notification);
          return;
        }
        this.#generation = notification.generation.id;
        const commit = this.#changes.end(notification.generation.processName);
        if (commit === 'overflow') this.#lost = true;
        else if (commit) this.#waiting.push(commit);
      });
      if (outcome === 'overrun') {
        this.#lost = true;
        this.#changes.reset();
        this.#generation = this.#client.generation().id;
      }
      if (outcome !== 'more') return;
    }
  }

  #audit(): void {
    const now = performance.now();
    if (now - this.#audited < AUDIT) return;
    this.#audited = now;
    const generation = this.#client.generation().id;
    if (generation === this.#generation) return;
    this.#collect();
    if (generation === this.#generation || this.#generation === this.#client.generation().id) return;
    this.#lost = true;
    this.#generation = generation;
  }

  pinAt(directory: string | undefined): void {
    this.#programs.pinAt(directory);
  }

  loadPrograms({ table }: TableAddress, programs: readonly MatchProgram[], directory: string | undefined): Generator<undefined, void> {
    return this.#programs.load(table, programs, directory);
  }

  bindPrograms({ table }: TableAddress, asked: AskedPrograms, known: KnownMembers): ProgramBindings {
    return this.#programs.bind(table, asked, known);
  }

  applyMembers(deltas: readonly MemberDelta[]): boolean {
    return this.#programs.apply(deltas);
  }

  fullLists(): readonly FullList[] {
    return this.#programs.lists().filter(({ leftOut }) => leftOut > 0);
  }

  /** Programs of rules look into the lists of the hooks of programs, where there are such. */
  shareLists(shared: () => ListStore | undefined): void {
    this.#programs.shareLists(shared);
  }

  keepPrograms({ table }: TableAddress, names: ReadonlySet<string>): string | undefined {
    return keepPrograms(this.#programs, table, names);
  }

  async wait(timeout: number): Promise<boolean> {
    return !this.#closed && this.#monitor.waitReadable(timeout);
  }

  cutConnections(family: Family, closed: AddressTest): number {
    return this.#conntrack.cut(family, closed);
  }

  listConnections(most: number): ReturnType<KernelBackend['listConnections']> {
    return this.#conntrack.list(most);
  }

  deleteConnections(connections: readonly TrackedConnection[]): number {
    return this.#conntrack.delete(connections.map(({ key }) => key));
  }

  openRoutes(): KernelRoutes {
    return new RouteTable(this.#netns.netns);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#monitor.close();
    this.#conntrack.close();
    this.#programs.close();
    this.#client.close();
  }
}

function keyFamily(set: NftSet): Family | undefined {
  if (set.keyType === IPV4_ADDR && set.keyLength === 4) return 4;
  return set.keyType === IPV6_ADDR && set.keyLength === 16 ? 6 : undefined;
}

function keyOf({ family, table, set }: SetAddress): string {
  return `${family} ${table} ${set}`;
}

/** Generations count up and leave out 0. */
function nextGeneration(id: number): number {
  return id === 0xffffffff ? 1 : id + 1;
}

function realmOf(netns: string | undefined): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const { ino } = statSync(netns === undefined ? '/proc/thread-self/ns/net' : networkNamespacePath(netns));
  return `${boot} ${ino}`;
}
