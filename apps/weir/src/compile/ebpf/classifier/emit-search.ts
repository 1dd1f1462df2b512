import type { Label } from '@weir/ebpf/asm';
import { type RuleAssembler, STACK } from '../layout.ts';
import { type AddressLookup, HEAD } from './address-lookup.ts';
import { LEAF, NARROW, OTHER, WIDE } from './search-tree.ts';

/** Where a search in the trees of an address goes on. */
interface Exits {
  /** The reference to a leaf is in r1. */
  readonly leaf: Label;
  /** The table contradicts itself. */
  readonly impossible: Label;
}

interface Search extends Exits {
  readonly symbol: string;
  readonly octets: number;
}

/**
 * Finds the reference of an address (`at4` and `at6` say where it is in the IP header) in the table `symbol`: in r1, with LEAF. r0 to r5 are lost. A packet is without an address where it
 * ends before.
 */
export function emitSearchAddress(
  asm: RuleAssembler,
  lookup: AddressLookup,
  search: Uint8Array,
  { symbol, at4, at6, impossible }: { readonly symbol: string; readonly at4: number; readonly at6: number; readonly impossible: Label },
): void {
  const [not4, missing, leaf] = [asm.label('not IPv4'), asm.label('no address'), asm.label('leaf')];
  const table: Search = { symbol, octets: search.length, leaf, impossible };
  asm.load('r1', 'u64', 'r10', STACK.ip4).alu('r1', '^=', 0).jump('r1', '==', 0, not4);
  asm
    .load('r1', 'u64', 'r10', STACK.length)
    .alu('r1', '^=', 0)
    .jump('r1', 's<', at4 + 4, missing);
  if (lookup.low.root >= LEAF) asm.mapValue('r1', symbol, HEAD.low).load('r1', 'u32', 'r1', 0).goto(leaf);
  else {
    asm.load('r5', 'u32', 'r10', STACK.network + at4).byteOrder('r5', 'be', 32);
    asm.mov('r1', lookup.low.root);
    for (let level = 0; level < lookup.low.depth; level++) emitNarrow(asm, table, level > 0);
    asm.goto(impossible);
  }
  asm.place(not4).load('r1', 'u64', 'r10', STACK.ip6).alu('r1', '^=', 0).jump('r1', '==', 0, missing);
  asm
    .load('r1', 'u64', 'r10', STACK.length)
    .alu('r1', '^=', 0)
    .jump('r1', 's<', at6 + 16, missing);
  if (lookup.high.root >= LEAF) asm.mapValue('r1', symbol, HEAD.high).load('r1', 'u32', 'r1', 0).goto(leaf);
  else emitSearch128(asm, table, lookup.high, at6);
  // Not a constant: the verifier would keep the cases apart.
  asm.place(missing).mapValue('r1', symbol, HEAD.missing).load('r1', 'u32', 'r1', 0);
  asm.place(leaf);
}

/** One node: from its offset in r1 to that of the next in r1, for the key of 32 bits in r5. */
function emitNarrow(asm: RuleAssembler, { symbol, octets, leaf, impossible }: Search, checked: boolean): void {
  const [inside, below] = [asm.label('inside'), asm.label('below')];
  if (checked) asm.jump('r1', '>', octets - NARROW.parts, impossible);
  asm.mapValue('r2', symbol, 0).alu('r2', '+=', 'r1').load('r3', 'u32', 'r2', NARROW.base);
  asm.mov('w4', 'w5').alu('w4', '-=', 'w3').load('r0', 'u32', 'r2', NARROW.span).jump('w4', '<=', 'w0', inside);
  asm.jump('w5', '<', 'w3', below).load('r1', 'u32', 'r2', NARROW.above).goto(leaf);
  asm.place(below).load('r1', 'u32', 'r2', NARROW.below).goto(leaf);
  asm.place(inside).load('r3', 'u32', 'r2', NARROW.shift).alu('w4', '>>=', 'w3').alu('r4', '<<=', 2).alu('r4', '+=', 'r1');
  asm.jump('r4', '>', octets - NARROW.parts - 4, impossible);
  asm.mapValue('r2', symbol, NARROW.parts).alu('r2', '+=', 'r4').load('r1', 'u32', 'r2', 0).jump('w1', 's<', 0, leaf);
}

function emitSearch128(
  asm: RuleAssembler,
  table: Search,
  { root, upper, lower }: { readonly root: number; readonly upper: number; readonly lower: number },
  at6: number,
): void {
  const [reference, other] = [asm.label('outside'), asm.label('the lower half')];
  asm.load('r5', 'u64', 'r10', STACK.network + at6).byteOrder('r5', 'be', 64);
  asm.mov('r1', root);
  for (let level = 0; level < upper; level++) emitWide(asm, table, level > 0, { reference, other: lower > 0 ? other : undefined });
  asm.goto(table.impossible);
  asm.place(reference).jump('w1', 's<', 0, table.leaf);
  if (lower === 0) {
    asm.goto(table.impossible);
    return;
  }
  asm.place(other).mov('r2', 'r1').alu('r2', '&=', OTHER).jump('r2', '==', 0, table.impossible);
  asm.alu('r1', '&=', OTHER - 1);
  asm.load('r5', 'u64', 'r10', STACK.network + at6 + 8).byteOrder('r5', 'be', 64);
  for (let level = 0; level < lower; level++) emitWide(asm, table, true, { reference: table.leaf, other: undefined });
  asm.goto(table.impossible);
}

/** One node, for the key of 64 bits in r5. Where the key is outside, the reference goes to `reference`. */
function emitWide(
  asm: RuleAssembler,
  { symbol, octets, leaf, impossible }: Search,
  checked: boolean,
  { reference, other }: { readonly reference: Label; readonly other: Label | undefined },
): void {
  const [inside, below] = [asm.label('inside'), asm.label('below')];
  if (checked) asm.jump('r1', '>', octets - WIDE.parts, impossible);
  asm.mapValue('r2', symbol, 0).alu('r2', '+=', 'r1').load('r3', 'u64', 'r2', WIDE.base);
  asm.mov('r4', 'r5').alu('r4', '-=', 'r3').load('r0', 'u64', 'r2', WIDE.span).jump('r4', '<=', 'r0', inside);
  asm.jump('r5', '<', 'r3', below).load('r1', 'u32', 'r2', WIDE.above).goto(reference);
  asm.place(below).load('r1', 'u32', 'r2', WIDE.below).goto(reference);
  asm.place(inside).load('r3', 'u32', 'r2', WIDE.shift).alu('r4', '>>=', 'r3');
  asm.jump('r4', '>', octets, impossible).alu('r4', '<<=', 2).alu('r4', '+=', 'r1');
  asm.jump('r4', '>', octets - WIDE.parts - 4, impossible);
  asm.mapValue('r2', symbol, WIDE.parts).alu('r2', '+=', 'r4').load('r1', 'u32', 'r2', 0).jump('w1', 's<', 0, leaf);
  if (other !== undefined) asm.mov('r2', 'r1').alu('r2', '&=', OTHER).jump('r2', '!=', 0, other);
}
