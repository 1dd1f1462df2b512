/** What happened: events fan out to counters, a ring, the log and subscribers. */
export type { CounterValues } from './counters.ts';
export type { Described, Level } from './describe-event.ts';
export { EventBus } from './event-bus.ts';
export { type Log, type LogOptions, openLog } from './log.ts';
