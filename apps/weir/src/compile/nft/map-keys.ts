import type { Expression, SetTypeName } from '@weir/netlink/nftables';
import { FIELDS } from './fields.ts';
import type { MapKey } from './image.ts';

const TYPES: readonly SetTypeName[] = ['ipv4_addr', 'ipv6_addr', 'inet_proto', 'inet_service'];
const IFNAMSIZ = 16;
/** A 16-byte register, as nft uses it, and the first of the 4-byte registers, of which each of the others is four. */
const FIRST_REGISTER = 1;
const FIRST_WORD = 8;

export function isInterface(key: MapKey): key is 'iifname' | 'oifname' {
  return key === 'iifname' || key === 'oifname';
}

/** Name of the type of a part of a key, as nft and the kernel's sets have it. */
export function keyType(key: MapKey): SetTypeName {
  if (isInterface(key)) return 'ifname';
  const type = TYPES.find((one) => one === FIELDS[key].typeName);
  if (!type) throw new RangeError(`a map over ${FIELDS[key].text}`);
  return type;
}

/** Bytes of one part of a key. */
function keyLength(key: MapKey): number {
  return isInterface(key) ? IFNAMSIZ : FIELDS[key].load.length;
}

/** The bytes that a part takes where there are several: whole words. */
export function paddedLength(key: MapKey): number {
  return (keyLength(key) + 3) & ~3;
}

/** `ip saddr . tcp dport`, as rules and maps name what they look up. */
export function printKeys(keys: readonly MapKey[]): string {
  return keys.map((key) => (isInterface(key) ? key : FIELDS[key].text)).join(' . ');
}

/** Loads the parts of a key side by side, as a set keeps them. That the packet has them has been made sure before. */
export function keyLoads(keys: readonly MapKey[]): Expression[] {
  let word = 0;
  return keys.map((key) => {
    const dreg = word % 4 === 0 ? FIRST_REGISTER + word / 4 : FIRST_WORD + word;
    word += paddedLength(key) / 4;
    if (isInterface(key)) return { kind: 'meta', key, dreg };
    const { load } = FIELDS[key];
    if (load.kind === 'extension') throw new RangeError(`a map over ${FIELDS[key].text}`);
    if (load.kind === 'meta') return { kind: 'meta', key: load.key, dreg };
    return { kind: 'payload', base: load.base, offset: load.offset, length: load.length, dreg };
  });
}
