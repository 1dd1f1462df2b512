import type { Label, Register } from '@weir/ebpf/asm';
import type { MapNeed } from '../../model/ebpf-program.ts';
import { type RuleAssembler, STACK } from './layout.ts';

/** The map with the counters of the rules. */
export const COUNTERS = 'counters';

/** { packets u64 · octets u64 } by rule. */
export const COUNTER_OCTETS = 16;

export function counters(rules: number): MapNeed {
  return {
    kind: 'counters',
    symbol: COUNTERS,
    shape: { type: 'percpu_array', keySize: 4, valueSize: COUNTER_OCTETS, maxEntries: Math.max(1, rules) },
  };
}

/** Counts the packet for the rule whose number, of 64 bits, is in the scratch octets of `frame`. r0 to r5 are lost. */
export function emitCount(asm: RuleAssembler, missing: Label, frame: Register = 'r10'): void {
  asm.mov('r2', frame).alu('r2', '+=', STACK.scratch).map('r1', COUNTERS).call('map_lookup_elem').jump('r0', '==', 0, missing);
  asm.load('r1', 'u64', 'r0', 0).alu('r1', '+=', 1).store('u64', 'r0', 0, 'r1');
  asm.load('r2', 'u64', frame, STACK.length).load('r1', 'u64', 'r0', 8).alu('r1', '+=', 'r2').store('u64', 'r0', 8, 'r1');
}
