import type { NftFamily, Notification, SetElement } from '@weir/netlink/nftables';
import { Reader } from '@weir/wire/bytes';
import { compareIp, decodeIp, type Family, type Ip, ip4, ip6, previousIp } from '@weir/wire/inet';
import type { ForeignChange, ForeignCommit, RangeColumns, SetAddress, TableAddress, TableFamily } from '../backend.ts';

/** Elements of one commit that are kept; beyond it the sets are to be read instead. */
const MAX_ELEMENTS = 200_000;
const MAX_CHANGES = 10_000;

/** What is known of a set whose elements are followed. */
export interface FollowedSet {
  readonly family: Family;
  readonly interval: boolean;
}

interface ElementRun {
  readonly address: SetAddress;
  readonly present: boolean;
  readonly set: FollowedSet;
  readonly firsts: Ip[];
  readonly ends: Ip[];
}

/**
 * Puts the notifications of other processes' commits together: a range comes as two elements, its first address and the one after its last. Elements of sets
 * that nobody follows, as of maps, are a change of their table's structure.
 */
export class ForeignChanges {
  readonly #followed: (address: SetAddress) => FollowedSet | undefined;
  #changes: ForeignChange[] = [];
  #run: ElementRun | undefined;
  #elements = 0;
  #overflow = false;

  constructor(followed: (address: SetAddress) => FollowedSet | undefined) {
    this.#followed = followed;
  }

  /** A change of the commit that is under way. */
  take(notification: Notification): void {
    if (notification.kind === 'new-elements' || notification.kind === 'delete-elements') {
      const { family, table, set, elements } = notification;
      if (inScope(family)) this.#take({ family, table, set }, notification.kind === 'new-elements', elements);
      return;
    }
    const change = structural(notification);
    if (change) this.#add(change);
  }

  #add(change: ForeignChange): void {
    this.#endRun();
    const last = this.#changes.at(-1);
    if (change.kind === 'structure' && last?.kind === 'structure' && sameTable(last.address, change.address)) return;
    if (this.#changes.length < MAX_CHANGES) this.#changes.push(change);
    else this.#overflow = true;
  }

  #take(address: SetAddress, present: boolean, elements: readonly SetElement[]): void {
    const set = this.#followed(address);
    if (!set) {
      this.#add({ kind: 'structure', address: { family: address.family, table: address.table } });
      return;
    }
    let run = this.#run;
    if (!run || run.present !== present || !sameSet(run.address, address)) {
      this.#endRun();
      run = { address, present, set, firsts: [], ends: [] };
      this.#run = run;
    }
    for (const { key, intervalEnd } of elements) {
      if (key?.length !== (set.family === 4 ? 4 : 16)) continue;
      if (this.#elements >= MAX_ELEMENTS) {
        this.#overflow = true;
        return;
      }
      this.#elements++;
      (intervalEnd ? run.ends : run.firsts).push(decodeIp(new Reader(key), set.family));
    }
  }

  #endRun(): void {
    const run = this.#run;
    this.#run = undefined;
    if (!run || run.firsts.length === 0) return;
    const { address, present } = run;
    this.#changes.push({ kind: 'elements', present, address, ranges: rangesOf(run) });
  }

  /** The commit is over. Undefined when it changed nothing that matters; `overflow` when it changed more than is kept. */
  end(process: string | undefined): ForeignCommit | 'overflow' | undefined {
    this.#endRun();
    const changes = this.#changes;
    const overflow = this.#overflow;
    this.reset();
    return overflow ? 'overflow' : changes.length === 0 ? undefined : { process, changes };
  }

  /** Forgets the commit under way: some of its notifications were lost. */
  reset(): void {
    this.#changes = [];
    this.#run = undefined;
    this.#elements = 0;
    this.#overflow = false;
  }
}

function rangesOf({ set, firsts, ends }: ElementRun): RangeColumns {
  const { family, interval } = set;
  const k = family === 4 ? 1 : 4;
  const count = firsts.length;
  const columns = { family, count, firsts: new Uint32Array(count * k), lasts: new Uint32Array(count * k) };
  if (interval) {
    firsts.sort(compareIp);
    ends.sort(compareIp);
  }
  let next = 0;
  for (const [i, first] of firsts.entries()) {
    let last: Ip = first;
    if (interval) {
      while (next < ends.length && compareIp(ends[next] as Ip, first) <= 0) next++;
      const end = ends[next];
      last = end ? previousIp(end) : highest(family);
    }
    put(columns.firsts, i, first);
    put(columns.lasts, i, last);
  }
  return columns;
}

function put(words: Uint32Array, i: number, ip: Ip): void {
  if (ip.family === 4) words[i] = ip.w0;
  else words.set([ip.w0, ip.w1, ip.w2, ip.w3], i * 4);
}

function highest(family: Family): Ip {
  const all = 0xffffffff;
  return family === 4 ? ip4(all) : ip6(all, all, all, all);
}

function sameSet(a: SetAddress, b: SetAddress): boolean {
  return a.set === b.set && sameTable(a, b);
}

function sameTable(a: TableAddress, b: TableAddress): boolean {
  return a.table === b.table && a.family === b.family;
}

function structural(n: Notification): ForeignChange | undefined {
  switch (n.kind) {
    case 'new-table':
    case 'delete-table':
      if (!inScope(n.table.family)) return undefined;
      return { kind: 'table', present: n.kind === 'new-table', address: { family: n.table.family, table: n.table.name } };
    case 'new-set':
    case 'delete-set':
      if (!inScope(n.set.family) || n.set.flags.anonymous) return undefined;
      return { kind: 'set', present: n.kind === 'new-set', address: { family: n.set.family, table: n.set.table, set: n.set.name } };
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

function inScope(family: NftFamily): family is TableFamily {
  return family === 'inet' || family === 'ip' || family === 'ip6';
}
