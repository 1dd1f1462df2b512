/**
 * How the members of one family of a named set lie in memory: a trie in the one value of an array map, which programs read and one process writes through a mapping. Words of
 * 32 bits in host order; a slot is 16 words (64 octets), and the value is as many slots as a power of two.
 *
 *     slots 0-4095     the entries of the first 16 bits of an address
 *     slots 4096-4111  which members of at most 8 bits there are, by first octet; programs do not read it
 *     slot  4112       the header: MAGIC, the layout's version, the family; of hosts (IPv6): octets to the first bucket, homes, and at `multipliers` four odd words
 *     slots 4113-      nodes: the 16 entries of the next 4 bits; records (IPv6)
 *     the last slots   IPv4, from `networksFrom` octets on: networks; IPv6, where the header says so: hosts
 *
 * An entry:
 *
 *     31    30                     9 8          0
 *     +-----+-----------------------+------------+
 *     | tag | slot                  | covered by |
 *     +-----+-----------------------+------------+
 *
 * Covered by: bit k is set where a member covers all of the entry that is k + 1 bits longer than what led to its node; in the first level bit k is for members of k + 9 bits, and bit 8
 * for those of at most 8. Members are never pushed down, so they can be told apart again, and one member is one bit in 1 to 128 entries. Slot: the node below, 0 for none. With the tag
 * - IPv4: exactly one member below: bits 13-28 are the last 16 bits of its address, bits 9-12 are 32 less its length
 * - IPv6: the slot is a record { value 16 octets · mask 16 octets · entry u32 · bits u32 · MAGIC }: where the address has the value under the mask, the entry goes on from there, and leads
 *   to the node for the 4 bits after `bits`, or is one member (bit 0). Value and mask are in the order of packets.
 *
 * Networks: two bits for each of 24 bits, 16 in a word: 0 for none of it, 1 for all of it, 2 where the trie is to be asked.
 *
 * Hosts: members of 128 bits outside of the trie. A slot is a bucket of three addresses in the order of packets, then a word of which bit k says that address k is a member, and a word that
 * counts the members which found no room here and are in a later one. A member's home is the bucket of its hash; one for which there is no room in `probes` buckets from there on is in the
 * trie. The hash is a number of 32 bits: the words of the address by the multipliers, summed up; that xor itself shifted by 15, by `finalMultiplier`; of it the part that is `homes` for all.
 */
export const SET_LAYOUT = {
  slotOctets: 64,
  slotWords: 16,
  /** Bits that the first level takes. */
  firstBits: 16,
  /** Word. */
  shortWords: 65_536,
  headerSlot: 4112,
  poolSlot: 4113,
  coverMask: 0x1ff,
  shortCover: 0x100,
  slotShift: 9,
  tag: 0x8000_0000,
  lengthShift: 9,
  valueShift: 13,
  /** Octets within a record. */
  record: { value: 0, mask: 16, entry: 32, bits: 36, magic: 40 },
  /** Octets of a value that is large enough for networks, and of these. */
  networksFrom: 0x80_0000,
  networksOctets: 0x40_0000,
  /** Octets within the header. */
  header: { hostsAt: 12, homes: 16, multipliers: 32 },
  /** Octets within a bucket, how many addresses it has, and how many buckets are looked at. */
  bucket: { used: 48, passed: 52, hosts: 3, probes: 8 },
  /** Of the hash. */
  finalMultiplier: 0x85eb_ca6b,
  /** Of the map: its value can be mapped into a process. */
  mapFlags: 0x400,
  magic: 0x7265_6977,
  version: 2,
  /** Octets of the value: a new set's, and the most that one can grow to. */
  leastOctets: 0x8_0000,
  mostOctets: 0x1000_0000,
} as const;

/** The map of a set's members of one family, as programs name it. */
export function listSymbol(list: string, family: 4 | 6): string {
  return `${list} ${family}`;
}

/**
 * What of a list's map a program is bound to besides its shape: the octets of its value less one slot, by which every offset is masked. A map of another size needs the
 * same program loaded anew with this constant, and nothing else.
 */
export function slotMaskSymbol(listSymbol: string): string {
  return `${listSymbol} slots`;
}

export function slotMask(valueOctets: number): bigint {
  return BigInt(valueOctets - SET_LAYOUT.slotOctets);
}
