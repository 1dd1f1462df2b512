import type { UnicastFamily } from '@weir/bgp/codec';
import type { Peer } from '../model/config.ts';
import type { NamedSet } from '../model/named-set.ts';
import type { FamilyIndex } from './family-index.ts';

/** Losses of the session whose routes are still held, kept apart for each peer. A further one joins the latest, which then counts from now. */
export const MAX_EPOCHS = 255;

/** Milliseconds that the routes of a lost session may be kept: the restart time (RFC 4724), then the long-lived stale time (RFC 9494). */
export interface StaleTimes {
  readonly restart: number;
  readonly longLived: number;
}

export const NO_STALE_TIMES: StaleTimes = { restart: 0, longLived: 0 };

/** Routes that one loss of the session made stale and that may be kept equally long, and what is still held since. */
export interface Epoch {
  readonly id: number;
  /** Milliseconds. */
  lostAt: number;
  /** Stale routes of this loss. */
  rows: number;
  /** Milliseconds that graceful restart lets these routes be kept, and that long-lived graceful restart adds. */
  times: StaleTimes;
  /** Indexes of the sets whose hold is over: these routes give them nothing. */
  readonly ended: Set<number>;
}

export function familyIndex(name: UnicastFamily): FamilyIndex {
  return name === 'ipv4 unicast' ? 0 : 1;
}

export function familyName(index: FamilyIndex): UnicastFamily {
  return index === 0 ? 'ipv4 unicast' : 'ipv6 unicast';
}

/** When the routes of a loss stop to give to a set; infinite for a set that holds forever. */
export function holdEnd(set: Pick<NamedSet, 'onSessionLoss'>, { lostAt, times }: Pick<Epoch, 'lostAt' | 'times'>): number {
  switch (set.onSessionLoss.kind) {
    case 'withdraw':
      return lostAt;
    case 'hold':
      return lostAt + set.onSessionLoss.ms;
    case 'hold-forever':
      return Number.POSITIVE_INFINITY;
    case 'hold-long-lived':
      return lostAt + times.restart + times.longLived;
  }
}

/** One peer as a source of routes. */
export class PeerState {
  readonly index: number;
  definition: Peer;
  up = false;
  /** Stored routes by family. */
  readonly rows: [number, number] = [0, 0];
  /** Of these, the stale ones. */
  readonly stale: [number, number] = [0, 0];
  /** Whether the peer has said, since the ledger was loaded or a refresh was asked for, all that it has. */
  readonly learned: [boolean, boolean] = [false, false];
  /** Routes announced and not stored since nothing asks for them. */
  unneeded = 0;
  /** Routes announced that are leaks (RFC 9234 section 5). */
  leaked = 0;
  /** Routes not taken because of `maxPrefixes` with `block`. */
  blocked = 0;
  /** Routes not taken because a table is full. */
  overflow = 0;
  readonly epochs: Map<number, Epoch> = new Map();

  constructor(index: number, definition: Peer) {
    this.index = index;
    this.definition = definition;
  }

  /** Whether each announced route has a row, wanted or not: only then can announced routes be counted. */
  get tracks(): boolean {
    return this.definition.keepAll || this.definition.maxPrefixes !== undefined;
  }

  /** Routes announced in the present session and not withdrawn, where the peer `tracks`; else those of them that are stored. */
  fresh(family: FamilyIndex): number {
    return this.rows[family] - this.stale[family];
  }

  /** An epoch of a loss that happens now. */
  newEpoch(now: number, times: StaleTimes): Epoch {
    for (let id = 1; id <= MAX_EPOCHS; id++) {
      if (this.epochs.has(id)) continue;
      const epoch: Epoch = { id, lostAt: now, rows: 0, times, ended: new Set() };
      this.epochs.set(id, epoch);
      return epoch;
    }
    let latest: Epoch | undefined;
    for (const epoch of this.epochs.values()) if (!latest || epoch.lostAt > latest.lostAt) latest = epoch;
    if (!latest) throw new RangeError('no epoch');
    // What shares an epoch is kept for the shorter time.
    if (latest.lostAt < now || latest.times.restart + latest.times.longLived > times.restart + times.longLived) latest.times = times;
    latest.lostAt = now;
    latest.ended.clear();
    return latest;
  }

  /** One stale route less in an epoch. */
  leaveEpoch(id: number, family: FamilyIndex): void {
    this.stale[family]--;
    const epoch = this.epochs.get(id);
    if (epoch && --epoch.rows === 0) this.epochs.delete(id);
  }
}
