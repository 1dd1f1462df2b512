import type { KernelTarget } from '../compile/nft/targets.ts';
import type { RangeColumns, SetAddress, SetInfo, TableFamily } from '../kernel/backend.ts';
import type { PrefixColumns } from '../model/member-delta.ts';
import { type ElementChange, ElementView, type Reloaded } from './element-view.ts';
import { Ledger, type LedgerKey } from './ledger.ts';

/** What stands for the identity of a set in a table of Weir's own: every element in it is Weir's, whichever table it is. */
const OWNED = 'owned';

/** When something that was refused is tried again, in the clock of the reconciler, and how long it waited. */
export interface Retry {
  readonly at: number;
  readonly delay: number;
}

/** One kernel set that Weir fills: what it should have and has, the ledger, and the kernel set while it is there and fit. */
export class Slot {
  readonly address: SetAddress;
  readonly owned: boolean;
  readonly #ledger: Ledger;
  #view: ElementView;
  #info: SetInfo | undefined;
  /** Whether the ledger's file has been taken into the view. */
  #loaded = false;
  retry: Retry | undefined;
  /** Another process keeps undoing what is put right here: repairs wait until then. */
  repairAt: number | undefined;
  /** What the kernel says may not be what is known: look at the set again, or read its elements again. */
  recheck = false;
  reread = false;
  /** The kernel takes no more elements. */
  full = false;
  /** A new set of the table that Weir owns: no rule is to use it before its members are in. */
  #filling = false;

  constructor(directory: string, key: LedgerKey, interval: boolean) {
    this.address = key.address;
    this.owned = key.owned;
    this.#ledger = Ledger.open(directory, key);
    this.#view = new ElementView(key.family, interval, key.owned);
  }

  get view(): ElementView {
    return this.#view;
  }

  get info(): SetInfo | undefined {
    return this.#info;
  }

  get filling(): boolean {
    return this.#filling;
  }

  /** The kernel set is there. When it is not the one that the ledger is about, what the ledger says is void. Its elements are to be read next. */
  attach(info: SetInfo, realm: string): void {
    const identity = this.owned ? OWNED : `${realm} ${info.identity}`;
    const same = this.#ledger.identity === identity;
    if (!this.#loaded || info.interval !== this.#view.interval) this.#changeKind(info.interval);
    const saved = this.#ledger.takeSaved();
    if (!same) this.#forget(identity);
    else if (!this.#loaded) this.#view.loadLedger(saved);
    this.#loaded = true;
    this.#info = info;
    this.recheck = false;
  }

  #forget(identity: string): void {
    this.#view.lost();
    this.#ledger.restart(identity);
    this.full = false;
  }

  #changeKind(interval: boolean): void {
    if (interval === this.#view.interval) return;
    const wanted = this.#view.wantedColumns();
    this.#view = new ElementView(this.#view.family, interval, this.owned);
    this.#view.wantAll(wanted);
  }

  /** The kernel set is not there, or not fit. */
  detach(): void {
    if (this.#info || this.owned) this.#forget(this.owned ? OWNED : '');
    this.#info = undefined;
    this.recheck = false;
    this.reread = false;
  }

  /** The set is being made anew, in the transaction that is prepared: it will be empty. */
  emptied(): void {
    this.#forget(OWNED);
    this.#loaded = true;
    this.#filling = true;
  }

  /** Takes over what the kernel has; see ElementView. */
  reload(ranges: RangeColumns, verify?: (members: PrefixColumns) => Uint8Array): Reloaded {
    const view = this.#view;
    const found = view.reload(ranges, verify);
    this.reread = false;
    this.full = false;
    if (this.owned) this.#record(view.unrecorded());
    return found;
  }

  #record(ids: readonly number[]): void {
    if (ids.length === 0) return;
    const view = this.#view;
    const columns = view.columns(view.enterLedger(ids));
    this.#ledger.write('add', columns, () => view.ledgerColumns());
  }

  /** Tries again what was left out without a known reason. */
  retryLeftOut(): void {
    this.full = false;
    this.#view.retryCollided();
  }

  /** Writes into the ledger that these additions may be ours from now on; returns those that it did not have. */
  announce(change: ElementChange): readonly number[] {
    const fresh = this.#view.enterLedger(change.adds);
    const columns = fresh.length === change.adds.length ? change.added : this.#view.columns(fresh);
    this.#ledger.write('add', columns, () => this.#view.ledgerColumns());
    return fresh;
  }

  /** The commit took effect. */
  done(change: ElementChange): void {
    const view = this.#view;
    view.confirm(change);
    this.#filling &&= view.pending;
    view.leaveLedger(change.removes);
    this.#ledger.write('remove', change.removed, () => view.ledgerColumns());
    this.tidy();
    if (change.removes.length > 0) this.retryLeftOut();
  }

  /** The commit did not take effect: what `announce` wrote for it is not ours. */
  undone(change: ElementChange, fresh: readonly number[]): void {
    const view = this.#view;
    view.reject(change);
    const columns = view.columns(fresh);
    view.leaveLedger(fresh);
    this.#ledger.write('remove', columns, () => view.ledgerColumns());
  }

  /** Writes out of the ledger what is no element any more and will not be one. */
  tidy(): void {
    const view = this.#view;
    const ids = view.takeUnledgered();
    if (ids.length > 0) {
      const columns = view.columns(ids);
      view.leaveLedger(ids);
      this.#ledger.write('remove', columns, () => view.ledgerColumns());
    }
    this.#ledger.compact(view.ledgered, () => view.ledgerColumns());
  }

  close(): void {
    this.#ledger.close();
  }

  /** Also forgets what the ledger says. */
  destroy(): void {
    this.#ledger.destroy();
  }
}

/** The slots of one set and family. */
export interface Target {
  readonly target: KernelTarget;
  /** Hosts go to the first and the rest to the second, where there are two. */
  readonly slots: readonly Slot[];
  /** No configuration names it any more: it goes when what Weir added is out. */
  readonly retired: boolean;
}

/** The kernel sets that a target fills, with the kind that is expected of each. */
export function slotKeys({ place, family }: KernelTarget): readonly { readonly key: LedgerKey; readonly interval: boolean }[] {
  const key = (tableFamily: TableFamily, set: string): LedgerKey => ({
    address: { family: tableFamily, table: place.table, set },
    family,
    owned: place.kind === 'owned',
  });
  if (place.kind === 'user') return [{ key: key(place.family, place.set), interval: true }];
  return [
    { key: key('inet', place.hosts), interval: false },
    { key: key('inet', place.networks), interval: true },
  ];
}

/** What a kernel set is known by. */
export function addressKey({ family, table, set }: SetAddress): string {
  return `${family} ${table} ${set}`;
}
