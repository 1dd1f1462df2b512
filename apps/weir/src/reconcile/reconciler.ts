import { join } from 'node:path';
import { TABLE_COMMENT, type TableImage } from '../compile/nft/image.ts';
import { printUserTarget } from '../compile/nft/print.ts';
import type { KernelPlan, KernelTarget } from '../compile/nft/targets.ts';
import type { KernelBackend, Operation, Refusal, TableAddress } from '../kernel/backend.ts';
import type { CommitReport, KernelEvent, KernelStatus, SetStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import { cutConnections, type Removal } from './cut.ts';
import { loadImage, saveImage } from './image-file.ts';
import { Ledger } from './ledger.ts';
import { planTable } from './owned-table.ts';
import { Problems } from './problems.ts';
import { prefixAt, Slot, type SlotChange } from './slot.ts';

const LEDGERS = 'ledger';
/** Refusals are met one after another; each round finds out more. */
const MAX_ROUNDS = 16;
const FIRST_RETRY = 100;
const LAST_RETRY = 30_000;
const LISTED = 100;
/** How long a changed owned table waits for the members of its new sets. */
const MEMBERS_WAIT = 1000;

interface Target {
  readonly target: KernelTarget;
  readonly slots: readonly Slot[];
  /** Hosts go to the first slot and the rest to the second, where there are two. */
  readonly split: boolean;
}

interface Retry {
  at: number;
  delay: number;
}

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
  readonly #targets = new Map<string, Target>();
  readonly #retries = new Map<Slot, Retry>();
  /** Slots whose elements are to be read again, and those whose kernel set is to be looked at again. */
  readonly #reread = new Set<Slot>();
  readonly #recheck = new Set<Slot>();
  readonly #drifted = new Map<string, number>();
  #table: TableImage | undefined;
  #tableRetry: Retry | undefined;
  #tableDirty = false;
  /** Owned tables of earlier configurations that are to go. */
  readonly #retired = new Set<string>();
  #commits = 0;
  #failedCommits = 0;
  #repairs = 0;
  #elementsSent = 0;
  #removals: Removal[] = [];

  constructor(options: ReconcilerOptions) {
    this.#backend = options.backend;
    this.#directory = options.stateDirectory;
    this.#emit = options.emit;
    this.#now = options.now;
    this.#problems = new Problems(options.emit);
  }

  /** Takes a plan; see KernelPort.configure. */
  configure(plan: KernelPlan): readonly MemberColumns[] {
    const running = this.#targets.size > 0;
    const known = new Set(this.#targets.keys());
    const found = this.#adopt(plan);
    // A set that comes into the owned table of a running daemon comes with its members, which the next changes bring.
    if (running && plan.targets.some((t) => t.place.kind === 'owned' && !known.has(t.key))) this.#holdUntil = this.#now() + MEMBERS_WAIT;
    else this.#commit(undefined);
    return found;
  }

  /** Takes a plan together with members, so that a table that is made for it is never there without them. */
  restore(plan: KernelPlan, members: readonly MemberDelta[]): void {
    this.#adopt(plan);
    this.apply(members);
  }

  #adopt(plan: KernelPlan): readonly MemberColumns[] {
    const before = this.#table?.name ?? loadImage(this.#directory)?.table?.name;
    if (before !== undefined && before !== plan.table?.name) this.#retired.add(before);
    this.#table = plan.table;
    this.#tableDirty = plan.table !== undefined || this.#retired.size > 0;
    const keys = new Set(plan.targets.map((t) => t.key));
    this.#dropTargets(keys);
    const found: MemberColumns[] = [];
    for (const target of plan.targets) {
      const known = this.#targets.get(target.key);
      if (known) {
        this.#targets.set(target.key, { ...known, target });
        continue;
      }
      const made = this.#open(target);
      this.#targets.set(target.key, made);
      for (const slot of made.slots) {
        this.#check(slot, target);
        const columns = slot.installedColumns();
        if (columns.count > 0) found.push({ set: target.set, ...columns });
      }
    }
    saveImage(this.#directory, plan);
    this.#problems.keep(new Set([...keys].flatMap((key) => [key, `${key} refused`, `${key} conflict`]).concat('table')));
    return found;
  }

  #open(target: KernelTarget): Target {
    const { place, family } = target;
    const directory = join(this.#directory, LEDGERS);
    const slot = (kernelFamily: 'inet' | 'ip' | 'ip6', table: string, set: string, interval: boolean): Slot => {
      const ledger = Ledger.open(directory, `${kernelFamily} ${table} ${set}`, family);
      return new Slot({ family: kernelFamily, table, set }, family, ledger, interval);
    };
    if (place.kind === 'user') return { target, split: false, slots: [slot(place.family, place.table, place.set, true)] };
    return { target, split: true, slots: [slot('inet', place.table, place.hosts, false), slot('inet', place.table, place.networks, true)] };
  }

  /** What Weir added for sets that no configuration names any more is taken out. */
  #dropTargets(keys: ReadonlySet<string>): void {
    const gone = [...this.#targets.values()].filter(({ target }) => !keys.has(target.key));
    for (const { target, slots } of gone) {
      // The sets of an owned table go with the table or by its plan.
      if (target.place.kind === 'user') for (const slot of slots) slot.release();
    }
    if (gone.some(({ target }) => target.place.kind === 'user')) this.#commit(undefined);
    for (const { target, slots } of gone) {
      for (const slot of slots) {
        this.#retries.delete(slot);
        this.#reread.delete(slot);
        this.#recheck.delete(slot);
        slot.ledger.destroy();
      }
      this.#targets.delete(target.key);
    }
  }

  /** Looks at the kernel set of a slot: whether it is there and fit, and what is in it. */
  #check(slot: Slot, target: KernelTarget): void {
    const info = this.#backend.readSet(slot.address);
    const owned = target.place.kind === 'owned';
    const fault = info && !owned ? unfitReason(info, slot) : undefined;
    if (!info || fault !== undefined) {
      slot.lost();
      if (owned) return;
      const name = `${slot.address.family} ${slot.address.table} ${slot.address.set}`;
      const message = fault === undefined ? `there is no set ${name}` : `the set ${name} ${fault}`;
      const kind = fault !== undefined ? 'set-unfit' : this.#backend.readTable(slot.address) ? 'set-missing' : 'table-missing';
      this.#problems.raise(target.key, { kind, subject: target.set, message, remedy: printUserTarget(target) });
      this.#later(slot);
      return;
    }
    this.#problems.over(target.key);
    if (slot.info?.identity !== info.identity) {
      slot.lost();
      slot.become(info.interval);
    }
    slot.info = info;
    this.#retries.delete(slot);
    this.#read(slot);
  }

  #read(slot: Slot): number {
    if (!slot.info) return 0;
    const { ranges, complete } = this.#backend.readElements(slot.info);
    if (!complete) {
      // Elements may be missing from the listing: what it says is not acted upon.
      this.#reread.add(slot);
      return 0;
    }
    this.#reread.delete(slot);
    return slot.takeKernel(ranges);
  }

  /** Makes the kernel agree with these changes and with whatever is still open. */
  apply(deltas: readonly MemberDelta[]): CommitReport {
    this.#holdUntil = 0;
    let oldest: number | undefined;
    for (const delta of deltas) {
      oldest = oldest === undefined ? delta.oldest : Math.min(oldest, delta.oldest);
      for (const { target, slots, split } of this.#targets.values()) {
        if (target.set === delta.set && target.family === delta.family) want(delta, slots, split);
      }
    }
    return this.#commit(oldest);
  }

  #commit(oldest: number | undefined): CommitReport {
    const sum = { added: 0, removed: 0, kernelMs: 0 };
    let ok = true;
    let sent = false;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const step = this.#step(sum);
      if (step === 'nothing') break;
      sent = true;
      ok = step === 'committed';
      if (!ok && round === MAX_ROUNDS - 1)
        for (const { slots } of this.#targets.values()) for (const slot of slots) if (slot.pending) this.#later(slot);
    }
    const latencyMs = oldest === undefined ? undefined : performance.timeOrigin + performance.now() - oldest;
    const report = { ...sum, latencyMs, ok };
    if (sent) {
      this.#emit({ kind: 'commit', report });
      for (const [set, count] of this.#drifted) {
        this.#emit({ kind: 'drift', set, detail: `${count} elements were removed by another process`, repaired: ok });
        if (ok) this.#repairs += count;
      }
      if (ok) this.#drifted.clear();
    }
    cutConnections(this.#backend, this.#removals, (target) => this.#targets.get(target.key)?.slots ?? []);
    this.#removals = [];
    return report;
  }

  /** One transaction. */
  #step(sum: { added: number; removed: number; kernelMs: number }): 'nothing' | 'committed' | 'refused' {
    if (this.#now() < this.#holdUntil) return 'nothing';
    const operations: Operation[] = [...this.#tableOperations()];
    const tableOperations = operations.length;
    const changes: {
      readonly slot: Slot;
      readonly target: KernelTarget;
      readonly change: SlotChange;
      readonly fresh: readonly number[];
    }[] = [];
    const owners: (number | undefined)[] = operations.map(() => undefined);
    for (const { target, slots } of this.#targets.values()) {
      for (const slot of slots) {
        if (!slot.pending || !this.#ready(slot, target)) continue;
        const change = slot.change();
        if (!change) continue;
        const index = changes.push({ slot, target, change, fresh: slot.announce(change) }) - 1;
        const { address, interval } = slot;
        for (const [kind, elements] of [
          ['delete-elements', change.removed],
          ['add-elements', change.added],
        ] as const) {
          if (elements.count === 0) continue;
          operations.push({ kind, address, interval, elements });
          owners.push(index);
        }
      }
    }
    if (operations.length === 0) return 'nothing';
    const start = performance.now();
    const outcome = this.#backend.commit(operations);
    sum.kernelMs += performance.now() - start;
    if (outcome.kind === 'committed') {
      this.#commits++;
      if (tableOperations > 0) this.#tableDone();
      for (const { slot, target, change } of changes) {
        slot.done(change);
        this.#retries.delete(slot);
        this.#problems.over(`${target.key} refused`);
        this.#reportConflicts(slot, target);
        sum.added += change.adds.length;
        sum.removed += change.removes.length;
        this.#elementsSent += change.adds.length + change.removes.length;
        if (target.cut && change.removes.length > 0) this.#removals.push({ target, removed: change.removed });
      }
      return 'committed';
    }
    this.#failedCommits++;
    if (outcome.kind === 'unknown') {
      // It may have taken effect: what the ledger was told stays, and the kernel is read.
      for (const { slot, target } of changes) this.#check(slot, target);
      this.#tableDirty ||= tableOperations > 0;
      return 'refused';
    }
    for (const { slot, fresh } of changes) slot.undone(fresh);
    for (const refusal of outcome.refusals) {
      const owner = refusal.operation === undefined ? undefined : owners[refusal.operation];
      const entry = owner === undefined ? undefined : changes[owner];
      const operation = refusal.operation === undefined ? undefined : operations[refusal.operation];
      if (entry && operation) this.#refusedElements(entry.slot, entry.target, entry.change, operation, refusal);
      else
        this.#refusedTable(
          refusal,
          operation,
          changes.map((c) => c.slot),
        );
    }
    return 'refused';
  }

  #refusedElements(slot: Slot, target: KernelTarget, change: SlotChange, operation: Operation, refusal: Refusal): void {
    if (operation.kind === 'add-elements' && refusal.code === 'EEXIST') {
      this.#read(slot);
      const id = refusal.element === undefined ? undefined : change.adds[refusal.element];
      if (id !== undefined) slot.blame(id);
      return;
    }
    if (refusal.code === 'ENOENT') {
      const set = this.#backend.readSet(slot.address);
      if (!set || set.identity !== slot.info?.identity) {
        if (target.place.kind === 'owned') this.#tableDirty = true;
        this.#check(slot, target);
        return;
      }
      const there = this.#backend.present(set, change.removed);
      slot.vanished(change.removes.filter((_, i) => there[i] === 0));
      return;
    }
    const member = refusal.element === undefined ? undefined : change.added;
    const which =
      member && refusal.element !== undefined && refusal.element < member.count ? `${printable(member, refusal.element)}: ` : '';
    this.#problems.raise(`${target.key} refused`, {
      kind: refusal.code === 'EPERM' ? 'not-permitted' : 'refused',
      subject: target.set,
      message: `${which}${refusal.message}`,
      remedy: undefined,
    });
    this.#later(slot);
  }

  #refusedTable(refusal: Refusal, operation: Operation | undefined, slots: readonly Slot[]): void {
    const rule = operation?.kind === 'add-rule' ? `rule ${operation.rule.name}` : (this.#table?.name ?? 'table');
    this.#problems.raise('table', {
      kind: refusal.code === 'EPERM' ? 'not-permitted' : 'refused',
      subject: rule,
      message: refusal.message,
      remedy: undefined,
    });
    this.#tableRetry = this.#next(this.#tableRetry);
    if (operation === undefined) for (const slot of slots) this.#later(slot);
  }

  /** Whether a slot's elements can be sent now. An owned set is there once its table has been written. */
  #ready(slot: Slot, target: KernelTarget): boolean {
    const retry = this.#retries.get(slot);
    if (retry && retry.at > this.#now()) return false;
    if (target.place.kind === 'owned') return !this.#tableRetry || this.#tableRetry.at <= this.#now();
    return slot.info !== undefined;
  }

  #tableOperations(): readonly Operation[] {
    if (!this.#tableDirty || (this.#tableRetry && this.#tableRetry.at > this.#now())) return [];
    const operations: Operation[] = [];
    for (const name of this.#retired) {
      const old: TableAddress = { family: 'inet', table: name };
      if (this.#backend.readTable(old)?.comment === TABLE_COMMENT) {
        if (this.#backend.ownership) operations.push({ kind: 'put-table', address: old, comment: TABLE_COMMENT, owned: true });
        operations.push({ kind: 'delete-table', address: old });
      }
    }
    if (!this.#table) return operations;
    const address: TableAddress = { family: 'inet', table: this.#table.name };
    const now = this.#backend.readTable(address);
    if (now && !now.ours) {
      this.#problems.raise('table', {
        kind: 'not-permitted',
        subject: address.table,
        message: `table inet ${address.table} is owned by another process`,
        remedy: undefined,
      });
      this.#tableRetry = this.#next(this.#tableRetry);
      return operations;
    }
    if (now && now.comment !== TABLE_COMMENT && now.chains.length + now.sets.length > 0) {
      this.#problems.raise('table', {
        kind: 'conflict',
        subject: address.table,
        message: `table inet ${address.table} is there already and was not written by Weir`,
        remedy: `delete table inet ${address.table}\n`,
      });
      this.#tableRetry = this.#next(this.#tableRetry);
      return operations;
    }
    const plan = planTable(address, this.#table, now, this.#backend.ownership);
    // What an earlier process left belongs to nobody until it is taken over.
    if (now && !plan.fresh && this.#backend.ownership && !this.#adopted)
      operations.push({ kind: 'put-table', address, comment: TABLE_COMMENT, owned: true });
    if (plan.fresh) for (const slot of this.#ownedSlots()) slot.lost();
    operations.push(...plan.operations);
    return operations;
  }

  #adopted = false;
  #holdUntil = 0;

  *#ownedSlots(): Generator<Slot> {
    for (const { target, slots } of this.#targets.values()) if (target.place.kind === 'owned') yield* slots;
  }

  #tableDone(): void {
    this.#tableDirty = false;
    this.#tableRetry = undefined;
    this.#adopted = this.#table !== undefined;
    this.#retired.clear();
    this.#problems.over('table');
    for (const slot of this.#ownedSlots()) slot.info ??= this.#backend.readSet(slot.address);
  }

  #reportConflicts(slot: Slot, target: KernelTarget): void {
    const { conflicts, unfit } = slot.leftOut(1);
    const first = conflicts[0] ?? unfit[0];
    const key = `${target.key} conflict`;
    if (!first) {
      this.#problems.over(key);
      return;
    }
    const name = `${slot.address.table} ${slot.address.set}`;
    const message = conflicts[0]
      ? `some members are left out of ${name}: elements that Weir did not add are in their way`
      : `some members are prefixes, but ${name} holds hosts only`;
    this.#problems.raise(key, { kind: 'conflict', subject: target.set, message, remedy: undefined });
  }

  #next(retry: Retry | undefined): Retry {
    const delay = retry ? Math.min(retry.delay * 2, LAST_RETRY) : FIRST_RETRY;
    return { at: this.#now() + delay, delay };
  }

  #later(slot: Slot): void {
    this.#retries.set(slot, this.#next(this.#retries.get(slot)));
  }

  /** Takes in what others changed, and does what is due. */
  poll(): void {
    const elements = (): void => {
      for (const { slots } of this.#targets.values()) for (const slot of slots) this.#reread.add(slot);
    };
    const outcome = this.#backend.poll(({ changes }) => {
      for (const change of changes) {
        if (this.#table && change.address.family === 'inet' && change.address.table === this.#table.name && change.kind !== 'elements')
          this.#tableDirty = true;
        for (const { slots } of this.#targets.values()) {
          for (const slot of slots) {
            const a = slot.address;
            if (a.family !== change.address.family || a.table !== change.address.table) continue;
            if (change.kind === 'table') this.#recheck.add(slot);
            else if (change.kind === 'set' && change.address.set === a.set) this.#recheck.add(slot);
            else if (change.kind === 'elements' && change.address.set === a.set) this.#reread.add(slot);
          }
        }
      }
    });
    if (outcome === 'lost') {
      this.#tableDirty = this.#table !== undefined;
      for (const { slots } of this.#targets.values()) for (const slot of slots) this.#recheck.add(slot);
      elements();
    }
    this.#due();
  }

  #due(): void {
    const now = this.#now();
    for (const { target, slots } of [...this.#targets.values()]) {
      for (const slot of slots) {
        const retry = this.#retries.get(slot);
        const again = this.#recheck.delete(slot) || (retry !== undefined && retry.at <= now && slot.info === undefined);
        const before = slot.installed;
        if (again) {
          this.#check(slot, target);
          this.#noteDrift(target, before - slot.installed);
        } else if (this.#reread.has(slot)) this.#noteDrift(target, this.#read(slot));
      }
    }
    this.#commit(undefined);
  }

  #noteDrift(target: KernelTarget, missing: number): void {
    if (missing > 0) this.#drifted.set(target.set, (this.#drifted.get(target.set) ?? 0) + missing);
  }

  /** Milliseconds until `poll` has something to do by itself; undefined when nothing is open. */
  nextDue(): number | undefined {
    const times = [...this.#retries.values()].map((r) => r.at);
    if (this.#tableRetry) times.push(this.#tableRetry.at);
    if (this.#reread.size > 0) times.push(this.#now() + FIRST_RETRY);
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - this.#now());
  }

  status(): KernelStatus {
    const info = this.#table && this.#backend.readTable({ family: 'inet', table: this.#table.name });
    return {
      sets: [...this.#targets.values()].map(statusOf),
      problems: this.#problems.list(),
      commits: this.#commits,
      failedCommits: this.#failedCommits,
      repairs: this.#repairs,
      elementsSent: this.#elementsSent,
      rules: info?.chains.flatMap((c) => c.rules.map((r) => ({ chain: c.name, rule: r.name, packets: r.packets, bytes: r.bytes }))) ?? [],
      ownedTable: info && { name: info.table, owner: info.owner, persist: info.persist },
    };
  }

  /** Removes everything that Weir added. */
  clear(): void {
    if (this.#table) this.#retired.add(this.#table.name);
    this.#table = undefined;
    this.#tableDirty = this.#retired.size > 0;
    this.#dropTargets(new Set());
    this.#commit(undefined);
    saveImage(this.#directory, { targets: [], table: undefined });
  }

  /** The kernel stays as it is. */
  close(): void {
    for (const { slots } of this.#targets.values()) for (const slot of slots) slot.ledger.close();
    this.#targets.clear();
    this.#backend.close();
  }
}

function printable(columns: SlotChange['added'], i: number): string {
  const p = prefixAt(columns, i);
  return `member ${p.family === 4 ? 'IPv4' : 'IPv6'} /${p.length}`;
}

function unfitReason(
  info: { readonly keyFamily: number | undefined; readonly map: boolean; readonly constant: boolean },
  slot: Slot,
): string | undefined {
  const type = slot.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  if (info.map) return 'is a map, not a set';
  if (info.keyFamily !== slot.family) return `is not of type ${type}`;
  return info.constant ? 'is constant: the kernel takes no changes' : undefined;
}

function want(delta: MemberDelta, slots: readonly Slot[], split: boolean): void {
  const [first, second] = slots;
  if (!first) return;
  const k = delta.family === 4 ? 1 : 4;
  const bits = delta.family === 4 ? 32 : 128;
  if (delta.complete) for (const slot of slots) slot.beginComplete();
  const { words, lengths, wanted } = delta;
  for (let i = 0; i < delta.count; i++) {
    const at = i * k;
    const length = lengths[i] as number;
    const slot = split && length < bits && second ? second : first;
    const six = k === 4;
    slot.want(
      words[at] as number,
      six ? (words[at + 1] as number) : 0,
      six ? (words[at + 2] as number) : 0,
      six ? (words[at + 3] as number) : 0,
      length,
      wanted[i] === 1,
    );
  }
  if (delta.complete) for (const slot of slots) slot.endComplete();
}

function statusOf({ target, slots, split }: Target): SetStatus {
  const left = slots.map((slot) => slot.leftOut(LISTED));
  const total = (of: (slot: Slot) => number): number => slots.reduce((n, slot) => n + of(slot), 0);
  const present = slots.every((slot) => slot.info !== undefined);
  return {
    set: target.set,
    family: target.family,
    wanted: total((s) => s.wanted),
    installed: total((s) => s.installed),
    covered: total((s) => s.covered),
    foreign: total((s) => s.foreign),
    conflicts: left.flatMap((l) => l.conflicts),
    unfit: left.flatMap((l) => l.unfit),
    representation: !present ? 'absent' : split ? 'hash+interval' : slots[0]?.interval ? 'interval' : 'hash',
  };
}
