import type { Label, Register } from '@weir/ebpf/asm';
import type { MapNeed } from '../../model/ebpf-program.ts';
import { type RuleAssembler, STACK } from './layout.ts';

/** The map with the counters of the rules. */
export const COUNTERS = 'counters';

/** { packets u64 · octets u64 } by rule. */
const COUNTER_OCTETS = 16;

/** How many numbers of 64 bits that is. */
const COUNTER_WORDS = 2;

/** Longer lists have so many rules in one value: the kernel takes half a microsecond to make a value, and as much to read it. Of values for each CPU 32 KiB is the most. */
const RULES_A_VALUE = 1024;

export function counters(rules: number): MapNeed {
  const perValue = rulesPerValue(rules);
  return {
    kind: 'counters',
    symbol: COUNTERS,
    words: COUNTER_WORDS,
    shape: {
      type: 'percpu_array',
      keySize: 4,
      valueSize: COUNTER_OCTETS * perValue,
      maxEntries: Math.max(1, Math.ceil(rules / perValue)),
    },
  };
}

function rulesPerValue(rules: number): number {
  return rules > RULES_A_VALUE ? RULES_A_VALUE : 1;
}

/**
 * Counts the packet for the rule whose number, of 64 bits, is in the scratch octets of `frame`, of so many `rules`. r0 to r5 are lost, and the scratch octets may be.
 */
export function emitCount(asm: RuleAssembler, rules: number, missing: Label, frame: Register = 'r10'): void {
  const perValue = rulesPerValue(rules);
  const inside = STACK.scratch + 4;
  if (perValue > 1) {
    // The key, of 32 bits, and where in the value it is.
    asm
      .load('r1', 'u64', frame, STACK.scratch)
      .mov('r2', 'r1')
      .alu('r2', '&=', perValue - 1)
      .alu('r2', '<<=', Math.log2(COUNTER_OCTETS));
    asm.alu('r1', '>>=', Math.log2(perValue)).store('u32', frame, STACK.scratch, 'r1').store('u32', frame, inside, 'r2');
  }
  asm.mov('r2', frame).alu('r2', '+=', STACK.scratch).map('r1', COUNTERS).call('map_lookup_elem').jump('r0', '==', 0, missing);
  if (perValue > 1) {
    asm
      .load('r1', 'u32', frame, inside)
      .alu('r1', '&=', (perValue - 1) * COUNTER_OCTETS)
      .alu('r0', '+=', 'r1');
  }
  asm.load('r1', 'u64', 'r0', 0).alu('r1', '+=', 1).store('u64', 'r0', 0, 'r1');
  asm.load('r2', 'u64', frame, STACK.length).load('r1', 'u64', 'r0', 8).alu('r1', '+=', 'r2').store('u64', 'r0', 8, 'r1');
}
