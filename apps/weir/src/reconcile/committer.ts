import { printPrefix } from '@weir/wire/inet';
import { prefixAt } from '../compile/nft/prefix-columns.ts';
import type { KernelTarget } from '../compile/nft/targets.ts';
import type { KernelBackend, Operation, Refusal } from '../kernel/backend.ts';
import { isDue, nextRetry } from './backoff.ts';
import type { Removal } from './cut.ts';
import type { ElementChange } from './element-view.ts';
import type { TablePlan } from './owned-table.ts';
import type { Problems } from './problems.ts';
import type { Slot, Target } from './slot.ts';
import type { TableKeeper } from './table-keeper.ts';

/** Elements in one transaction: the kernel does nothing else for rules meanwhile. A table that is made anew comes with all of its members. */
const PART = 300_000;
const SMALLEST_PART = 500;
/** Refusals are met one after another; each round finds out more. */
const MAX_REFUSALS = 32;
/** After so many rounds with collisions the set is read again. */
const COLLISIONS = 4;

export interface CommitterOptions {
  readonly backend: KernelBackend;
  readonly problems: Problems;
  readonly table: TableKeeper;
  readonly now: () => number;
  readonly targets: () => Iterable<Target>;
  /** Takes in what others have changed by now. */
  readonly intake: () => void;
  /** Looks at a kernel set again, and reads it. */
  readonly check: (slot: Slot, target: KernelTarget) => void;
}

/** What a run of commits did. `sent`: something was sent at all. */
export interface CommitSum {
  added: number;
  removed: number;
  kernelMs: number;
  ok: boolean;
  sent: boolean;
  readonly removals: Removal[];
}

/** The part of one slot in a transaction. */
interface Part {
  readonly slot: Slot;
  readonly target: KernelTarget;
  readonly change: ElementChange;
  /** Additions that the ledger did not have before. */
  readonly fresh: ReadonlySet<number>;
  readonly freshIds: readonly number[];
}

interface Transaction {
  readonly operations: readonly Operation[];
  /** The part that an operation belongs to; undefined for the table's. */
  readonly owners: readonly (Part | undefined)[];
  readonly parts: readonly Part[];
  readonly plan: TablePlan | undefined;
  /** Nothing that the table's plan asked for was put off. */
  readonly whole: boolean;
  /** Slots whose kernel sets it makes. */
  readonly emptied: ReadonlySet<Slot>;
}

/** Sends the difference between what is wanted and what is installed, transaction after transaction, and deals with what the kernel refuses. */
export class Committer {
  readonly #o: CommitterOptions;
  /** The most elements that one transaction may carry on this system. */
  #most = Number.MAX_SAFE_INTEGER;
  readonly counts = { commits: 0, failedCommits: 0, elementsSent: 0 };

  constructor(options: CommitterOptions) {
    this.#o = options;
  }

  run(): CommitSum {
    const sum: CommitSum = { added: 0, removed: 0, kernelMs: 0, ok: true, sent: false, removals: [] };
    const collisions = new Map<Slot, number>();
    for (let refusals = 0; refusals < MAX_REFUSALS; ) {
      this.#o.intake();
      const transaction = this.#assemble();
      if (!transaction) {
        sum.ok = !this.#waits();
        return sum;
      }
      sum.sent = true;
      if (!this.#send(transaction, sum, collisions)) refusals++;
    }
    for (const { slots } of this.#o.targets()) for (const slot of slots) if (slot.view.pending) this.#later(slot);
    sum.ok = false;
    return sum;
  }

  /** Whether something that was refused still waits; a slot that has nothing to change any more does not. */
  #waits(): boolean {
    let waits = false;
    for (const { slots } of this.#o.targets()) {
      for (const slot of slots) {
        if (slot.repairAt !== undefined && slot.view.pending) waits = true;
        if (!slot.retry || !slot.info) continue;
        if (slot.view.pending) waits = true;
        else slot.retry = undefined;
      }
    }
    return waits || this.#o.table.dueAt !== undefined;
  }

  #assemble(): Transaction | undefined {
    const { table, now } = this.#o;
    const plan = table.plan(now());
    const anew = plan?.building ?? false;
    const emptied = plan ? this.#empty(plan) : new Set<Slot>();
    const parts: Part[] = [];
    let room = Math.min(anew ? Number.MAX_SAFE_INTEGER : PART, this.#most);
    let waiting = false;
    const gather = (target: KernelTarget, slot: Slot): void => {
      if (!slot.view.pending || !this.#isReady(slot, anew || emptied.has(slot))) return;
      const change = room > 0 ? slot.view.take(room) : undefined;
      if (room > 0) slot.tidy();
      if (change) {
        room -= change.adds.length + change.removes.length;
        const freshIds = slot.announce(change);
        parts.push({ slot, target, change, freshIds, fresh: new Set(freshIds) });
      }
      waiting ||= slot.owned && slot.view.pending && (anew || slot.filling);
    };
    for (const { target, slots, retired } of this.#o.targets()) if (!retired) for (const slot of slots) gather(target, slot);
    // A table that is being made starts to judge when its members are in, and a new set is used when its own are: until then the old ones are.
    const whole = !waiting;
    for (const { target, slots, retired } of this.#o.targets()) {
      if (retired) for (const slot of slots) if (whole || !slot.owned) gather(target, slot);
    }
    const before = plan?.prepare ?? [];
    const after = plan && whole ? plan.enforce : [];
    const operations: Operation[] = [...before];
    const owners: (Part | undefined)[] = before.map(() => undefined);
    for (const part of parts) {
      const { address, view } = part.slot;
      const { removed, added } = part.change;
      if (removed.count > 0) operations.push({ kind: 'delete-elements', address, interval: view.interval, elements: removed });
      if (added.count > 0) operations.push({ kind: 'add-elements', address, interval: view.interval, elements: added });
      while (owners.length < operations.length) owners.push(part);
    }
    // One by one: there may be more than a call takes.
    for (const operation of after) operations.push(operation);
    while (owners.length < operations.length) owners.push(undefined);
    if (operations.length > 0) return { operations, owners, parts, plan, whole, emptied };
    if (plan) table.done(now());
    return undefined;
  }

  /** The sets that a plan makes begin without elements, whatever was thought to be in them. */
  #empty(plan: TablePlan): ReadonlySet<Slot> {
    const made = new Set(plan.prepare.flatMap((o) => (o.kind === 'add-set' ? [o.set.name] : [])));
    const emptied = new Set<Slot>();
    for (const { slot } of this.#owned()) if (plan.fresh || made.has(slot.address.set)) emptied.add(slot);
    for (const slot of emptied) slot.emptied();
    return emptied;
  }

  #owned(): { readonly slot: Slot; readonly target: KernelTarget }[] {
    return [...this.#o.targets()].flatMap(({ target, slots }) => slots.filter((slot) => slot.owned).map((slot) => ({ slot, target })));
  }

  #isReady(slot: Slot, building: boolean): boolean {
    const now = this.#o.now();
    if (!isDue(slot.retry, now) || (slot.repairAt ?? 0) > now) return false;
    return slot.owned ? this.#o.table.isReady(now) && (building || slot.info !== undefined) : slot.info !== undefined;
  }

  /** One transaction; returns whether it took effect. */
  #send(transaction: Transaction, sum: CommitSum, collisions: Map<Slot, number>): boolean {
    const { backend, table, now } = this.#o;
    const { operations, parts, plan, whole, emptied } = transaction;
    const start = performance.now();
    const outcome = backend.commit(operations);
    sum.kernelMs += performance.now() - start;
    if (outcome.kind === 'committed') {
      this.counts.commits++;
      this.#committed(transaction, sum);
      if (plan && whole) table.done(now());
      return true;
    }
    this.counts.failedCommits++;
    if (outcome.kind === 'unknown') {
      // It may have taken effect: what the ledger was told stays, and the kernel is read.
      for (const { slot, change } of parts) slot.view.reject(change);
      for (const { slot, target } of parts) this.#o.check(slot, target);
      if (plan) for (const { slot, target } of this.#owned()) this.#o.check(slot, target);
      table.touch();
      return false;
    }
    for (const { slot, change, freshIds } of parts) slot.undone(change, freshIds);
    this.#o.intake();
    for (const { slot, target } of this.#owned()) if (emptied.has(slot)) this.#o.check(slot, target);
    for (const refusal of outcome.refusals) this.#refused(refusal, transaction, collisions);
    return false;
  }

  #committed({ parts, plan, emptied }: Transaction, sum: CommitSum): void {
    for (const { slot, target, change } of parts) {
      slot.done(change);
      slot.retry = undefined;
      slot.repairAt = undefined;
      sum.added += change.adds.length;
      sum.removed += change.removes.length;
      this.counts.elementsSent += change.adds.length + change.removes.length;
      if (target.cut && change.removes.length > 0) sum.removals.push({ target, removed: change.removed });
    }
    if (!plan) return;
    for (const { slot, target } of this.#owned()) {
      const info = this.#o.backend.readSet(slot.address);
      if (info && emptied.has(slot)) slot.attach(info, this.#o.backend.realm);
      else if (info && !slot.info) this.#o.check(slot, target);
    }
  }

  #refused(refusal: Refusal, { operations, owners, parts, plan }: Transaction, collisions: Map<Slot, number>): void {
    const operation = refusal.operation === undefined ? undefined : operations[refusal.operation];
    const part = refusal.operation === undefined ? undefined : owners[refusal.operation];
    if (operation && part) this.#refusedElements(refusal, operation, part, collisions);
    else if (refusal.code === 'EMSGSIZE') this.#tooLarge(refusal, parts);
    else if (refusal.code === 'ERESTART') return;
    else {
      if (plan) this.#o.table.refused(refusal, operation, this.#o.now());
      // Not told which: everything in it waits.
      if (operation === undefined) for (const p of parts) this.#refusedMember(refusal, p, undefined);
    }
  }

  #tooLarge(refusal: Refusal, parts: readonly Part[]): void {
    const count = parts.reduce((n, { change }) => n + change.adds.length + change.removes.length, 0);
    if (count > SMALLEST_PART) this.#most = Math.max(SMALLEST_PART, Math.ceil(count / 2));
    else for (const part of parts) this.#refusedMember(refusal, part, undefined);
  }

  #refusedElements(refusal: Refusal, operation: Operation, part: Part, collisions: Map<Slot, number>): void {
    const { slot, target, change } = part;
    const { view } = slot;
    const adding = operation.kind === 'add-elements';
    const id = refusal.element === undefined ? undefined : (adding ? change.adds : change.removes)[refusal.element];
    const unchanged = id !== undefined && (adding ? view.isDesired(id) && !view.isInstalled(id) : view.isInstalled(id));
    if (adding && refusal.code === 'EEXIST') {
      const count = (collisions.get(slot) ?? 0) + 1;
      collisions.set(slot, count);
      if (id === undefined || count % COLLISIONS === 0) this.#o.check(slot, target);
      else if (unchanged) this.#collided(part, id);
    } else if (refusal.code === 'ENOENT') {
      const set = this.#o.backend.readSet(slot.address);
      if (!set || set.identity !== slot.info?.identity || id === undefined) this.#o.check(slot, target);
      else if (unchanged) view.vanished(id);
    } else if (adding && refusal.code === 'ENFILE' && refusal.element !== undefined) {
      // What is installed wins: the first that fit go in, the others wait until something goes.
      for (const late of change.adds.slice(refusal.element)) view.collide(late);
      slot.full = true;
      const size = slot.info?.size === undefined ? '' : ` (size ${slot.info.size})`;
      this.#raise(target, refusal, `the set ${slot.address.table} ${slot.address.set} is full${size}`);
    } else this.#refusedMember(refusal, part, refusal.element);
  }

  /** Something is in the way of an addition, and nothing that is known of explains it. */
  #collided({ slot, fresh }: Part, id: number): void {
    const { view } = slot;
    // What was in the ledger before this commit, and is there exactly, is Weir's own.
    if (slot.info && !fresh.has(id) && this.#o.backend.present(slot.info, view.columns([id]))[0] === 1) view.claim(id);
    else view.collide(id);
  }

  #refusedMember(refusal: Refusal, { slot, target, change }: Part, element: number | undefined): void {
    const columns = element !== undefined && element < change.added.count ? change.added : undefined;
    const member = columns && element !== undefined ? `${printPrefix(prefixAt(columns, element))}: ` : '';
    this.#raise(target, refusal, `${member}${refusal.message}`);
    this.#later(slot);
  }

  #raise(target: KernelTarget, refusal: Refusal, message: string): void {
    const kind = refusal.code === 'EPERM' ? 'not-permitted' : 'refused';
    this.#o.problems.raise(refusedKey(target), { kind, subject: target.set, message, remedy: undefined });
  }

  #later(slot: Slot): void {
    slot.retry = nextRetry(slot.retry, this.#o.now());
  }
}

/** The problem of a target whose elements the kernel refuses. */
export function refusedKey(target: KernelTarget): string {
  return `${target.key} refused`;
}
