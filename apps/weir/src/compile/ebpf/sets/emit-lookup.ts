import type { Label } from '@weir/ebpf/asm';
import { SET_LAYOUT, slotMaskSymbol } from '../../../model/set-layout.ts';
import type { Branch } from '../compare.ts';
import type { RuleAssembler } from '../layout.ts';

const { bucket, coverMask, firstBits, header, headerSlot, lengthShift, networksFrom, networksOctets, record, slotOctets, valueShift } =
  SET_LAYOUT;

/** From an entry to the octets where its slot begins. */
const TO_OFFSET = SET_LAYOUT.slotShift - 6;
/** Steps on the longest way of an IPv6 address: a node for each 4 bits, or a record in place of some, and a record at the end. */
const MOST_STEPS = (128 - firstBits) / 4 + 1;

/**
 * Goes to `yes` when an address is in a member of a set, else to `no`. `map` is the symbol of the set's map of this family; the address is in the order of packets, at an offset
 * from r10 that is a multiple of 4 (IPv4) or 8 (IPv6). r0 to r5 are lost; nothing on the stack is. IPv4 takes about 90 instructions, and at most 6 words of memory, of large sets nearly
 * always one; IPv6 about 110, in loops that the verifier walks in some 5,600.
 */
export function emitSetLookup(asm: RuleAssembler, family: 4 | 6, map: string, address: number, branch: Branch): void {
  if (family === 4) emitLookup4(asm, map, address, branch);
  else emitLookup6(asm, map, address, branch);
}

/** r0 is the entry at hand, r1 the address in host order, r2 the memory of the set, r3 the mask of slots, r4 and r5 what is at hand. */
function emitLookup4(asm: RuleAssembler, map: string, address: number, branch: Branch): void {
  const lonely = asm.label('one member');
  asm.load('r1', 'u32', 'r10', address).byteOrder('r1', 'be', 32);
  asm.mapValue('r2', map, 0).symbol('r3', slotMaskSymbol(map));
  emitNetworks(asm, branch);
  asm.mov('r4', 'r1').alu('r4', '>>=', 16).alu('r4', '<<=', 2).mov('r5', 'r2').alu('r5', '+=', 'r4').load('r0', 'u32', 'r5', 0);
  for (let depth: number = firstBits; depth < 32; depth += 4) {
    emitEntry(asm, branch);
    asm.jump('w0', 's<', 0, lonely);
    asm.mov('r4', 'r1');
    if (depth < 28) asm.alu('r4', '>>=', 26 - depth);
    else asm.alu('r4', '<<=', 2);
    asm.alu('r4', '&=', 0x3c).alu('r0', '>>=', TO_OFFSET).alu('r0', '&=', 'r3').alu('r0', '|=', 'r4');
    asm.mov('r5', 'r2').alu('r5', '+=', 'r0').load('r0', 'u32', 'r5', 0);
  }
  // The last node has nothing below it.
  asm.alu('w0', '&=', coverMask).jump('w0', '!=', 0, branch.yes).goto(branch.no);
  asm.place(lonely).mov('r4', 'r0').alu('r4', '>>=', valueShift).alu('r4', '^=', 'r1').alu('r4', '&=', 0xffff);
  asm.alu('r0', '>>=', lengthShift).alu('r0', '&=', 15).alu('r4', '>>=', 'r0').jump('r4', '==', 0, branch.yes).goto(branch.no);
}

/** Goes on where the network of 24 bits does not say it all. The verifier knows how large the map is, and takes this out where it is too small for networks. */
function emitNetworks(asm: RuleAssembler, { yes, no }: Branch): void {
  const trie = asm.label('trie');
  asm.jump('r3', '<', networksFrom - slotOctets, trie);
  asm
    .mov('r4', 'r1')
    .alu('r4', '>>=', 12)
    .alu('r4', '<<=', 2)
    .mov('r5', 'r3')
    .alu('r5', '-=', networksOctets - slotOctets);
  asm.alu('r5', '+=', 'r4').mov('r4', 'r2').alu('r4', '+=', 'r5').load('r0', 'u32', 'r4', 0);
  asm.mov('r5', 'r1').alu('r5', '>>=', 7).alu('r5', '&=', 30).alu('r0', '>>=', 'r5').alu('r0', '&=', 3);
  asm.jump('r0', '==', 0, no).jump('r0', '==', 1, yes);
  asm.place(trie);
}

/** Goes on where the address is no host of those outside of the trie. r0 has which of a bucket's addresses are members, r1 where the bucket is, r3 leads to it, r5 counts buckets. */
function emitHosts(asm: RuleAssembler, map: string, address: number, yes: Label): void {
  const trie = asm.label('trie');
  const next = asm.label('next bucket');
  asm
    .mapValue('r5', map, headerSlot * slotOctets)
    .load('r0', 'u32', 'r5', header.hostsAt)
    .jump('r0', '==', 0, trie);
  for (const word of [0, 1, 2, 3]) {
    const to = word === 0 ? 'r1' : 'r3';
    asm
      .load(to, 'u32', 'r10', address + 4 * word)
      .load('r4', 'u32', 'r5', header.multipliers + 4 * word)
      .alu(to, '*=', 'r4');
    if (word > 0) asm.alu('r1', '+=', 'r3');
  }
  asm
    .alu('w1', '&=', -1)
    .mov('r3', 'r1')
    .alu('r3', '>>=', 15)
    .alu('r1', '^=', 'r3')
    .set('r3', SET_LAYOUT.finalMultiplier)
    .alu('w1', '*=', 'w3');
  asm.load('r4', 'u32', 'r5', header.homes).alu('r1', '*=', 'r4').alu('r1', '>>=', 32).alu('r1', '<<=', 6).alu('r1', '+=', 'r0');
  asm.mov('r5', 0);
  asm.place(next).symbol('r4', slotMaskSymbol(map)).alu('r1', '&=', 'r4').mapValue('r3', map, 0).alu('r3', '+=', 'r1');
  // What says that an address is a member is read before the address, also by processors that read in another order: the place of the address depends on it.
  asm.load('r0', 'u32', 'r3', bucket.used).mov('r4', 'r0').alu('r4', '&=', 0).alu('r3', '+=', 'r4');
  for (let host = 0; host < bucket.hosts; host++) {
    const other = asm.label('not this one');
    for (const half of [0, 8])
      asm
        .load('r4', 'u64', 'r3', 16 * host + half)
        .load('r2', 'u64', 'r10', address + half)
        .jump('r4', '!=', 'r2', other);
    asm.jump('w0', '&', 1 << host, yes).place(other);
  }
  asm.load('r4', 'u32', 'r3', bucket.passed).jump('r4', '==', 0, trie);
  asm.alu('r1', '+=', slotOctets).alu('r5', '+=', 1).jump('r5', '<', bucket.probes, next);
  asm.place(trie);
}

/** r0 is the entry at hand, r2 how many bits are behind it, r5 counts steps, r1, r3 and r4 are what is at hand. */
function emitLookup6(asm: RuleAssembler, map: string, address: number, { yes, no }: Branch): void {
  const step = asm.label('next bits');
  const node = asm.label('node');
  const value = (): RuleAssembler => asm.mapValue('r3', map, 0);
  emitHosts(asm, map, address, yes);
  asm.load('r1', 'u16', 'r10', address).byteOrder('r1', 'be', 16).alu('r1', '<<=', 2);
  value().alu('r3', '+=', 'r1').load('r0', 'u32', 'r3', 0);
  // 16, which the verifier does not know: a step after a node is to it as one after a record.
  asm.mov('r2', 'r0').alu('r2', '^=', -1).alu('r2', '&=', 'r0').alu('r2', '|=', firstBits);
  asm.mov('r5', 0);
  asm.place(step);
  emitEntry(asm, { yes, no });
  asm.alu('r5', '+=', 1).jump('r5', '>', MOST_STEPS, no);
  asm.jump('w0', 's>=', 0, node);
  offset(asm, map);
  value().alu('r3', '+=', 'r0');
  for (const half of [0, 8]) {
    asm
      .load('r1', 'u64', 'r3', record.value + half)
      .load('r4', 'u64', 'r10', address + half)
      .alu('r1', '^=', 'r4');
    asm
      .load('r4', 'u64', 'r3', record.mask + half)
      .alu('r1', '&=', 'r4')
      .jump('r1', '!=', 0, no);
  }
  asm.load('r0', 'u32', 'r3', record.entry).load('r2', 'u32', 'r3', record.bits);
  emitEntry(asm, { yes, no });
  asm.place(node);
  asm.mov('r3', 'r2').alu('r3', '>>=', 3).alu('r3', '&=', 15).alu('r3', '+=', 'r10').load('r1', 'u8', 'r3', address);
  asm.mov('r4', 'r2').alu('r4', '&=', 4).alu('r4', '^=', 4).alu('r1', '>>=', 'r4').alu('r1', '&=', 15).alu('r1', '<<=', 2);
  offset(asm, map);
  asm.alu('r0', '|=', 'r1');
  value().alu('r3', '+=', 'r0').load('r0', 'u32', 'r3', 0);
  asm.alu('r2', '+=', 4).alu('r2', '&=', 0xff).goto(step);
}

/** An entry that covers the address, or has nothing below. */
function emitEntry(asm: RuleAssembler, { yes, no }: { readonly yes: Label; readonly no: Label }): void {
  asm.jump('w0', '&', coverMask, yes).jump('w0', '==', 0, no);
}

/** From the entry in r0 to the octets where its slot begins. */
function offset(asm: RuleAssembler, map: string): void {
  asm.alu('r0', '>>=', TO_OFFSET).symbol('r4', slotMaskSymbol(map)).alu('r0', '&=', 'r4');
}
