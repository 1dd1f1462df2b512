/** Addresses in named tables, for others to have. */
export { Aggregate, type AggregateOptions } from './aggregate.ts';
export { decodePayload, encodeRecord, encodeState, type NetworkPayload } from './encode-change.ts';
export { eventOf, type HistoryFilter, NetworkHistory } from './network-history.ts';
export { equalSource, type NetworkEntry, NetworkTables, type NetworkTablesOptions } from './network-tables.ts';
export { PrefixSet } from './prefix-set.ts';
