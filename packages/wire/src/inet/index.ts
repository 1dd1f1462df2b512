/** IP addresses, prefixes and AS numbers, and tables of prefixes. */
export { AS_TRANS, type Asn, asn, parseAsn } from './asn.ts';
export { bitsOf, compareIp, decodeIp, encodeIp, equalIp, type Family, type Ip, ip, ip4, ip6, ipBytes, parseIp, printIp } from './ip.ts';
export {
  comparePrefix,
  covers,
  equalPrefix,
  isHost,
  lastIp,
  makePrefix,
  mask32,
  overlaps,
  type Prefix,
  type PrefixError,
  type PrefixResult,
  parsePrefix,
  prefix,
  prefixFromWords,
  printPrefix,
} from './prefix.ts';
export { type PrefixHashKey, prefixHashKey } from './prefix-hash.ts';
export { PrefixTable } from './prefix-table.ts';
export { PrefixTrie } from './prefix-trie.ts';
export { nextIp, previousIp, rangeAsPrefix, rangePrefixes } from './range.ts';
