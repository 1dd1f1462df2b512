/** Addresses in named tables, for others to have. */
export { decodeChanges, encodeChanges } from './encode-change.ts';
export { equalSource, NetworkTables, type NetworkTablesOptions } from './network-tables.ts';
