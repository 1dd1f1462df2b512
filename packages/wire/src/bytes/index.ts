/** Bounds-checked byte readers and writers. */
export { DecodeError } from './error.ts';
export { type HashKey, halfSipHash, randomHashKey } from './half-sip-hash.ts';
export { parseHex, printHex } from './hex.ts';
export { Reader } from './reader.ts';
export { Writer } from './writer.ts';
