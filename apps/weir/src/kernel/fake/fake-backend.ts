import type { Family } from '@weir/wire/inet';
import type { MapEntry } from '../../model/kernel-map.ts';
import type { ForeignChain } from '../../model/kernel-port.ts';
import type { PrefixColumns } from '../../model/member-delta.ts';
import type {
  AddressTest,
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
} from '../backend.ts';
import type { FakeKernel } from './fake-kernel.ts';
import { columnsOfRanges, rangesOfPrefixes } from './fake-ranges.ts';
import { elementKey, type FakeRule, type FakeSet, type FakeTable } from './fake-ruleset.ts';

/** What a backend has of its own at the kernel. */
export interface FakeConnection {
  readonly process: string;
  readonly poll: (visit: (commit: ForeignCommit) => void) => PollOutcome;
  readonly waiting: () => boolean;
  readonly leave: () => void;
}

/** A process's view of a FakeKernel. */
export class FakeBackend implements KernelBackend {
  readonly #kernel: FakeKernel;
  readonly #connection: FakeConnection;
  #closed = false;
  readonly asksPrograms = true;

  constructor(kernel: FakeKernel, connection: FakeConnection) {
    this.#kernel = kernel;
    this.#connection = connection;
  }

  get ownership(): boolean {
    return this.#kernel.ownership;
  }

  get realm(): string {
    return this.#kernel.realm;
  }

  readTable(address: TableAddress): TableInfo | undefined {
    const table = this.#kernel.ruleset.table(address);
    if (!table) return undefined;
    return {
      ...address,
      comment: table.comment,
      owner: table.owner !== undefined,
      persist: table.persist,
      ours: table.owner === undefined || table.owner === this.#connection.process,
      sets: [
        ...[...table.sets.values()].map((set) => infoOf(table, set)),
        ...[...table.maps.values()].map((map) => ({ ...otherInfo(table, map), map: true, interval: map.ranges })),
        ...[...table.meters.values()].map((meter) => ({ ...otherInfo(table, meter), dynamic: true, expires: true, size: meter.size })),
      ],
      chains: [...table.chains.values()].map(({ name, hook, priority, rules }) => ({
        name,
        hook,
        priority: hook && priority,
        policy: hook && 'accept',
        rules: rules.map(ruleInfo),
      })),
    };
  }

  readRules(address: TableAddress, chain: string): readonly RuleInfo[] {
    return (this.#kernel.ruleset.table(address)?.chains.get(chain)?.rules ?? []).map(ruleInfo);
  }

  baseChains(): readonly ForeignChain[] {
    return [...this.#kernel.ruleset.tables].flatMap(([key, table]) =>
      [...table.chains.values()].flatMap(({ name, hook, priority }): ForeignChain[] => {
        const [family = '', tableName = ''] = key.split(' ');
        return hook ? [{ family, table: tableName, chain: name, hook, priority: priority ?? 0, policy: 'accept' }] : [];
      }),
    );
  }

  readSet(address: SetAddress): SetInfo | undefined {
    const table = this.#kernel.ruleset.table(address);
    const set = table?.sets.get(address.set);
    return table && set && infoOf(table, set);
  }

  readElements(set: SetInfo): ReturnType<KernelBackend['readElements']> {
    const all = this.#kernel.elements(set);
    const partial = this.#kernel.partialListings;
    return { ranges: columnsOfRanges(set.keyFamily ?? 4, partial ? all.filter((_, i) => i % 2 === 1) : all), complete: !partial };
  }

  readMap(address: SetAddress): readonly MapEntry[] {
    const entries = [...(this.#kernel.ruleset.table(address)?.maps.get(address.set)?.entries.values() ?? [])];
    return entries.sort((a, b) => Buffer.compare(a.first, b.first));
  }

  present(set: SetInfo, elements: PrefixColumns): Uint8Array {
    const found = this.#kernel.ruleset.set(set)?.elements;
    return Uint8Array.from(rangesOfPrefixes(elements), (range) => (found?.has(elementKey(range)) ? 1 : 0));
  }

  /** Programs are not looked at here. */
  pinAt(): undefined {
    return undefined;
  }

  keepPrograms(): string | undefined {
    return undefined;
  }

  loadPrograms(): Iterator<undefined, void> {
    return [][Symbol.iterator]();
  }

  bindPrograms(): ProgramBindings {
    return new Map();
  }

  applyMembers(): boolean {
    return false;
  }

  fullLists(): readonly FullList[] {
    return [];
  }

  commit(operations: readonly Operation[]): Outcome {
    return this.#kernel.commit(operations, this.#connection.process);
  }

  poll(visit: (commit: ForeignCommit) => void): PollOutcome {
    return this.#connection.poll(visit);
  }

  isCaughtUp(): boolean {
    return !this.#connection.waiting();
  }

  async wait(): Promise<boolean> {
    return !this.#closed && this.#connection.waiting();
  }

  /** It tracks no connections. */
  cutConnections(_family: Family, _closed: AddressTest): number {
    return 0;
  }

  /** Nothing is tracked here. */
  listConnections(): ReturnType<KernelBackend['listConnections']> {
    return { connections: [], total: 0 };
  }

  deleteConnections(): number {
    return 0;
  }

  openRoutes(): KernelRoutes {
    return { isLocal: () => false, to: () => undefined, close: () => undefined };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.leave();
  }
}

function ruleInfo({ handle, name, fingerprint, expressions }: FakeRule): RuleInfo {
  return { handle, name, fingerprint, counts: expressions.some((e) => e.kind === 'counter'), packets: 0, bytes: 0 };
}

/** Of a map or meter: its keys are nobody's members. */
function otherInfo(table: FakeTable, set: { readonly name: string; readonly handle: number }): SetInfo {
  return {
    family: table.family,
    table: table.name,
    set: set.name,
    keyFamily: undefined,
    interval: false,
    map: false,
    constant: false,
    dynamic: false,
    expires: false,
    size: undefined,
    identity: `${table.handle}/${set.handle}`,
  };
}

function infoOf(table: FakeTable, set: FakeSet): SetInfo {
  return {
    family: table.family,
    table: table.name,
    set: set.name,
    keyFamily: set.family,
    interval: set.interval,
    map: false,
    constant: false,
    dynamic: false,
    expires: false,
    size: set.size,
    identity: `${table.handle}/${set.handle}`,
  };
}
