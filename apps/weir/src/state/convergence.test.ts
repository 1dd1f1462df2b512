import type { FamilyName } from '@weir/bgp/codec';
import { describe, expect, it } from 'vitest';
import { type ConvergenceEvent, convergenceDeadline, initialConvergence, stepConvergence } from './convergence.ts';

const times = { settle: 30_000, settleWithoutRestart: 10_000 };
const FOUR: FamilyName = 'ipv4 unicast';
const SIX: FamilyName = 'ipv6 unicast';
const both: readonly FamilyName[] = [FOUR, SIX];

/** Runs events, and ticks whenever one is due before the next event; what converged when. */
function play(events: readonly ConvergenceEvent[], until: number, families: readonly FamilyName[] = [FOUR]): [number, string][] {
  let state = initialConvergence(families);
  const out: [number, string][] = [];
  const take = (event: ConvergenceEvent, at: number): void => {
    const step = stepConvergence(state, event, times);
    state = step.state;
    for (const name of step.converged) out.push([at, name]);
  };
  let now = 0;
  for (const event of [...events, { kind: 'tick', at: until } as const]) {
    const at = 'at' in event ? event.at : now;
    for (let due = convergenceDeadline(state); due !== undefined && due < at; due = convergenceDeadline(state))
      take({ kind: 'tick', at: due }, due);
    now = at;
    take(event, at);
  }
  return out;
}

const up = (at: number, gracefulRestart: boolean, families: readonly FamilyName[] = [FOUR]): ConvergenceEvent => ({
  kind: 'up',
  at,
  gracefulRestart,
  families,
});
const update = (at: number): ConvergenceEvent => ({ kind: 'update', at });
const eor = (at: number, family: FamilyName = FOUR): ConvergenceEvent => ({ kind: 'end-of-rib', at, family });

const rows: readonly {
  name: string;
  events: readonly ConvergenceEvent[];
  families?: readonly FamilyName[];
  until?: number;
  want: readonly [number, string][];
}[] = [
  { name: 'routes, then End-of-RIB, then quiet', events: [up(0, true), update(1000), eor(2000)], want: [[32_000, FOUR]] },
  {
    name: 'FRR after a crash: End-of-RIB first, the routes seconds later',
    events: [up(0, true), eor(100), update(3000), update(5000), update(5100)],
    want: [[35_100, FOUR]],
  },
  { name: 'graceful restart and no End-of-RIB: silence proves nothing', events: [up(0, true), update(1000)], until: 10_000_000, want: [] },
  {
    name: 'no graceful restart (GoBGP as configured by default): 10 s of silence',
    events: [up(0, false), update(1000), update(4000)],
    want: [[14_000, FOUR]],
  },
  { name: 'no graceful restart and not one route', events: [up(0, false)], want: [[10_000, FOUR]] },
  {
    name: 'End-of-RIB from a peer without graceful restart is an UPDATE like any other',
    events: [up(0, false), update(5000), eor(5000)],
    want: [[15_000, FOUR]],
  },
  { name: 'each family has its own End-of-RIB', events: [up(0, true, both), eor(1000, FOUR)], families: both, want: [[31_000, FOUR]] },
  {
    name: 'an UPDATE of one family puts the other off too',
    events: [up(0, true, both), eor(1000, FOUR), eor(2000, SIX), update(20_000)],
    families: both,
    want: [
      [50_000, FOUR],
      [50_000, SIX],
    ],
  },
  {
    name: 'a family that the session lacks converges after settle',
    events: [up(0, true, [FOUR]), eor(1000)],
    families: both,
    want: [
      [30_000, SIX],
      [31_000, FOUR],
    ],
  },
  { name: 'the session is lost before it is quiet', events: [up(0, true), eor(1000), { kind: 'down' }], until: 1_000_000, want: [] },
  {
    name: 'lost and back: everything begins anew',
    events: [up(0, true), eor(1000), { kind: 'down' }, up(20_000, true), eor(25_000)],
    want: [[55_000, FOUR]],
  },
  {
    name: 'a peer that never stops converges after 20 times settle',
    events: [up(0, true), eor(0), ...Array.from({ length: 100 }, (_, i) => update((i + 1) * 10_000))],
    until: 2_000_000,
    want: [[600_000, FOUR]],
  },
  {
    name: 'a refresh that a reload asks for is settled anew',
    events: [up(0, true), eor(0), update(60_000), { kind: 'refresh', at: 60_000, family: FOUR }, update(70_000)],
    until: 200_000,
    want: [
      [30_000, FOUR],
      [100_000, FOUR],
    ],
  },
  {
    name: 'silence while nothing is read proves nothing',
    events: [up(0, true), eor(0), { kind: 'pause', at: 10_000 }, update(100_000), { kind: 'resume', at: 100_000 }],
    until: 200_000,
    want: [[130_000, FOUR]],
  },
  {
    name: 'a disabled family does not converge',
    events: [up(0, true), eor(0), { kind: 'disabled', family: FOUR }],
    until: 200_000,
    want: [],
  },
];

describe('convergence', () => {
  it.each(rows)('$name', ({ events, families, until, want }) => {
    expect(play(events, until ?? 1_000_000, families ?? [FOUR])).toEqual(want);
  });

  it('an UPDATE after convergence changes nothing and allocates nothing', () => {
    let { state } = stepConvergence(initialConvergence([FOUR]), up(0, false), times);
    state = stepConvergence(state, { kind: 'tick', at: 10_000 }, times).state;
    const after = stepConvergence(state, update(20_000), times).state;
    expect(after.phases).toBe(state.phases);
    expect(convergenceDeadline(after)).toBeUndefined();
  });
});
