/** Many BGP clients on one machine. */
export { type ClientConfig, digestOf } from './client.ts';
export { clientAddress, Fleet, type FleetConfig, monotonic } from './fleet.ts';
export type { ClientSummary, Wanted } from './protocol.ts';
export { MARKS, printNumber, sizeOf, type Universe } from './universe.ts';
