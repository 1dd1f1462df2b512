/** What happened: events fan out to counters, a ring, the log and subscribers. */
export { Counters, type CounterValues } from './counters.ts';
export { type Described, describeEvent, type Level } from './describe-event.ts';
export { EventBus, MAX_SUBSCRIPTIONS, RING_SIZE } from './event-bus.ts';
export { Histogram } from './histogram.ts';
export { type Log, type LogOptions, openLog } from './log.ts';
export { MAX_QUEUE, Subscription } from './subscription.ts';
