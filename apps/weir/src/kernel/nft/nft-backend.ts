import { ConntrackClient, type ConntrackKey } from '@weir/netlink/conntrack';
import { decodeNotification, NftClient, type NftSet, NftTransaction, type Notification, setType, type Table } from '@weir/netlink/nftables';
import { NetfilterMonitor, NFNLGRP_NFTABLES } from '@weir/netlink/socket';
import type { Family } from '@weir/wire/inet';
import type {
  AddressTest,
  ForeignChange,
  ForeignCommit,
  KernelBackend,
  Operation,
  Outcome,
  PollOutcome,
  PrefixColumns,
  Refusal,
  SetAddress,
  SetInfo,
  TableAddress,
  TableInfo,
} from '../backend.ts';
import { elementColumns, rangeColumns } from './element-shapes.ts';
import { encodeOperation } from './operations.ts';
import { RuleMark } from './rule-mark.ts';

/** Foreign commits whose changes are kept while they are collected; beyond it everything is read again. */
const MAX_PENDING_CHANGES = 10_000;
const IPV4_ADDR = setType('ipv4_addr').type;
const IPV6_ADDR = setType('ipv6_addr').type;

export interface NftBackendOptions {
  /** Network namespace to work on: a name as in `ip netns`, or a path; the process's own when absent. */
  readonly netns: string | undefined;
}

/** nf_tables and conntrack of one network namespace over netlink. */
export class NftBackend implements KernelBackend {
  readonly #client: NftClient;
  readonly #monitor: NetfilterMonitor;
  readonly #netns: { readonly netns?: string };
  #conntrack: ConntrackClient | undefined;
  #changes: ForeignChange[] = [];
  #lost = false;
  #closed = false;
  readonly ownership: boolean;

  constructor(options: NftBackendOptions) {
    this.#netns = options.netns === undefined ? {} : { netns: options.netns };
    this.#client = new NftClient(this.#netns);
    try {
      this.#monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], ...this.#netns });
      this.ownership = this.#probeOwnership();
    } catch (error) {
      this.#client.close();
      throw error;
    }
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
    const scope = { family: address.family, table: address.table };
    const rules = this.#client.rules(scope);
    const chains = this.#client.chains(scope).map((chain) => ({
      name: chain.name,
      hook: chain.base?.hook,
      priority: chain.base?.priority,
      policy: chain.base ? (chain.base.policy ?? ('accept' as const)) : undefined,
      rules: rules
        .filter((rule) => rule.chain === chain.name)
        .map((rule) => {
          const counter = rule.expressions.find((e) => e.kind === 'counter');
          return {
            handle: rule.handle ?? 0n,
            ...RuleMark.read(rule),
            packets: counter?.kind === 'counter' ? Number(counter.packets) : 0,
            bytes: counter?.kind === 'counter' ? Number(counter.bytes) : 0,
          };
        }),
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
    return {
      family: address.family,
      table: address.table,
      set: set.name,
      keyFamily: keyFamily(set),
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

  present(set: SetInfo, elements: PrefixColumns): Uint8Array {
    const found = this.#client.presence({ family: set.family, table: set.table, name: set.set }, elementColumns(elements, set.interval));
    return Uint8Array.from(found, (state) => (state === 'present' ? 1 : 0));
  }

  commit(operations: readonly Operation[]): Outcome {
    const transaction = new NftTransaction<number>(1 << 16);
    operations.forEach((operation, index) => {
      encodeOperation(transaction, operation, index);
    });
    const result = this.#client.commit(transaction);
    switch (result.kind) {
      case 'committed':
        return { kind: 'committed' };
      case 'unknown':
        return { kind: 'unknown' };
      case 'stale':
        return {
          kind: 'refused',
          refusals: [{ operation: undefined, element: undefined, code: 'ERESTART', message: 'the ruleset has changed' }],
        };
      case 'refused':
        return {
          kind: 'refused',
          refusals: result.errors.map((e): Refusal => ({ operation: e.tag, element: e.item, code: e.code, message: e.message })),
        };
    }
  }

  poll(visit: (commit: ForeignCommit) => void): PollOutcome {
    const own = this.#client.connection.portId;
    for (;;) {
      const outcome = this.#monitor.read((header, netfilter, r) => {
        if (header.portId === own) return;
        const notification = decodeNotification(header, netfilter, r);
        if (notification) this.#take(notification, visit);
      });
      if (outcome === 'overrun') this.#lost = true;
      if (outcome !== 'more') break;
    }
    const lost = this.#lost;
    this.#lost = false;
    return lost ? 'lost' : 'current';
  }

  #take(notification: Notification, visit: (commit: ForeignCommit) => void): void {
    if (notification.kind === 'generation') {
      const changes = this.#changes;
      this.#changes = [];
      if (changes.length > 0) visit({ process: notification.generation.processName, changes });
      return;
    }
    const change = foreignChange(notification);
    if (!change) return;
    if (this.#changes.length < MAX_PENDING_CHANGES) this.#changes.push(change);
    else this.#lost = true;
  }

  async wait(timeout: number): Promise<boolean> {
    return !this.#closed && this.#monitor.waitReadable(timeout);
  }

  cutConnections(family: Family, closed: AddressTest): number {
    this.#conntrack ??= new ConntrackClient(this.#netns);
    let keys: ConntrackKey[] = [];
    this.#conntrack.each(
      (entry) => {
        const before = entry.original.destination;
        const after = entry.reply.source;
        if (closed(before.w0, before.w1, before.w2, before.w3) || closed(after.w0, after.w1, after.w2, after.w3)) {
          keys.push(entry.key);
        }
      },
      {
        family,
        restart: () => {
          keys = [];
        },
      },
    );
    return this.#conntrack.delete(keys);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#monitor.close();
    this.#conntrack?.close();
    this.#client.close();
  }
}

function keyFamily(set: NftSet): Family | undefined {
  if (set.keyType === IPV4_ADDR && set.keyLength === 4) return 4;
  return set.keyType === IPV6_ADDR && set.keyLength === 16 ? 6 : undefined;
}

function foreignChange(n: Notification): ForeignChange | undefined {
  switch (n.kind) {
    case 'new-table':
    case 'delete-table':
      return inScope(n.table.family)
        ? { kind: 'table', present: n.kind === 'new-table', address: { family: n.table.family, table: n.table.name } }
        : undefined;
    case 'new-set':
    case 'delete-set':
      return inScope(n.set.family)
        ? { kind: 'set', present: n.kind === 'new-set', address: { family: n.set.family, table: n.set.table, set: n.set.name } }
        : undefined;
    case 'new-elements':
    case 'delete-elements':
      return inScope(n.family)
        ? { kind: 'elements', present: n.kind === 'new-elements', address: { family: n.family, table: n.table, set: n.set } }
        : undefined;
    case 'new-chain':
    case 'delete-chain':
      return inScope(n.chain.family) ? { kind: 'structure', address: { family: n.chain.family, table: n.chain.table } } : undefined;
    case 'new-rule':
    case 'delete-rule':
      return inScope(n.rule.family) ? { kind: 'structure', address: { family: n.rule.family, table: n.rule.table } } : undefined;
    default:
      return undefined;
  }
}

function inScope(family: string): family is 'inet' | 'ip' | 'ip6' {
  return family === 'inet' || family === 'ip' || family === 'ip6';
}
