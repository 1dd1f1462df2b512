import type { MapNeed } from '../../model/ebpf-program.ts';
import type { HookRules, Rule } from '../../model/rule.ts';

/** The ring buffer that every program writes its events to. */
export const EVENTS = 'events';
/** What became of the events of each rule: EVENT_COUNT. */
export const EVENT_COUNTS = 'event_counts';
/** For each rule { events so far u32 · second of the machine's clock u32 }. */
export const EVENT_RATES = 'event_rates';
/** One u32: the number of the program, which the events of it carry. */
export const GENERATION = 'generation';

/** Words of 64 bits, per CPU. What was written is what was seen without the other two. */
export const EVENT_COUNT = { seen: 0, sampledOut: 8, lost: 16 } as const;
const EVENT_COUNT_OCTETS = 24;

/** Octets of the ring buffer unless told: 87,000 events, which is what comes in a sixth of a second at 500,000 a second. */
const RING_OCTETS: number = 8 * 1024 * 1024;

/** Whether a rule ever gives events. */
export function givesEvents({ log, audit, action }: Rule): boolean {
  return log || audit || action.kind === 'log';
}

/** The maps of programs whose rules give events. */
export function eventMaps({ rules }: HookRules): readonly MapNeed[] {
  const entries = Math.max(1, rules.length);
  return [
    { kind: 'events', symbol: EVENTS, shape: { type: 'ringbuf', maxEntries: RING_OCTETS } },
    {
      kind: 'event-counts',
      symbol: EVENT_COUNTS,
      words: EVENT_COUNT_OCTETS / 8,
      shape: { type: 'percpu_array', keySize: 4, valueSize: EVENT_COUNT_OCTETS, maxEntries: entries },
    },
    { kind: 'event-rates', symbol: EVENT_RATES, shape: { type: 'array', keySize: 4, valueSize: 8, maxEntries: entries } },
    { kind: 'generation', symbol: GENERATION, shape: { type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 } },
  ];
}
