import type { FamilyName, UpdateMessage } from '@weir/bgp/codec';
import type { Negotiated } from '@weir/bgp/fsm';
import type { MaxPrefixes } from '../../model/config.ts';
import {
  type ConvergenceEvent,
  type ConvergenceTimes,
  convergenceDeadline,
  initialConvergence,
  type PeerConvergence,
  type StateClock,
  stepConvergence,
} from '../../state/index.ts';

/** Milliseconds that a refresh may take from its beginning to its end (RFC 7313 section 4); then what was not announced again stays. */
export const REFRESH_BOUND = 600_000;

/** What a link tells its source. */
export interface LinkOutput {
  readonly converged: (families: readonly FamilyName[]) => void;
  readonly refreshTimedOut: (family: FamilyName) => void;
}

/** One peer between session and state: how far it has converged, and which refreshes are under way. */
export class PeerLink {
  readonly #clock: StateClock;
  readonly #output: LinkOutput;
  readonly #refreshes = new Map<FamilyName, { cancel(): void }>();
  #times: ConvergenceTimes;
  #convergence: PeerConvergence;
  #timer: { cancel(): void } | undefined;
  #negotiated: Negotiated | undefined;
  /** Why the session, or the last attempt, ended; until the next change of state has told it. */
  reason: string | undefined;
  maxPrefixes: MaxPrefixes | undefined;
  /** Families over their prefix limit whose further routes are not taken. */
  readonly blocked: Set<FamilyName> = new Set();
  /** Families that should have been heard again, from a peer that cannot be asked (RFC 2918 was not agreed on) or that sent nothing when it was. */
  readonly unrefreshed: Set<FamilyName> = new Set();
  /** When families were asked for, while nothing has come of it. */
  readonly #asked = new Map<FamilyName, number>();

  constructor(families: readonly FamilyName[], times: ConvergenceTimes, clock: StateClock, output: LinkOutput) {
    this.#convergence = initialConvergence(families);
    this.#times = times;
    this.#clock = clock;
    this.#output = output;
  }

  /** Of the present session. */
  get negotiated(): Negotiated | undefined {
    return this.#negotiated;
  }

  get convergence(): PeerConvergence {
    return this.#convergence;
  }

  set times(times: ConvergenceTimes) {
    this.#times = times;
  }

  established(negotiated: Negotiated): void {
    this.#negotiated = negotiated;
    this.blocked.clear();
    this.unrefreshed.clear();
    this.#asked.clear();
    const gracefulRestart = negotiated.gracefulRestart !== undefined;
    this.step({ kind: 'up', at: this.#clock.now(), gracefulRestart, families: negotiated.families });
  }

  down(): void {
    this.#negotiated = undefined;
    this.endRefreshes();
    this.step({ kind: 'down' });
  }

  updated(update: UpdateMessage, at: number): void {
    this.step({ kind: 'update', at });
    if (update.endOfRib !== undefined) this.step({ kind: 'end-of-rib', at, family: update.endOfRib });
  }

  step(event: ConvergenceEvent): void {
    const { state, converged } = stepConvergence(this.#convergence, event, this.#times);
    this.#convergence = state;
    // An UPDATE only puts a deadline off: the timer that is set finds out when it fires.
    if (event.kind !== 'update') this.#arm();
    if (converged.length > 0) this.#output.converged(converged);
  }

  /** The peer was asked for a family again. */
  asked(family: FamilyName): void {
    this.#asked.set(family, this.#clock.now());
  }

  /** Whether a family that has become quiet was asked for, and nothing at all came. */
  endAsked(family: FamilyName): boolean {
    const at = this.#asked.get(family);
    return this.#asked.delete(family) && at !== undefined && this.#convergence.updatedAt <= at;
  }

  beginRefresh(family: FamilyName): void {
    this.#asked.delete(family);
    this.endRefresh(family);
    const timer = this.#clock.setTimer(REFRESH_BOUND, () => {
      this.#refreshes.delete(family);
      this.#output.refreshTimedOut(family);
    });
    this.#refreshes.set(family, timer);
  }

  /** Whether such a refresh was under way. */
  endRefresh(family: FamilyName): boolean {
    this.#refreshes.get(family)?.cancel();
    return this.#refreshes.delete(family);
  }

  endRefreshes(): void {
    for (const family of [...this.#refreshes.keys()]) this.endRefresh(family);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.endRefreshes();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const deadline = convergenceDeadline(this.#convergence);
    if (deadline === undefined) return;
    this.#timer = this.#clock.setTimer(Math.max(0, deadline - this.#clock.now()), () => {
      this.#timer = undefined;
      this.step({ kind: 'tick', at: this.#clock.now() });
    });
  }
}
