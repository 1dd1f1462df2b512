/** Connection tracking: listing and deleting entries. */
export { ConntrackClient, type Perspective } from './client.ts';
export { type ConntrackEntry, type ConntrackKey, CT_STATUS, decodeConntrackEntry, encodeConntrackKey } from './entry.ts';
export type { ConnectionTarget } from './target-index.ts';
export { decodeTuple, type Tuple } from './tuple.ts';
