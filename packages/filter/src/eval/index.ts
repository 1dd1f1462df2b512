/** The interpreter: what an expression means. */
export { type AddressTable, readAddressTable, type TableKind, type TableResult } from './address-table.ts';
export { type AddressTables, applyTables } from './apply-tables.ts';
export { evaluate, NO_LISTS } from './evaluate.ts';
export { genericSubject, type SubjectResult } from './generic-subject.ts';
export { printValue } from './print-value.ts';
export { printSaw, type Trace, type TraceStep, trace } from './trace.ts';
export type { Lists, Subject, Value } from './value.ts';
