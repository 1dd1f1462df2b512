import type { Label } from '@weir/ebpf/asm';
import type { IpSet, Range, RangeSet } from '@weir/filter/ir';
import { MAX_IP6 } from '@weir/filter/ir';
import type { Fact } from './facts.ts';
import { type RuleAssembler, STACK } from './layout.ts';

/** Where a test goes: labels, of which one may stand right after it. */
export interface Branch {
  readonly yes: Label;
  readonly no: Label;
}

/** Up to so many ranges are tried one after the other. */
const FEW = 3;

/** Whether a fact is in the set. Values that no fact has have been cut off: at most 32 bits. */
export function emitInt(asm: RuleAssembler, fact: Fact, set: RangeSet, { yes, no }: Branch): void {
  const ranges = set.map(({ first, last }) => [Number(first), Number(last)] as const);
  if (ranges.length <= FEW && fact.size === 'u32') {
    for (const [first, last] of ranges) {
      asm.load('r1', 'u32', 'r10', fact.slot);
      if (first === last) asm.alu('w1', '^=', first).jump('w1', '==', 0, yes);
      else {
        // What is compared is not what is on the stack: the verifier keeps the two apart after an xor.
        asm.alu('w1', '^=', 0);
        if (first > 0) asm.alu('w1', '-=', first);
        asm.jump('w1', '<=', last - first, yes);
      }
    }
    asm.goto(no);
    return;
  }
  asm.load('r1', fact.size, 'r10', fact.slot);
  if (fact.size === 'u32') {
    asm.alu('w1', '^=', 0);
    search(
      asm,
      ranges,
      { yes, no },
      (value, label) => asm.jump('w1', '<', value, label),
      (value, label) => asm.jump('w1', '>', value, label),
    );
    return;
  }
  asm.alu('r1', '^=', 0);
  const wide = (comparison: '<' | '>') => (value: number, label: Label) => {
    if (value <= 0x7fff_ffff) asm.jump('r1', comparison, value, label);
    else asm.set('r2', value).jump('r1', comparison, 'r2', label);
  };
  search(asm, ranges, { yes, no }, wide('<'), wide('>'));
}

/** The same of a fact with up to 63 bits of its own. */
export function emitWide(asm: RuleAssembler, fact: Fact, set: RangeSet, { yes, no }: Branch): void {
  for (const { first, last } of set) {
    const next = asm.label('next range');
    asm.load('r1', 'u64', 'r10', fact.slot);
    asm.set('r2', first).jump('r1', '<', 'r2', next);
    asm.set('r2', last).jump('r1', '<=', 'r2', yes).place(next);
  }
  asm.goto(no);
}

/** Whether a fact has one of the bits. */
export function emitBits(asm: RuleAssembler, fact: Fact, mask: number, { yes, no }: Branch): void {
  asm.load('r1', fact.size, 'r10', fact.slot);
  if (fact.size === 'u32') asm.alu('w1', '&=', mask).jump('w1', '!=', 0, yes);
  else asm.set('r2', mask).alu('r1', '&=', 'r2').jump('r1', '!=', 0, yes);
  asm.goto(no);
}

/** A search in ranges that are in order: halves, then the one that is left. */
function search(
  asm: RuleAssembler,
  ranges: readonly (readonly [number, number])[],
  { yes, no }: Branch,
  below: (value: number, label: Label) => void,
  above: (value: number, label: Label) => void,
): void {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  if (!pivot) {
    asm.goto(no);
    return;
  }
  if (ranges.length === 1) {
    if (pivot[0] > 0) below(pivot[0], no);
    above(pivot[1], no);
    asm.goto(yes);
    return;
  }
  const lower = asm.label('lower ranges');
  below(pivot[0], lower);
  search(asm, ranges.slice(middle), { yes, no }, below, above);
  asm.place(lower);
  search(asm, ranges.slice(0, middle), { yes, no }, below, above);
}

const MAX_IP4 = 0xffff_ffff;
const LOW = (1n << 64n) - 1n;

/** Whether the address, of which `family` is the fact and which stands in the IP header at `at4` or `at6`, is in the set. */
export function emitIp(asm: RuleAssembler, family: Fact, at4: number, at6: number, set: IpSet, branch: Branch): void {
  const ip6 = asm.label('not IPv4');
  asm.load('r1', 'u32', 'r10', family.slot).alu('w1', '^=', 4).jump('w1', '!=', 0, ip6);
  emitIp4(asm, at4, set.v4, branch);
  asm.place(ip6);
  if (set.v6.length === 0) {
    asm.goto(branch.no);
    return;
  }
  asm.load('r1', 'u32', 'r10', family.slot).alu('w1', '^=', 6).jump('w1', '!=', 0, branch.no);
  emitIp6(asm, at6, set.v6, branch);
}

function emitIp4(asm: RuleAssembler, at: number, set: RangeSet, { yes, no }: Branch): void {
  if (isAll(set, MAX_IP4)) {
    asm.goto(yes);
    return;
  }
  const [only, ...others] = set;
  if (!only) {
    asm.goto(no);
    return;
  }
  asm.load('r1', 'u32', 'r10', STACK.network + at);
  const [first, last] = [Number(only.first), Number(only.last)];
  if (others.length === 0 && first === last) {
    // In the order of the packet.
    asm.alu('w1', '^=', swap32(first)).jump('w1', '==', 0, yes).goto(no);
    return;
  }
  asm.byteOrder('r1', 'be', 32);
  if (others.length === 0) {
    if (first > 0) asm.alu('w1', '-=', first);
    asm.jump('w1', '<=', last - first, yes).goto(no);
    return;
  }
  const jump = (comparison: '<' | '>') => (value: number, label: Label) => void asm.jump('w1', comparison, value, label);
  search(
    asm,
    set.map((range) => [Number(range.first), Number(range.last)] as const),
    { yes, no },
    jump('<'),
    jump('>'),
  );
}

/** r1 and r2 are the halves of the address. */
function emitIp6(asm: RuleAssembler, at: number, set: RangeSet, { yes, no }: Branch): void {
  if (isAll(set, MAX_IP6)) {
    asm.goto(yes);
    return;
  }
  asm.load('r1', 'u64', 'r10', STACK.network + at).byteOrder('r1', 'be', 64);
  asm.load('r2', 'u64', 'r10', STACK.network + at + 8).byteOrder('r2', 'be', 64);
  search6(asm, set, { yes, no });
}

function search6(asm: RuleAssembler, ranges: readonly Range[], branch: Branch): void {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  if (!pivot) {
    asm.goto(branch.no);
    return;
  }
  const [first, last] = [BigInt(pivot.first), BigInt(pivot.last)];
  if (ranges.length === 1) {
    jumpBeyond(asm, '<', first, branch.no);
    jumpBeyond(asm, '>', last, branch.no);
    asm.goto(branch.yes);
    return;
  }
  const lower = asm.label('lower ranges');
  jumpBeyond(asm, '<', first, lower);
  search6(asm, ranges.slice(middle), branch);
  asm.place(lower);
  search6(asm, ranges.slice(0, middle), branch);
}

/** Jumps where the address in r1 and r2 is less, or greater, than `value`. r3 is lost. */
function jumpBeyond(asm: RuleAssembler, comparison: '<' | '>', value: bigint, to: Label): void {
  const high = value >> 64n;
  const low = value & LOW;
  // Of most ranges, which are prefixes, the lower half is open.
  const open = low === (comparison === '<' ? 0n : LOW);
  if (comparison === '<' ? value === 0n : value === BigInt(MAX_IP6)) return;
  compareWide(asm, 'r1', comparison, high, to);
  if (open) return;
  const inside = asm.label('inside');
  asm.set('r3', high).jump('r1', '!=', 'r3', inside);
  compareWide(asm, 'r2', comparison, low, to);
  asm.place(inside);
}

function compareWide(asm: RuleAssembler, register: 'r1' | 'r2', comparison: '<' | '>', value: bigint, to: Label): void {
  asm.set('r3', value).jump(register, comparison, 'r3', to);
}

function isAll(set: RangeSet, max: number | bigint): boolean {
  const [only, ...others] = set;
  return only !== undefined && others.length === 0 && BigInt(only.first) === 0n && BigInt(only.last) === BigInt(max);
}

function swap32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
