import { mask32 } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';

const { magic, record, slotWords, tag, slotShift } = SET_LAYOUT;

const VALUE = record.value / 4;
const MASK = record.mask / 4;
const ENTRY = record.entry / 4;
const BITS = record.bits / 4;
const MAGIC = record.magic / 4;

/** Of IPv6: the first bits of an address, and where they lead. Records are written before anything leads to them and never changed. */
export function writeRecord(
  words: Int32Array,
  slot: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  bits: number,
  entry: number,
): void {
  const at = slot * slotWords;
  writeWord(words, at, w0, bits);
  writeWord(words, at + 1, w1, bits - 32);
  writeWord(words, at + 2, w2, bits - 64);
  writeWord(words, at + 3, w3, bits - 96);
  words[at + ENTRY] = entry;
  words[at + BITS] = bits;
  words[at + MAGIC] = magic;
}

function writeWord(words: Int32Array, at: number, word: number, bits: number): void {
  const mask = mask32(bits);
  words[at + VALUE] = swap32(word & mask);
  words[at + MASK] = swap32(mask);
}

export function recordEntry(slot: number): number {
  return tag | (slot << slotShift);
}

/** Where the record leads: a node, or 1 when its bits are a member. */
export function recordTarget(words: Int32Array, slot: number): number {
  return words[slot * slotWords + ENTRY] as number;
}

export function recordBits(words: Int32Array, slot: number): number {
  return words[slot * slotWords + BITS] as number;
}

/** Word 0 to 3 of the address that the record is for. */
export function recordWord(words: Int32Array, slot: number, word: number): number {
  return swap32(words[slot * slotWords + VALUE + word] as number) >>> 0;
}

/** Whether the record is one, of these bits and no others. */
export function isRecord(words: Int32Array, slot: number): boolean {
  const at = slot * slotWords;
  const bits = words[at + BITS] as number;
  if (words[at + MAGIC] !== magic || bits <= SET_LAYOUT.firstBits || bits > 128) return false;
  for (let i = 0; i < 4; i++) {
    const mask = swap32(mask32(bits - 32 * i));
    if (words[at + MASK + i] !== mask || ((words[at + VALUE + i] as number) & ~mask) !== 0) return false;
  }
  return true;
}

/** How many leading bits an address has in common with a record's, at most the record's. */
export function sharedBits(words: Int32Array, slot: number, w0: number, w1: number, w2: number, w3: number): number {
  const limit = recordBits(words, slot);
  let shared = Math.clz32(recordWord(words, slot, 0) ^ w0);
  if (shared === 32 && limit > 32) {
    shared += Math.clz32(recordWord(words, slot, 1) ^ w1);
    if (shared === 64 && limit > 64) {
      shared += Math.clz32(recordWord(words, slot, 2) ^ w2);
      if (shared === 96 && limit > 96) shared += Math.clz32(recordWord(words, slot, 3) ^ w3);
    }
  }
  return Math.min(shared, limit);
}

/** The order of octets turned round. */
export function swap32(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
