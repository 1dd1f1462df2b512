import type { MemberDelta } from '../model/member-delta.ts';
import type { NamedSet } from '../model/named-set.ts';
import { ChangeList } from './change-list.ts';
import { ChurnQueues } from './churn-queues.ts';
import { FAMILY_INDEXES, type FamilyIndex } from './family-index.ts';
import type { FamilyRib } from './family-rib.ts';
import type { PrefixGuard } from './guard.ts';
import { CELL, MemberTable } from './member-table.ts';
import { type RefusalReason, Refusals } from './refusals.ts';

/** What a set needs of everything around it. */
export interface SetSurroundings {
  readonly ribs: readonly [FamilyRib, FamilyRib];
  /** Milliseconds of the present turn. */
  readonly now: () => number;
  /** Receipt of the message behind the present turn, for latency figures. */
  readonly receivedAt: () => number;
  /** The peers with a route that gives this prefix to the set, each once. */
  readonly contributors: (set: number, family: FamilyIndex, prefix: number) => readonly number[];
  /** Something waits for `advance`. */
  readonly waits: () => void;
  readonly refused: (set: SetState, family: FamilyIndex, prefix: number, peer: number, reason: RefusalReason) => void;
}

/** Of a member among those of both families: its prefix, and this more for IPv6. */
const FAMILY_KEY = 0x100000000;

/**
 * The members of one named set. A member is *asked for* while a contribution counts for it, and *installed* or *waiting* then: it waits
 * when the set is full (`maxMembers`; what is installed wins) or when each peer that asks for it has spent its churn. The invariant is that all
 * contributions of a prefix are counted, and either all of them are behind an installed member or all wait. A waiting member is in the
 * queue for room or in the churn queue of every peer that asks for it. Removals act at once and cost nothing.
 *
 * `drain` gives the net changes since the last one; a member that went and came back between two drains costs no churn and keeps its place.
 */
export class SetState {
  readonly index: number;
  readonly refusals: Refusals = new Refusals();
  #definition: NamedSet;
  #guard: PrefixGuard;
  readonly #around: SetSurroundings;
  readonly #tables: readonly [MemberTable, MemberTable] = [new MemberTable(), new MemberTable()];
  readonly #changes: readonly [ChangeList, ChangeList] = [new ChangeList(), new ChangeList()];
  #installed = 0;
  /** Entries with a count. */
  #asked = 0;
  #ledger: [number, number] = [0, 0];
  readonly #forRoom = new Set<number>();
  readonly #churn: ChurnQueues;
  #complete = false;
  /** Entries of the family being drained that are to be forgotten once their columns are made. */
  #unasked: number[] = [];

  constructor(index: number, definition: NamedSet, guard: PrefixGuard, around: SetSurroundings) {
    this.index = index;
    this.#definition = definition;
    this.#guard = guard;
    this.#around = around;
    this.#churn = new ChurnQueues(definition.guard.churn);
  }

  get definition(): NamedSet {
    return this.#definition;
  }

  get guard(): PrefixGuard {
    return this.#guard;
  }

  /** Installed members over both families. */
  get installed(): number {
    return this.#installed;
  }

  /** Members that are asked for and not installed. */
  get waiting(): number {
    return this.#asked - this.#installed;
  }

  /** Contributions of the ledger that still count. */
  ledgerCount(family: FamilyIndex): number {
    return this.#ledger[family];
  }

  get bytes(): number {
    return this.#tables[0].bytes + this.#tables[1].bytes + this.#changes[0].bytes + this.#changes[1].bytes;
  }

  redefine(definition: NamedSet, guard: PrefixGuard): void {
    this.#definition = definition;
    this.#guard = guard;
    this.#churn.change(definition.guard.churn, this.#around.now());
  }

  /** One contribution more. */
  add(family: FamilyIndex, prefix: number, peer: number): void {
    const table = this.#tables[family];
    const slot = this.#count(family, prefix);
    if (((table.cells[slot] as number) & CELL.installed) === 0) this.#admit(family, prefix, slot, peer);
  }

  /** One contribution less. */
  remove(family: FamilyIndex, prefix: number): void {
    const table = this.#tables[family];
    const slot = table.find(prefix);
    const cell = slot < 0 ? -1 : (table.cells[slot] as number) - 1;
    if ((cell & CELL.count) === CELL.count) throw new RangeError(`set ${this.#definition.name} has no contribution to remove`);
    table.cells[slot] = cell;
    if ((cell & CELL.count) > 0) return;
    this.#asked--;
    if ((cell & CELL.installed) !== 0) {
      this.#installed--;
      table.cells[slot] = cell & ~CELL.installed;
      this.#mark(family, prefix, slot);
      if (this.#forRoom.size > 0) this.#around.waits();
      return;
    }
    const key = family * FAMILY_KEY + prefix;
    this.#forRoom.delete(key);
    this.#churn.drop(key);
    if ((cell & CELL.dirty) === 0) this.#forget(family, prefix);
  }

  /** A member that the kernel has from before: installed whatever the limits say. False when the ledger's contribution counts already. */
  addLedger(family: FamilyIndex, prefix: number): boolean {
    if (this.isLedger(family, prefix)) return false;
    this.#ledger[family]++;
    const slot = this.#count(family, prefix);
    const table = this.#tables[family];
    table.cells[slot] = (table.cells[slot] as number) | CELL.ledger | CELL.reported;
    if (((table.cells[slot] as number) & CELL.installed) === 0) this.#install(family, prefix, slot);
    return true;
  }

  /** A member that the kernel has and the guard refuses: it is drained as not wanted. */
  disown(family: FamilyIndex, prefix: number): void {
    const table = this.#tables[family];
    const slot = this.#ensure(family, prefix);
    table.cells[slot] = (table.cells[slot] as number) | CELL.reported;
    this.#mark(family, prefix, slot);
  }

  /** Takes the ledger's contributions out: all of a family, or those that `gone` names. */
  dropLedger(family: FamilyIndex, gone: (prefix: number) => boolean): number {
    const table = this.#tables[family];
    let dropped = 0;
    for (const prefix of table.idsWith(CELL.ledger)) {
      if (!gone(prefix)) continue;
      const slot = table.find(prefix);
      table.cells[slot] = (table.cells[slot] as number) & ~CELL.ledger;
      this.#ledger[family]--;
      dropped++;
      this.remove(family, prefix);
    }
    return dropped;
  }

  /** The ledger's contribution is a route's now: it goes when that does. */
  relearned(family: FamilyIndex, prefix: number): void {
    const table = this.#tables[family];
    const slot = table.find(prefix);
    table.cells[slot] = (table.cells[slot] as number) & ~CELL.ledger;
    this.#ledger[family]--;
    this.remove(family, prefix);
  }

  isInstalled(family: FamilyIndex, prefix: number): boolean {
    return (this.#tables[family].get(prefix) & CELL.installed) !== 0;
  }

  isLedger(family: FamilyIndex, prefix: number): boolean {
    return (this.#tables[family].get(prefix) & CELL.ledger) !== 0;
  }

  /** Every installed member, in no order. */
  forEachMember(family: FamilyIndex, visit: (prefix: number) => void): void {
    this.#tables[family].forEach((prefix, cell) => {
      if ((cell & CELL.installed) !== 0) visit(prefix);
    });
  }

  forgetPeer(peer: number): void {
    this.#churn.forget(peer);
  }

  /** When `advance` has something to do; infinite when nothing waits for time or room. */
  deadline(now: number): number {
    if (this.#forRoom.size > 0 && this.#installed < this.#definition.guard.maxMembers) return now;
    return this.#churn.readyAt(now);
  }

  /** Admits waiting members for which there is room and churn by now, at most `budget` looked at; how many were looked at. */
  advance(now: number, budget: number): number {
    let looked = 0;
    for (const key of this.#forRoom) {
      if (looked >= budget || this.#installed >= this.#definition.guard.maxMembers) break;
      looked++;
      this.#forRoom.delete(key);
      this.#retry(key, now);
    }
    for (const [peer, churn] of this.#churn.entries()) {
      for (const key of churn.waiting) {
        if (looked >= budget) break;
        const family: FamilyIndex = key >= FAMILY_KEY ? 1 : 0;
        const prefix = key - family * FAMILY_KEY;
        const asks = !this.isInstalled(family, prefix) && this.#around.contributors(this.index, family, prefix).includes(peer);
        if (asks && this.#full()) {
          this.#forRoom.add(key);
          churn.waiting.delete(key);
        } else if (!asks) churn.waiting.delete(key);
        else if (churn.bucket.take(now)) {
          churn.waiting.delete(key);
          this.#install(family, prefix, this.#tables[family].find(prefix));
        } else break;
        looked++;
      }
    }
    return looked;
  }

  /** The whole of the set goes out at the next drain. */
  makeComplete(): void {
    this.#complete = true;
  }

  get isDirty(): boolean {
    return this.#complete || this.#changes[0].size > 0 || this.#changes[1].size > 0;
  }

  /** Net changes since the last drain, a delta for each family that has any; `each` sees every change. */
  drain(each: (family: FamilyIndex, prefix: number, present: boolean) => void): MemberDelta[] {
    const deltas: MemberDelta[] = [];
    for (const f of FAMILY_INDEXES) {
      const { oldest } = this.#changes[f];
      const { ids, wanted } = this.#takeChanges(f, each);
      if (this.#guard.hasFamily(f === 0 ? 4 : 6)) {
        if (this.#complete) {
          const members: number[] = [];
          this.forEachMember(f, (id) => {
            members.push(id);
          });
          deltas.push(this.#delta(f, true, members, new Uint8Array(members.length).fill(1), oldest));
        } else if (ids.length > 0) deltas.push(this.#delta(f, false, ids, wanted.slice(0, ids.length), oldest));
      }
      this.#forgetUnasked(f);
    }
    this.#complete = false;
    return deltas;
  }

  /** Gives up every entry: the set is no longer configured and no route gives to it. */
  close(): void {
    for (const f of FAMILY_INDEXES) {
      this.dropLedger(f, () => true);
      this.#takeChanges(f, () => undefined);
      this.#forgetUnasked(f);
    }
  }

  /** Empties the list of changes into the reported bits; entries that nothing asks for stay until `#forgetUnasked`. */
  #takeChanges(
    f: FamilyIndex,
    each: (family: FamilyIndex, prefix: number, present: boolean) => void,
  ): { ids: number[]; wanted: Uint8Array } {
    const table = this.#tables[f];
    const changed = this.#changes[f].take();
    const ids: number[] = [];
    const wanted = new Uint8Array(changed.length);
    for (let i = 0; i < changed.length; i++) {
      const id = changed[i] as number;
      const slot = table.find(id);
      const cell = table.cells[slot] as number;
      const present = (cell & CELL.installed) !== 0;
      if (present !== ((cell & CELL.reported) !== 0)) {
        wanted[ids.length] = present ? 1 : 0;
        ids.push(id);
        each(f, id, present);
      }
      table.cells[slot] = (present ? cell | CELL.reported : cell & ~CELL.reported) & ~CELL.dirty;
      if ((cell & CELL.count) === 0) this.#unasked.push(id);
    }
    return { ids, wanted };
  }

  #forgetUnasked(f: FamilyIndex): void {
    for (const id of this.#unasked) this.#forget(f, id);
    this.#unasked = [];
  }

  #delta(f: FamilyIndex, complete: boolean, ids: readonly number[], wanted: Uint8Array, since: number): MemberDelta {
    const { stride, table, family } = this.#around.ribs[f];
    const count = ids.length;
    const words = new Uint32Array(count * stride);
    const lengths = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const id = ids[i] as number;
      for (let w = 0; w < stride; w++) words[i * stride + w] = table.word(id, w);
      lengths[i] = table.length(id);
    }
    const oldest = Number.isFinite(since) ? since : this.#around.now();
    return { set: this.#definition.name, family, complete, count, words, lengths, wanted, oldest };
  }

  #full(): boolean {
    return this.#installed >= this.#definition.guard.maxMembers;
  }

  /** The slot of a prefix, with a reference to it where the entry is new. */
  #ensure(family: FamilyIndex, prefix: number): number {
    const table = this.#tables[family];
    const slot = table.ensure(prefix);
    if (table.created) this.#around.ribs[family].use(prefix);
    return slot;
  }

  /** Counts one more; the slot. */
  #count(family: FamilyIndex, prefix: number): number {
    const slot = this.#ensure(family, prefix);
    const { cells } = this.#tables[family];
    const before = cells[slot] as number;
    cells[slot] = before + 1;
    if ((before & CELL.count) === 0) this.#asked++;
    return slot;
  }

  #admit(family: FamilyIndex, prefix: number, slot: number, peer: number): void {
    const cell = this.#tables[family].cells[slot] as number;
    const key = family * FAMILY_KEY + prefix;
    // What the kernel still has is put back before anything else: no element changes.
    if ((cell & CELL.reported) !== 0 && !this.#full()) this.#install(family, prefix, slot);
    else if (this.#full() || this.#forRoom.size > 0) {
      if (!this.#forRoom.has(key)) this.#around.refused(this, family, prefix, peer, 'max-members');
      this.#forRoom.add(key);
    } else {
      const churn = this.#churn.of(peer, this.#around.now());
      if (churn.waiting.size === 0 && churn.bucket.take(this.#around.now())) this.#install(family, prefix, slot);
      else {
        if (!churn.waiting.has(key)) this.#around.refused(this, family, prefix, peer, 'churn');
        churn.waiting.add(key);
        this.#around.waits();
      }
    }
  }

  /** A member that waited for room has it: it needs a token of one of those who ask for it, or waits in the queue of each. */
  #retry(key: number, now: number): void {
    const family: FamilyIndex = key >= FAMILY_KEY ? 1 : 0;
    const prefix = key - family * FAMILY_KEY;
    const slot = this.#tables[family].find(prefix);
    const cell = slot < 0 ? 0 : (this.#tables[family].cells[slot] as number);
    if ((cell & CELL.count) === 0 || (cell & CELL.installed) !== 0) return;
    const peers = this.#around.contributors(this.index, family, prefix);
    const able = peers.find((peer) => {
      const churn = this.#churn.of(peer, now);
      return churn.waiting.size === 0 && churn.bucket.take(now);
    });
    if (able !== undefined) this.#install(family, prefix, slot);
    else for (const peer of peers) this.#churn.of(peer, now).waiting.add(key);
  }

  #install(family: FamilyIndex, prefix: number, slot: number): void {
    const { cells } = this.#tables[family];
    cells[slot] = (cells[slot] as number) | CELL.installed;
    this.#installed++;
    this.#mark(family, prefix, slot);
  }

  #mark(family: FamilyIndex, prefix: number, slot: number): void {
    const { cells } = this.#tables[family];
    const cell = cells[slot] as number;
    if ((cell & CELL.dirty) !== 0) return;
    cells[slot] = cell | CELL.dirty;
    this.#changes[family].add(prefix, this.#around.receivedAt());
  }

  #forget(family: FamilyIndex, prefix: number): void {
    this.#tables[family].delete(prefix);
    this.#around.ribs[family].unuse(prefix);
  }
}
