import { type Family, mask32 } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { below, coverByShort, coverOf, hasCover, publish, slotOf } from './entries.ts';
import { HostTable } from './host-table.ts';
import { lonelyLength, lonelyWord } from './lonely.ts';
import { isRecord, recordBits, recordTarget, recordWord, sharedBits } from './record.ts';
import { endOfPool, isHeader, type MemberVisitor, SetTrie } from './set-trie.ts';

const { firstBits, poolSlot, shortCover, shortWords, slotWords } = SET_LAYOUT;

/** What memory holds turned out not to be a set. */
class Damage extends Error {
  override readonly name = 'Damage';
}

interface Reading {
  readonly words: Int32Array;
  readonly family: Family;
  readonly member: MemberVisitor;
  /** By slot: 1 where something leads to it. Each is led to once. */
  readonly used: Uint8Array;
  /** A member has its bit in some of its entries only: what was written when the process ended. */
  readonly torn: (at: number, bit: number) => void;
}

/** The members, in no particular order that is promised; not those that are half written. */
export function eachMember(words: Int32Array, family: Family, member: MemberVisitor): void {
  read({ words, family, member, used: slotsOf(words, family), torn: () => undefined });
}

/** How many members the memory has; undefined where it does not hold a set of the family, or something in it cannot be. */
export function countMembers(words: Int32Array, family: Family): number | undefined {
  if (!isHeader(words, family)) return undefined;
  let count = 0;
  const whole = tryRead({ words, family, member: () => count++, used: slotsOf(words, family), torn: () => undefined });
  return whole ? count : undefined;
}

/**
 * Takes over what another process left: members that were half written are taken out. Undefined where the memory does not hold a set of the family, or something in it
 * cannot be: then nothing has been changed.
 */
export function openTrie(words: Int32Array, family: Family): SetTrie | undefined {
  if (!isHeader(words, family)) return undefined;
  const used = slotsOf(words, family);
  const torn: number[] = [];
  const trie = new SetTrie(words, family);
  const member: MemberVisitor = (_w0, _w1, _w2, _w3, length) => trie.count(length);
  if (!tryRead({ words, family, member, used, torn: (at, bit) => torn.push(at, bit) })) return undefined;
  for (let i = 0; i < torn.length; i += 2) {
    const at = torn[i] as number;
    publish(words, at, (words[at] as number) & ~(torn[i + 1] as number));
  }
  coverByShort(words, 0, 256);
  trie.pool.restore(used);
  trie.hosts?.restore();
  trie.networks?.update(0, 0);
  return trie;
}

/** @throws Damage */
function slotsOf(words: Int32Array, family: Family): Uint8Array {
  if (!isHeader(words, family)) throw new Damage('not the header of a set');
  return new Uint8Array(endOfPool(words, family));
}

function tryRead(reading: Reading): boolean {
  try {
    read(reading);
    return true;
  } catch (error) {
    if (error instanceof Damage) return false;
    throw error;
  }
}

/** @throws Damage */
function read(reading: Reading): void {
  const { words, family, member } = reading;
  for (let octet = 0; octet < 256; octet++) {
    const cover = words[shortWords + octet] as number;
    if (cover >= 1 << 9 || cover < 0) throw new Damage('bits that no member has');
    for (let length = 0; length <= 8; length++)
      if (cover & (1 << length)) readCover(reading, shortWords, octet, 1 << (8 - length), 1 << length, octet << 24, 0, 0, 0, length);
  }
  for (let index = 0; index < 1 << firstBits; index++) {
    const entry = words[index] as number;
    if (entry === 0) continue;
    const cover = coverOf(entry) & ~shortCover;
    for (let part = 0; cover >>> part !== 0; part++)
      if (cover & (1 << part)) readCover(reading, 0, index, 1 << (7 - part), 1 << part, index << 16, 0, 0, 0, part + 9);
    readBelow(reading, below(entry), index << 16, 0, 0, 0, firstBits);
  }
  if (family === 6 && HostTable.open(words)?.read((w0, w1, w2, w3) => member(w0, w1, w2, w3, 128)) === false)
    throw new Damage('a host in the place of another');
}

/** A bit of an entry: of a member that begins here, or before. */
function readCover(
  { words, member, torn }: Reading,
  base: number,
  index: number,
  count: number,
  bit: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  length: number,
): void {
  const first = base + (index & ~(count - 1));
  if (!hasCover(words, first, count, bit)) torn(base + index, bit);
  else if (first === base + index) member(w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0, length);
}

function readBelow(reading: Reading, entry: number, w0: number, w1: number, w2: number, w3: number, depth: number): void {
  const { words, family, member } = reading;
  if (entry === 0) return;
  if (entry > 0) {
    readNode(reading, slotOf(entry), w0, w1, w2, w3, depth);
    return;
  }
  if (family === 4) {
    const length = lonelyLength(entry);
    const address = (w0 & 0xffff_0000) | lonelyWord(entry);
    if (length <= depth || ((address ^ w0) & mask32(depth)) !== 0 || (address & ~mask32(length)) !== 0)
      throw new Damage('a member in the place of another');
    member(address >>> 0, 0, 0, 0, length);
    return;
  }
  const slot = slotOf(entry);
  enter(reading, slot);
  const bits = recordBits(words, slot);
  if (!isRecord(words, slot) || bits <= depth) throw new Damage('a record that is none');
  const [r0, r1, r2, r3] = [0, 1, 2, 3].map((i) => recordWord(words, slot, i)) as [number, number, number, number];
  const target = recordTarget(words, slot);
  if (sharedBits(words, slot, w0, w1, w2, w3) < depth) throw new Damage('a record in the place of another');
  if (target === 1) member(r0, r1, r2, r3, bits);
  else if (coverOf(target) !== 0 || target < 0 || bits % 4 !== 0) throw new Damage('a record that leads nowhere');
  else readNode(reading, slotOf(target), r0, r1, r2, r3, bits);
}

function readNode(reading: Reading, node: number, w0: number, w1: number, w2: number, w3: number, depth: number): void {
  const { words, family } = reading;
  enter(reading, node);
  const last = depth + 4 === (family === 4 ? 32 : 128);
  if (depth + 4 > (family === 4 ? 32 : 128)) throw new Damage('a node after the last bit');
  const word = depth >>> 5;
  const shift = 28 - (depth & 31);
  for (let index = 0; index < 16; index++) {
    const entry = words[node * slotWords + index] as number;
    if (entry === 0) continue;
    const cover = coverOf(entry);
    if (cover > 15 || (last && below(entry) !== 0)) throw new Damage('an entry that cannot be');
    const bits = index << shift;
    const n0 = word === 0 ? w0 | bits : w0;
    const n1 = word === 1 ? w1 | bits : w1;
    const n2 = word === 2 ? w2 | bits : w2;
    const n3 = word === 3 ? w3 | bits : w3;
    for (let part = 0; cover >>> part !== 0; part++)
      if (cover & (1 << part)) readCover(reading, node * slotWords, index, 1 << (3 - part), 1 << part, n0, n1, n2, n3, depth + 1 + part);
    readBelow(reading, below(entry), n0, n1, n2, n3, depth + 4);
  }
}

function enter({ used }: Reading, slot: number): void {
  if (slot < poolSlot || slot >= used.length || used[slot] !== 0) throw new Damage('a slot that cannot be');
  used[slot] = 1;
}
