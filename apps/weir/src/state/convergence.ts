import type { FamilyName } from '@weir/bgp/codec';

/** Milliseconds, from the configuration. */
export interface ConvergenceTimes {
  /** Quiet time after End-of-RIB. */
  readonly settle: number;
  /** Quiet time where the peer offers no graceful restart. */
  readonly settleWithoutRestart: number;
}

/**
 * A peer that never stops to send UPDATEs, as one with a full table does, counts as converged this many times `settle` after its End-of-RIB
 * (or, without graceful restart, after the session came up): the transfer of any table is over by then.
 */
const LONGEST_SETTLE = 20;

/**
 * What a family of one peer is at:
 * - `down`: no session, or the family is ignored in it;
 * - `learning`: the peer offers graceful restart and has not sent its End-of-RIB;
 * - `settling`: converged when it was quiet for `quiet` milliseconds since `from` and the last UPDATE, though not later than `latest`;
 * - `converged`: what the peer has not claimed by now is stale.
 */
export type FamilyPhase =
  | { readonly kind: 'down' }
  | { readonly kind: 'learning' }
  | { readonly kind: 'settling'; readonly quiet: number; readonly from: number; readonly latest: number }
  | { readonly kind: 'converged' };

/** Phases of one peer's configured families. */
export interface PeerConvergence {
  readonly phases: ReadonlyMap<FamilyName, FamilyPhase>;
  /** When the last UPDATE came. */
  readonly updatedAt: number;
  /** Since when nothing is read from the peer, so that its silence says nothing. */
  readonly pausedAt: number | undefined;
}

export type ConvergenceEvent =
  | {
      readonly kind: 'up';
      readonly at: number;
      /** Whether the peer offers graceful restart (capability 64). The families in it and their F bits make no difference. */
      readonly gracefulRestart: boolean;
      readonly families: readonly FamilyName[];
    }
  /** Any UPDATE, of whatever family, an End-of-RIB included. */
  | { readonly kind: 'update'; readonly at: number }
  | { readonly kind: 'end-of-rib'; readonly at: number; readonly family: FamilyName }
  /** The peer was asked for a family again: it has to become quiet anew. */
  | { readonly kind: 'refresh'; readonly at: number; readonly family: FamilyName }
  /** The family is ignored for the rest of the session (RFC 4760 section 7). */
  | { readonly kind: 'disabled'; readonly family: FamilyName }
  | { readonly kind: 'pause'; readonly at: number }
  | { readonly kind: 'resume'; readonly at: number }
  | { readonly kind: 'tick'; readonly at: number }
  | { readonly kind: 'down' };

export interface ConvergenceStep {
  readonly state: PeerConvergence;
  /** Families that converged in this step. */
  readonly converged: readonly FamilyName[];
}

const NONE: readonly FamilyName[] = [];
const DOWN: FamilyPhase = { kind: 'down' };
const CONVERGED: FamilyPhase = { kind: 'converged' };

export function initialConvergence(families: readonly FamilyName[]): PeerConvergence {
  return { phases: new Map(families.map((name) => [name, DOWN])), updatedAt: 0, pausedAt: undefined };
}

function settling(at: number, quiet: number, times: ConvergenceTimes): FamilyPhase {
  return { kind: 'settling', quiet, from: at, latest: at + Math.max(quiet, LONGEST_SETTLE * times.settle) };
}

function map(state: PeerConvergence, change: (phase: FamilyPhase, name: FamilyName) => FamilyPhase): PeerConvergence {
  return { ...state, phases: new Map([...state.phases].map(([name, phase]) => [name, change(phase, name)])) };
}

/** When a family is over with settling, should no UPDATE come. */
function quietAt(phase: Extract<FamilyPhase, { kind: 'settling' }>, { updatedAt }: PeerConvergence): number {
  return Math.min(Math.max(phase.from, updatedAt) + phase.quiet, phase.latest);
}

/**
 * When a peer has converged, so that what it has not claimed may be removed. End-of-RIB does not prove it: FRR 8.4 sends it seconds before its
 * routes when it restarts after a crash. So a family converges when `settle` without any UPDATE has passed after its End-of-RIB, or
 * `settleWithoutRestart` of silence where the peer offers no graceful restart (it may then send no End-of-RIB at all). A family that the session
 * does not carry has nothing to say and converges `settle` after the session came up, unless the peer talks on.
 */
export function stepConvergence(state: PeerConvergence, event: ConvergenceEvent, times: ConvergenceTimes): ConvergenceStep {
  switch (event.kind) {
    case 'up':
      return unchanged(
        map({ ...state, pausedAt: undefined }, (_, name) => {
          if (!event.families.includes(name)) return settling(event.at, times.settle, times);
          return event.gracefulRestart ? { kind: 'learning' } : settling(event.at, times.settleWithoutRestart, times);
        }),
      );
    case 'update':
      return unchanged({ phases: state.phases, updatedAt: event.at, pausedAt: state.pausedAt });
    case 'resume': {
      const { pausedAt } = state;
      if (pausedAt === undefined) return unchanged(state);
      // The time in which nothing was read does not count: neither as quiet nor towards the latest.
      return unchanged(
        map({ ...state, pausedAt: undefined }, (phase) =>
          phase.kind === 'settling' ? { ...phase, from: event.at, latest: phase.latest + event.at - pausedAt } : phase,
        ),
      );
    }
    case 'end-of-rib':
      return unchanged(
        map(state, (phase, name) => (name === event.family && phase.kind === 'learning' ? settling(event.at, times.settle, times) : phase)),
      );
    case 'refresh':
      return unchanged(
        map(state, (phase, name) => {
          const over = phase.kind === 'settling' || phase.kind === 'converged';
          return name === event.family && over ? settling(event.at, times.settle, times) : phase;
        }),
      );
    case 'disabled':
      return unchanged(map(state, (phase, name) => (name === event.family ? DOWN : phase)));
    case 'pause':
      return unchanged({ ...state, pausedAt: state.pausedAt ?? event.at });
    case 'tick': {
      if (state.pausedAt !== undefined) return unchanged(state);
      const done = [...state.phases]
        .filter(([, phase]) => phase.kind === 'settling' && quietAt(phase, state) <= event.at)
        .map(([name]) => name);
      if (done.length === 0) return unchanged(state);
      return { state: map(state, (phase, name) => (done.includes(name) ? CONVERGED : phase)), converged: done };
    }
    case 'down':
      return unchanged(map({ ...state, pausedAt: undefined }, () => DOWN));
  }
}

function unchanged(state: PeerConvergence): ConvergenceStep {
  return { state, converged: NONE };
}

/** When the next `tick` has something to do; undefined when none has. */
export function convergenceDeadline(state: PeerConvergence): number | undefined {
  if (state.pausedAt !== undefined) return undefined;
  let first: number | undefined;
  for (const phase of state.phases.values()) {
    if (phase.kind === 'settling') first = Math.min(first ?? Number.POSITIVE_INFINITY, quietAt(phase, state));
  }
  return first;
}
