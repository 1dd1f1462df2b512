import { join } from 'node:path';
import type { Ip } from '@weir/wire/inet';
import type { TableImage } from '../compile/nft/image.ts';
import { ipAt } from '../compile/nft/prefix-columns.ts';
import { printUserTarget } from '../compile/nft/print.ts';
import type { KernelPlan, KernelTarget } from '../compile/nft/targets.ts';
import type { ForeignChange, ForeignCommit, KernelBackend } from '../kernel/backend.ts';
import type { CommitReport, KernelEvent, KernelStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta, PrefixColumns } from '../model/member-delta.ts';
import { AwaitedMembers } from './awaited-members.ts';
import { nextRetry } from './backoff.ts';
import { Committer } from './committer.ts';
import { cutConnections } from './cut.ts';
import { DriftNotes } from './drift-notes.ts';
import { Fights, fightText } from './fights.ts';
import { unfitReason } from './fitness.ts';
import { lastTable, saveImage } from './image-file.ts';
import { Ledger, type LedgerKey } from './ledger.ts';
import { reportLeftOut } from './left-out.ts';
import { driftKey, problemKeys } from './problem-keys.ts';
import { Problems } from './problems.ts';
import { SetFiles } from './set-files.ts';
import { addressKey, Slot, slotKeys, type Target } from './slot.ts';
import { foreignChains, ruleStatus, setStatus } from './status.ts';
import { TableKeeper } from './table-keeper.ts';
import { isMember, membersOf } from './target-members.ts';
import { wantMembers } from './want-members.ts';

const LEDGERS = 'ledger';
/** Milliseconds until members that were left out without a known reason are tried again. */
const RETRY_LEFT_OUT = 30_000;

export interface ReconcilerOptions {
  readonly backend: KernelBackend;
  readonly stateDirectory: string;
  readonly emit: (event: KernelEvent) => void;
  /** Milliseconds; for retries. */
  readonly now: () => number;
}

/**
 * Makes the kernel agree with what is wanted: reads what is there, sends the difference as one transaction, keeps the ledger, notices what others change and
 * repairs what is Weir's own. Synchronous; lives in the kernel worker.
 */
export class Reconciler {
  readonly #backend: KernelBackend;
  readonly #directory: string;
  readonly #emit: (event: KernelEvent) => void;
  readonly #now: () => number;
  readonly #problems: Problems;
  readonly #table: TableKeeper;
  readonly #committer: Committer;
  readonly #files: SetFiles;
  readonly #drift = new DriftNotes();
  readonly #fights = new Fights();
  readonly #targets = new Map<string, Target>();
  /** By the address of the kernel set. */
  readonly #slots = new Map<string, { readonly slot: Slot; readonly key: string }>();
  #leftOutAt = 0;
  readonly #awaited = new AwaitedMembers();

  constructor({ backend, stateDirectory, emit, now }: ReconcilerOptions) {
    this.#backend = backend;
    this.#directory = stateDirectory;
    this.#emit = emit;
    this.#now = now;
    this.#problems = new Problems(emit);
    this.#table = new TableKeeper(backend, this.#problems, (set) => this.membersOf(set));
    this.#files = new SetFiles(stateDirectory, now, (set) => this.membersOf(set));
    this.#committer = new Committer({
      backend,
      now,
      problems: this.#problems,
      table: this.#table,
      targets: () => this.#targets.values(),
      intake: () => {
        this.#intake();
        this.#lookAtChanged();
      },
      check: (slot, target) => this.#check(slot, target),
    });
  }

  /** Takes a plan; see KernelPort.configure. `awaitMembers`: every member is sent after it, also by the first. `table`: with what of its rules is not saved. */
  configure(plan: KernelPlan, awaitMembers = false, table: TableImage | undefined = plan.table): readonly MemberColumns[] {
    const running = awaitMembers || this.#targets.size > 0;
    const known = new Set([...this.#targets.values()].filter(({ retired }) => !retired).map(({ target }) => target.key));
    const found = this.#adopt(plan, table);
    const owned = new Set(plan.targets.filter(({ place }) => place.kind === 'owned').map(({ key }) => key));
    // A set that comes into the owned table of a running daemon comes with its members.
    const fresh = running ? [...owned].filter((key) => !known.has(key)) : [];
    const wait = this.#awaited.configure(owned, fresh, this.#now());
    if (wait > 0) this.#table.hold(this.#now(), wait);
    this.#commit(undefined);
    return found;
  }

  /** Its table has other rules now, which are not saved; all else is as the last plan says. */
  changeTable(table: TableImage | undefined): CommitReport {
    this.#table.replace(table);
    return this.#commit(undefined);
  }

  /** Takes a plan together with members, so that a table that is made for it is never there without them. */
  restore(plan: KernelPlan, members: readonly MemberDelta[], table: TableImage | undefined = plan.table): void {
    this.#adopt(plan, table);
    this.apply(members);
  }

  #adopt(plan: KernelPlan, table: TableImage | undefined): readonly MemberColumns[] {
    // On disk first: when that fails nothing is different.
    const before = this.#table.image ? { name: this.#table.image.name, fault: undefined } : lastTable(this.#directory);
    saveImage(this.#directory, plan);
    this.#backend.pinAt(plan.pins);
    this.#table.configure(table, before.name);
    this.#intake();
    const found: MemberColumns[] = [];
    const keys = new Set(plan.targets.map((target) => target.key));
    for (const [key, target] of this.#targets) if (!keys.has(key)) this.#retire(key, target);
    for (const target of plan.targets) found.push(...this.#manage(target));
    this.#retireLedgers();
    const sets = new Set(plan.targets.map((target) => target.set));
    this.#files.keep(sets);
    for (const set of sets) this.#files.touch(set);
    this.#problems.keep(
      new Set([...this.#targets.values()].flatMap(({ target }) => problemKeys(target)).concat(this.#table.problem, this.#table.fight)),
    );
    if (before.fault !== undefined) this.#tellUnknownTable(before.fault);
    return found;
  }

  /** Nothing is removed on a guess; it is told until the next configuration. */
  #tellUnknownTable(fault: string): void {
    const message = `${fault}: if Weir's table had another name before, it is still there`;
    this.#problems.raise('image', { kind: 'image-damaged', subject: 'image.json', message, remedy: undefined });
  }

  /** Fills a target from now on; returns what Weir had put there if it was not managed before. */
  #manage(target: KernelTarget): MemberColumns[] {
    const known = this.#targets.get(target.key);
    const slots = known?.slots ?? slotKeys(target).map(({ key, interval }) => this.#open(target.key, key, interval));
    this.#targets.set(target.key, { target, slots, retired: false });
    if (known && !known.retired) return [];
    return slots.flatMap((slot) => {
      this.#check(slot, target);
      slot.view.adopt();
      const columns = slot.view.installedColumns();
      return columns.count > 0 ? [{ set: target.set, ...columns }] : [];
    });
  }

  #open(targetKey: string, key: LedgerKey, interval: boolean): Slot {
    const slot = new Slot(join(this.#directory, LEDGERS), key, interval);
    this.#slots.set(addressKey(key.address), { slot, key: targetKey });
    return slot;
  }

  /** What Weir added for a target that no configuration names any more is taken out. */
  #retire(key: string, target: Target): void {
    this.#targets.set(key, { ...target, retired: true });
    for (const slot of target.slots) {
      slot.view.beginComplete();
      slot.view.endComplete();
    }
  }

  /** The same for targets of earlier configurations that only their ledgers tell of. */
  #retireLedgers(): void {
    for (const key of Ledger.list(join(this.#directory, LEDGERS))) {
      if (this.#slots.has(addressKey(key.address))) continue;
      const { family, table, set } = key.address;
      const place = { kind: 'user', family, table, set } as const;
      const target: KernelTarget = { key: `retired ${addressKey(key.address)}`, set, family: key.family, cut: false, place };
      const slot = this.#open(target.key, key, true);
      this.#targets.set(target.key, { target, slots: [slot], retired: true });
      // The sets of a table that Weir owned go with it, or by its plan.
      if (!key.owned) this.#check(slot, target);
    }
  }

  #sweepRetired(): void {
    for (const [key, { slots, retired }] of this.#targets) {
      // A set of the owned table goes when the table is as it should be, the others when they are empty.
      if (!retired || slots.some((slot) => (slot.owned ? this.#table.dirty : slot.info !== undefined && slot.view.installed > 0))) continue;
      for (const slot of slots) {
        slot.destroy();
        this.#slots.delete(addressKey(slot.address));
      }
      this.#targets.delete(key);
    }
  }

  /** Looks at the kernel set of a slot: whether it is there and fit, and what is in it. */
  #check(slot: Slot, target: KernelTarget): void {
    const info = this.#backend.readSet(slot.address);
    const fault = info && !slot.owned ? unfitReason(info, slot.view.family) : undefined;
    if (info && fault === undefined) {
      this.#problems.over(target.key);
      slot.attach(info, this.#backend.realm);
      slot.retry = undefined;
      this.#read(slot);
      return;
    }
    slot.detach();
    if (slot.owned) return;
    slot.retry = nextRetry(slot.retry, this.#now());
    if (this.#targets.get(target.key)?.retired) return;
    const name = `${slot.address.family} ${slot.address.table} ${slot.address.set}`;
    const message = fault === undefined ? `there is no set ${name}` : `the set ${name} ${fault}`;
    const kind = fault !== undefined ? 'set-unfit' : this.#backend.readTable(slot.address) ? 'set-missing' : 'table-missing';
    this.#problems.raise(target.key, { kind, subject: target.set, message, remedy: printUserTarget(target) });
  }

  #read(slot: Slot): { readonly missing: number; readonly intruders: number } {
    const { info } = slot;
    if (!info) return { missing: 0, intruders: 0 };
    const { ranges, complete } = this.#backend.readElements(info);
    return slot.reload(ranges, complete ? undefined : (members) => this.#backend.present(info, members));
  }

  /** Makes the kernel agree with these changes and with whatever is still open. */
  apply(deltas: readonly MemberDelta[]): CommitReport {
    let oldest = Number.POSITIVE_INFINITY;
    for (const delta of deltas) {
      oldest = Math.min(oldest, delta.oldest);
      for (const { target, slots, retired } of this.#targets.values()) {
        if (retired || target.set !== delta.set || target.family !== delta.family) continue;
        wantMembers(delta, slots);
        // What is asked for goes at once, whoever undoes the rest.
        for (const slot of slots) slot.repairAt = undefined;
        if (delta.complete && this.#awaited.arrived(target.key)) this.#table.proceed();
      }
      this.#files.touch(delta.set);
    }
    if (this.#backend.applyMembers(deltas)) this.#table.rebind();
    return this.#commit(Number.isFinite(oldest) ? oldest : undefined);
  }

  #commit(oldest: number | undefined): CommitReport {
    const { sent, removals, ...sum } = this.#committer.run();
    const report = { ...sum, latencyMs: oldest === undefined ? undefined : performance.timeOrigin + performance.now() - oldest };
    if (sent) this.#emit({ kind: 'commit', report });
    for (const event of this.#drift.take(sum.ok)) this.#emit(event);
    cutConnections(this.#backend, removals, (target) => this.#targets.get(target.key)?.slots ?? []);
    this.#sweepRetired();
    reportLeftOut(this.#problems, this.#targets.values(), this.#backend.fullLists());
    return report;
  }

  /** Takes in what others changed, and does what is due. */
  poll(): void {
    this.#intake();
    const now = this.#now();
    if (now - this.#leftOutAt >= RETRY_LEFT_OUT) {
      this.#leftOutAt = now;
      for (const { slot } of this.#slots.values()) slot.retryLeftOut();
    }
    for (const { target, slots } of [...this.#targets.values()]) for (const slot of slots) this.#look(slot, target, now);
    for (const key of this.#fights.settle(now)) this.#problems.over(key);
    this.#table.look(now);
    this.#commit(undefined);
    this.#files.poll();
  }

  /** Others changed what Weir has in a set: when they keep doing so its repair waits, and a person is told. */
  #struck(slot: Slot, target: KernelTarget, process: string | undefined): void {
    const now = this.#now();
    const key = driftKey(target);
    slot.repairAt = this.#fights.struck(key, now);
    if (slot.repairAt === undefined) return;
    const { family, table, set } = slot.address;
    this.#tellFight(key, target.set, `the elements of ${family} ${table} ${set}`, process);
  }

  #struckTable(process: string | undefined): void {
    const now = this.#now();
    const until = this.#fights.struck(this.#table.fight, now);
    if (until === undefined) return;
    this.#table.delay(until, now);
    const name = this.#table.image?.name ?? '';
    this.#tellFight(this.#table.fight, name, `table inet ${name}`, process);
  }

  #tellFight(key: string, subject: string, what: string, process: string | undefined): void {
    this.#problems.raise(key, { kind: 'drift', subject, message: fightText(what, process), remedy: undefined });
  }

  /** A set that was made anew is another one: nothing is sent to it before that is known, for the ledger would be about the old one. */
  #lookAtChanged(): void {
    for (const { target, slots } of [...this.#targets.values()]) {
      for (const slot of slots) if (slot.recheck && slot.info && !slot.owned) this.#look(slot, target, this.#now());
    }
  }

  #look(slot: Slot, target: KernelTarget, now: number): void {
    const before = slot.view.installed;
    const again = slot.recheck || (!slot.owned && slot.info === undefined && (slot.retry?.at ?? 0) <= now);
    if (again) {
      this.#check(slot, target);
      this.#drift.removed(target.set, before - slot.view.installed);
      if (before > slot.view.installed && slot.info) this.#struck(slot, target, undefined);
    } else if (slot.reread) {
      const found = this.#read(slot);
      this.#drift.removed(target.set, found.missing);
      this.#drift.added(target.set, slot.owned ? found.intruders : 0);
    }
  }

  #intake(): void {
    if (this.#backend.poll((commit) => this.#take(commit)) === 'current') return;
    this.#table.touch();
    for (const { slot } of this.#slots.values()) {
      slot.recheck ||= slot.info === undefined;
      slot.reread = true;
    }
  }

  #take({ changes, process }: ForeignCommit): void {
    let tables = false;
    for (const change of changes) {
      if (this.#table.isAt(change.address) && change.kind !== 'elements') tables = true;
      if (change.kind === 'elements') this.#takeElements(change, process);
      else if (change.kind === 'set') {
        const found = this.#slots.get(addressKey(change.address));
        if (found) found.slot.recheck = true;
      } else if (change.kind === 'table') {
        for (const { slot } of this.#slots.values()) {
          if (slot.address.family === change.address.family && slot.address.table === change.address.table) slot.recheck = true;
        }
      }
    }
    if (!tables) return;
    this.#table.touch();
    this.#struckTable(process);
  }

  #takeElements({ address, present, ranges }: Extract<ForeignChange, { kind: 'elements' }>, process: string | undefined): void {
    const found = this.#slots.get(addressKey(address));
    // What is looked at again is read as a whole.
    if (!found?.slot.info || found.slot.recheck || found.slot.reread) return;
    const { slot, key } = found;
    const { view } = slot;
    const target = this.#targets.get(key)?.target;
    const set = target?.set ?? address.set;
    let ours = 0;
    let intruders = 0;
    for (let i = 0; i < ranges.count; i++) {
      const first = ipAt(ranges.family, ranges.firsts, i);
      if (!present) ours += view.foreignRemoved(first) === 'ours' ? 1 : 0;
      else if (view.foreignAdded(first, ipAt(ranges.family, ranges.lasts, i)) === 'intruder') intruders++;
    }
    if (!present) slot.retryLeftOut();
    this.#drift.removed(set, ours, process);
    this.#drift.added(set, intruders, process);
    if (target && ours + intruders > 0) this.#struck(slot, target, process);
  }

  /** Milliseconds until `poll` has something to do by itself; undefined when nothing is open. */
  nextDue(): number | undefined {
    const own = [...this.#slots.values()].flatMap(({ slot }) => [slot.retry?.at, slot.repairAt]);
    const times = [...own, this.#table.dueAt].filter((at) => at !== undefined);
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - this.#now());
  }

  membersOf(set: string): readonly PrefixColumns[] {
    return membersOf(this.#targets.values(), set);
  }

  has(set: string, address: Ip): boolean {
    return isMember(this.#targets.values(), set, address);
  }

  status(): KernelStatus {
    const table = this.#table.read();
    return {
      sets: [...this.#targets.values()].filter(({ retired }) => !retired).map(setStatus),
      problems: this.#problems.list(),
      ...this.#committer.counts,
      repairs: this.#drift.repairs,
      rules: table ? ruleStatus(table) : [],
      foreignChains: foreignChains(this.#backend.baseChains(), this.#table.image?.name),
      tenants: [],
      ownedTable: table && { name: table.table, owner: table.owner, persist: table.persist },
    };
  }

  /** Removes everything that Weir added. */
  clear(): void {
    this.configure({ targets: [], table: undefined });
  }

  /** The kernel stays as it is. */
  close(): void {
    this.#files.flush();
    for (const { slot } of this.#slots.values()) slot.close();
    this.#slots.clear();
    this.#targets.clear();
    this.#backend.close();
  }
}
