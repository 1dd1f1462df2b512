/** Connection tracking: listing and deleting entries. */
export { ConntrackClient, type Perspective } from './client.ts';
export { CT_STATUS, type ConntrackEntry, type ConntrackKey, decodeConntrackEntry, encodeConntrackKey } from './entry.ts';
export type { ConnectionTarget } from './target-index.ts';
export { decodeTuple, type Tuple } from './tuple.ts';
