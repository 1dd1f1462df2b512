import type { ForeignChange, ForeignCommit, KernelBackend, Operation, Outcome, PollOutcome, SetAddress, TableAddress } from '../backend.ts';
import { FakeBackend } from './fake-backend.ts';
import { type FakeElement, FakeRuleset } from './fake-ruleset.ts';

/** Something that is to go wrong, once, at the next commit of a backend. */
export type FakeFault =
  /** The kernel says no; `operation` undefined: without saying to what. */
  | { readonly kind: 'refuse'; readonly code: string; readonly operation: number | undefined }
  /** The answer is lost; whether it took effect is not known to the sender. */
  | { readonly kind: 'lost-answer'; readonly applied: boolean }
  /** The process dies before or after the kernel has done it: FakeCrash is thrown. */
  | { readonly kind: 'crash'; readonly applied: boolean }
  /** Others are faster: this runs first. */
  | { readonly kind: 'meanwhile'; readonly run: () => void };

/** The process is gone. */
export class FakeCrash extends Error {}

/** A transaction that took effect. */
export interface FakeCommit {
  readonly process: string;
  readonly operations: readonly Operation[];
  readonly before: FakeRuleset;
  readonly after: FakeRuleset;
}

export interface FakeKernelOptions {
  readonly ownership: boolean;
  /** Called with every transaction of a backend that took effect. */
  readonly observe?: (commit: FakeCommit) => void;
}

interface Listener {
  readonly process: string;
  readonly commits: ForeignCommit[];
  lost: boolean;
}

/**
 * nf_tables of one network namespace in memory: whole transactions, and notifications to the backends that are open. Others change it through `foreign` and
 * `flush`; faults are asked for beforehand. It outlives the backends, as the kernel outlives a process.
 */
export class FakeKernel {
  readonly ownership: boolean;
  readonly realm: string;
  readonly #observe: ((commit: FakeCommit) => void) | undefined;
  readonly #listeners = new Set<Listener>();
  #ruleset = new FakeRuleset();
  #faults: FakeFault[] = [];
  #processes = 0;
  /** Commits that took effect, of anybody. */
  generation = 1;
  /** Every listing shows only part of the elements, and says so. */
  partialListings = false;

  constructor({ ownership, observe }: FakeKernelOptions, realm = 'fake 1') {
    this.ownership = ownership;
    this.realm = realm;
    this.#observe = observe;
  }

  get ruleset(): FakeRuleset {
    return this.#ruleset;
  }

  /** A process begins to work with it. */
  open(): KernelBackend {
    const listener: Listener = { process: `weir ${++this.#processes}`, commits: [], lost: false };
    this.#listeners.add(listener);
    return new FakeBackend(this, {
      process: listener.process,
      poll: (visit) => this.#poll(listener, visit),
      waiting: () => listener.lost || listener.commits.length > 0,
      leave: () => {
        this.#listeners.delete(listener);
        this.#ruleset.leave(listener.process);
      },
    });
  }

  /** The next commit of a backend fails so; several are met one after another. */
  fail(fault: FakeFault): void {
    this.#faults.push(fault);
  }

  /** Faults that were asked for and not met do not come. */
  heal(): void {
    this.#faults = [];
    this.partialListings = false;
  }

  /** The kernel drops the notifications that wait. */
  loseNotifications(): void {
    for (const listener of this.#listeners) {
      listener.commits.length = 0;
      listener.lost = true;
    }
  }

  /** Another process commits; false when it was refused. */
  foreign(operations: readonly Operation[], process = 'nft'): boolean {
    return this.#transact(operations, process).kind === 'committed';
  }

  /** Another process flushes the ruleset. */
  flush(process = 'nft'): void {
    const next = this.#ruleset.clone();
    this.#notify(next.flush(process), process);
    this.#ruleset = next;
    this.generation++;
  }

  elements(address: SetAddress): readonly FakeElement[] {
    const found = [...(this.#ruleset.set(address)?.elements.values() ?? [])];
    return found.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  }

  hasTable(address: TableAddress): boolean {
    return this.#ruleset.table(address) !== undefined;
  }

  /** A backend's commit. */
  commit(operations: readonly Operation[], process: string): Outcome {
    for (;;) {
      const fault = this.#faults.shift();
      switch (fault?.kind) {
        case undefined:
          return this.#transact(operations, process);
        case 'meanwhile':
          fault.run();
          continue;
        case 'refuse': {
          const operation = fault.operation !== undefined && fault.operation < operations.length ? fault.operation : undefined;
          return { kind: 'refused', refusals: [{ operation, element: undefined, code: fault.code, message: fault.code }] };
        }
        case 'lost-answer':
          if (fault.applied) this.#transact(operations, process);
          return { kind: 'unknown' };
        case 'crash':
          if (fault.applied) this.#transact(operations, process);
          throw new FakeCrash(fault.applied ? 'after the commit' : 'before the commit');
      }
    }
  }

  #transact(operations: readonly Operation[], process: string): Outcome {
    const before = this.#ruleset;
    const after = before.clone();
    const { refusals, changes } = after.apply(operations, process);
    if (refusals.length > 0) return { kind: 'refused', refusals };
    this.#ruleset = after;
    this.generation++;
    this.#notify(changes, process);
    if ([...this.#listeners].some((listener) => listener.process === process)) this.#observe?.({ process, operations, before, after });
    return { kind: 'committed' };
  }

  #notify(changes: readonly ForeignChange[], process: string): void {
    for (const listener of this.#listeners) {
      if (listener.process !== process && !listener.lost && changes.length > 0) listener.commits.push({ process, changes });
    }
  }

  #poll(listener: Listener, visit: (commit: ForeignCommit) => void): PollOutcome {
    for (const commit of listener.commits.splice(0)) visit(commit);
    const { lost } = listener;
    listener.lost = false;
    return lost ? 'lost' : 'current';
  }
}
