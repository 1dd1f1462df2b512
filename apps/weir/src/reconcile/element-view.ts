import { type Family, type Ip, type Prefix, rangeAsPrefix } from '@weir/wire/inet';
import { MemberSet } from '../compile/nft/member-set.ts';
import { eachPrefix, ipAt } from '../compile/nft/prefix-columns.ts';
import type { RangeColumns } from '../kernel/backend.ts';
import type { PrefixColumns } from '../model/member-delta.ts';

/** It is an element, and Weir added it. */
const OURS = 1;
/** The ledger has it. */
const LEDGERED = 2;
/** Waiting to be compared with the kernel, or in a change that was taken. */
const QUEUED = 4;

/** What a commit is to change in one kernel set. `adds` and `removes` are the view's ids of what the columns hold. */
export interface ElementChange {
  readonly adds: readonly number[];
  readonly removes: readonly number[];
  readonly added: PrefixColumns;
  readonly removed: PrefixColumns;
}

/** What reading the whole set again showed: elements of ours that are not there, and those that are there against what was known. */
export interface Reloaded {
  readonly missing: number;
  readonly intruders: number;
}

/**
 * One kernel set as it should be and as it is known to be: its members, and which of the elements that they ask for Weir has put there. In an
 * `exclusive` set every element is Weir's to remove, as in a table that it owns; elsewhere what Weir did not add is foreign and stays.
 *
 * Memory: about 12 (IPv4) or 28 bytes a prefix in a hash set, 45 or 70 in an interval set; members of several million fit.
 */
export class ElementView {
  readonly exclusive: boolean;
  readonly #members: MemberSet;
  #marks: Uint8Array = new Uint8Array(1024);
  /** Ids whose being desired and being installed may differ. */
  #queue: number[] = [];
  /** Ids that are in the ledger and no longer have a reason to be. */
  #unledger: number[] = [];
  #ours = 0;
  #ledgered = 0;

  constructor(family: Family, interval: boolean, exclusive: boolean) {
    this.exclusive = exclusive;
    this.#members = new MemberSet(family, interval, (id) => this.#enqueue(id));
  }

  get family(): Family {
    return this.#members.family;
  }

  get interval(): boolean {
    return this.#members.interval;
  }

  get wanted(): number {
    return this.#members.wanted;
  }

  get covered(): number {
    return this.#members.covered;
  }

  get foreign(): number {
    return this.#members.foreign;
  }

  get installed(): number {
    return this.#ours;
  }

  get ledgered(): number {
    return this.#ledgered;
  }

  /** Whether something may have to be changed. */
  get pending(): boolean {
    return this.#queue.length > 0;
  }

  leftOut(limit: number): { readonly conflicts: Prefix[]; readonly unfit: Prefix[] } {
    return this.#members.leftOut(limit);
  }

  contains(w0: number, w1: number, w2: number, w3: number): boolean {
    return this.#members.contains(w0, w1, w2, w3);
  }

  /** A member is wanted or not. */
  want(w0: number, w1: number, w2: number, w3: number, length: number, wanted: boolean): void {
    const id = wanted ? this.#intern(w0, w1, w2, w3, length) : this.#members.find(w0, w1, w2, w3, length);
    if (id < 0) return;
    this.#members.setWanted(id, wanted);
    if (!wanted) this.#releaseIfIdle(id);
  }

  wantAll(members: PrefixColumns): void {
    eachPrefix(members, (w0, w1, w2, w3, length) => this.want(w0, w1, w2, w3, length, true));
  }

  /** Begins a complete list: what `want` does not name before `endComplete` is not wanted. */
  beginComplete(): void {
    this.#members.beginComplete();
  }

  endComplete(): void {
    for (const id of this.#members.unseen()) {
      this.#members.setWanted(id, false);
      this.#releaseIfIdle(id);
    }
  }

  /** Every wanted member, for a view of another kind of set. */
  wantedColumns(): PrefixColumns {
    return this.#members.columns(this.#members.allWanted());
  }

  installedColumns(): PrefixColumns {
    return this.#members.columns(this.#marked(OURS));
  }

  ledgerColumns(): PrefixColumns {
    return this.#members.columns(this.#marked(LEDGERED));
  }

  columns(ids: readonly number[]): PrefixColumns {
    return this.#members.columns(ids);
  }

  /**
   * Takes what a commit is to change, at most about `limit` elements; undefined when there is nothing. Elements whose places depend on each other go together, and
   * removals go before additions. `confirm` or `reject` follows before anything else is taken.
   */
  take(limit: number): ElementChange | undefined {
    let adds: number[] = [];
    let removes: number[] = [];
    const queue = this.#queue;
    this.#queue = [];
    for (const id of queue) {
      const desired = this.#members.isDesired(id);
      const marks = this.#marks[id] as number;
      if (desired === ((marks & OURS) !== 0)) {
        this.#marks[id] = marks & ~QUEUED;
        if (!desired && marks & LEDGERED) this.#unledger.push(id);
        this.#releaseIfIdle(id);
      } else if (desired) adds.push(id);
      else removes.push(id);
    }
    if (adds.length + removes.length > limit) {
      const mixed = adds.length > 0 && removes.length > 0;
      const all = [...removes, ...adds];
      const [now, later] = mixed ? this.#members.cut(all, limit) : [all.slice(0, limit), all.slice(limit)];
      this.#queue = later;
      adds = now.filter((id) => this.#members.isDesired(id));
      removes = now.filter((id) => !this.#members.isDesired(id));
    }
    if (adds.length === 0 && removes.length === 0) return undefined;
    return { adds, removes, added: this.#members.columns(adds), removed: this.#members.columns(removes) };
  }

  /** The change took effect. What was removed is still in the ledger: see `leaveLedger`. */
  confirm(change: ElementChange): void {
    for (const id of change.adds) this.#settle(id, OURS);
    for (const id of change.removes) this.#settle(id, 0);
    this.#ours += change.adds.length - change.removes.length;
  }

  #settle(id: number, ours: number): void {
    this.#marks[id] = ((this.#marks[id] as number) & LEDGERED) | ours;
    if (ours === 0) this.#releaseIfIdle(id);
  }

  /** It did not: everything in it is compared again. */
  reject(change: ElementChange): void {
    for (const id of change.removes) this.#queue.push(id);
    for (const id of change.adds) this.#queue.push(id);
  }

  /** Marks these as in the ledger; returns those that were not. */
  enterLedger(ids: readonly number[]): readonly number[] {
    const fresh: number[] = [];
    for (const id of ids) {
      const marks = this.#marks[id] as number;
      if (marks & LEDGERED) continue;
      this.#marks[id] = marks | LEDGERED;
      fresh.push(id);
    }
    this.#ledgered += fresh.length;
    return fresh;
  }

  /** These are not in the ledger any more. */
  leaveLedger(ids: readonly number[]): void {
    for (const id of ids) {
      const marks = this.#marks[id] as number;
      if ((marks & LEDGERED) === 0) continue;
      this.#marks[id] = marks & ~LEDGERED;
      this.#ledgered--;
      this.#releaseIfIdle(id);
    }
  }

  /** What is in the ledger without being, or becoming, an element: to be written out of it and given to `leaveLedger`. */
  takeUnledgered(): readonly number[] {
    if (this.#unledger.length === 0) return [];
    const ids = [...new Set(this.#unledger)].filter(
      (id) => ((this.#marks[id] as number) & (LEDGERED | OURS)) === LEDGERED && !this.#members.isDesired(id),
    );
    this.#unledger = [];
    return ids;
  }

  /** What the ledger's file says. */
  loadLedger(members: PrefixColumns): void {
    eachPrefix(members, (w0, w1, w2, w3, length) => {
      const id = this.#intern(w0, w1, w2, w3, length);
      this.enterLedger([id]);
      this.#enqueue(id);
    });
  }

  /** The kernel refused to add it because something is in its way. Left out until `retryCollided`. */
  collide(id: number): void {
    this.#members.collide(id);
  }

  retryCollided(): void {
    this.#members.retryCollided();
  }

  /** It is not in the kernel, whatever was thought. */
  vanished(id: number): void {
    const marks = this.#marks[id] as number;
    if ((marks & OURS) === 0) return;
    this.#marks[id] = marks & ~OURS;
    this.#ours--;
    this.#enqueue(id);
  }

  /** What is installed and not in the ledger. */
  unrecorded(): readonly number[] {
    return this.#marked(OURS).filter((id) => ((this.#marks[id] as number) & LEDGERED) === 0);
  }

  /** What is installed counts as wanted until somebody says otherwise. */
  adopt(): void {
    for (const id of this.#marked(OURS)) this.#members.setWanted(id, true);
  }

  /** An element that the kernel refused because it is there already turned out to be Weir's. */
  claim(id: number): void {
    this.#found(id);
  }

  isInstalled(id: number): boolean {
    return ((this.#marks[id] as number) & OURS) !== 0;
  }

  isDesired(id: number): boolean {
    return this.#members.isDesired(id);
  }

  /** It is in the kernel, and Weir's. */
  #found(id: number): void {
    const marks = this.#marks[id] as number;
    if (marks & OURS) return;
    this.#marks[id] = marks | OURS;
    this.#ours++;
    this.#enqueue(id);
  }

  /** Another process added an element. An intruder is one in a set where nobody else may have any: the next commit removes it unless it is wanted. */
  foreignAdded(first: Ip, last: Ip): 'intruder' | 'foreign' {
    const block = this.exclusive ? rangeAsPrefix(first, last) : undefined;
    if (!block) {
      this.#members.foreignAdded(first, last);
      return 'foreign';
    }
    this.#found(this.#intern(block.w0, block.w1, block.w2, block.w3, block.length));
    return 'intruder';
  }

  /** Another process removed the element that begins here. */
  foreignRemoved(first: Ip): 'ours' | 'foreign' | 'unknown' {
    const id = this.#members.startingAt(first, (entry) => ((this.#marks[entry] as number) & OURS) !== 0);
    const foreign = id < 0 && this.#members.foreignRemoved(first);
    if (id >= 0) this.vanished(id);
    return id >= 0 ? 'ours' : foreign ? 'foreign' : 'unknown';
  }

  /**
   * Takes over what the kernel has. An element that is exactly one that was ours or is in the ledger is ours; every other is somebody else's, or in an
   * exclusive set ours too. `verify` is asked (1: it is there) about members that a listing does not show which may not be complete.
   */
  reload(ranges: RangeColumns, verify?: (members: PrefixColumns) => Uint8Array): Reloaded {
    const was = this.#marked(OURS);
    const seen = new Set<number>();
    const strangers: { readonly first: Ip; readonly last: Ip }[] = [];
    let intruders = 0;
    for (let i = 0; i < ranges.count; i++) {
      const first = ipAt(this.family, ranges.firsts, i);
      const last = ipAt(this.family, ranges.lasts, i);
      const id = this.#elementId(first, last);
      if (id < 0) {
        strangers.push({ first, last });
        continue;
      }
      seen.add(id);
      if (((this.#marks[id] as number) & (OURS | LEDGERED)) === 0) intruders++;
      this.#found(id);
    }
    if (verify) {
      const doubtful = this.#marked(OURS | LEDGERED).filter((id) => !seen.has(id));
      const there = verify(this.#members.columns(doubtful));
      doubtful.forEach((id, i) => {
        if (there[i] !== 1) return;
        seen.add(id);
        this.#found(id);
      });
    }
    const missing = was.filter((id) => !seen.has(id));
    for (const id of missing) this.vanished(id);
    this.#members.replaceForeign(strangers);
    return { missing: missing.length, intruders };
  }

  /** The entry that an element of the kernel is, where it is Weir's; else -1. */
  #elementId(first: Ip, last: Ip): number {
    const block = rangeAsPrefix(first, last);
    if (!block) return -1;
    if (this.exclusive) return this.#intern(block.w0, block.w1, block.w2, block.w3, block.length);
    const id = this.#members.find(block.w0, block.w1, block.w2, block.w3, block.length);
    return id >= 0 && (this.#marks[id] as number) & (OURS | LEDGERED) ? id : -1;
  }

  /** The kernel set is gone: nothing is installed, and nothing of others is there. What the ledger says is void. */
  lost(): void {
    for (const id of this.#marked(OURS)) this.vanished(id);
    this.leaveLedger(this.#marked(LEDGERED));
    this.#members.replaceForeign([]);
  }

  #marked(mask: number): number[] {
    const ids: number[] = [];
    for (let id = 0; id < this.#members.limit; id++) if ((this.#marks[id] as number) & mask) ids.push(id);
    return ids;
  }

  #enqueue(id: number): void {
    const marks = this.#marks[id] as number;
    if (marks & QUEUED) return;
    this.#marks[id] = marks | QUEUED;
    this.#queue.push(id);
  }

  #intern(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const id = this.#members.intern(w0, w1, w2, w3, length);
    if (this.#members.limit > this.#marks.length) {
      const grown = new Uint8Array(Math.max(this.#marks.length * 2, this.#members.limit));
      grown.set(this.#marks);
      this.#marks = grown;
    }
    return id;
  }

  #releaseIfIdle(id: number): void {
    if (this.#marks[id] === 0 && this.#members.isIdle(id)) this.#members.release(id);
  }
}
