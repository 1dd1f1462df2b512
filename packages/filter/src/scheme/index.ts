/** Types, fields and functions that expressions may speak of. */
export { FUNCTIONS, SLICE_PROTOCOLS } from './functions.ts';
export { GUARDED_PACKET_SCHEME, IP_PROTOCOLS, PACKET_SCHEME } from './packet-scheme.ts';
export { parseScheme, type SchemeResult } from './parse-scheme.ts';
export type { Field, FunctionDefinition, Hook, Int, Parameter, Scheme } from './scheme.ts';
export { BOOL, BYTES, equalType, INT, IP, parseType, printType, type Type } from './type.ts';
