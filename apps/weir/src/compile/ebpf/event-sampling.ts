import type { Label, Register } from '@weir/ebpf/asm';
import { EVENT_COUNT, EVENT_COUNTS, EVENT_RATES } from './event-maps.ts';
import { type RuleAssembler, STACK } from './layout.ts';
import { ENTRY } from './rule-table.ts';

const SECOND = 1_000_000_000;
/** Where the second is at hand, in the scratch octets. */
const SECOND_AT = STACK.scratch + 8;

/** What the code of an event works with: the frame of the program, whose scratch octets begin with the number of the rule, and the rule's entry of the table. */
export interface EventRegisters {
  readonly frame: Register;
  readonly entry: Register;
}

/**
 * Goes on for the events that are to be written, and to `out` for those that are sampled out, which are counted. One in so many goes by a count of each CPU; at most so many a second by
 * seconds of the machine's clock: one word holds the second and the count of it, so that CPUs cannot disagree. Under a flood that word is only read. r0 to r5 are lost.
 */
export function emitSampling(asm: RuleAssembler, { frame, entry }: EventRegisters, out: Label): void {
  const sampledOut = asm.label('sampled out');
  const goOn = asm.label('sampled');
  lookup(asm, frame, EVENT_COUNTS, out);
  asm.load('r1', 'u64', 'r0', EVENT_COUNT.seen).mov('r2', 'r1').alu('r2', '+=', 1).store('u64', 'r0', EVENT_COUNT.seen, 'r2');
  const all = asm.label('not one in many');
  asm.load('r2', 'u32', entry, ENTRY.sampleEvery).jump('r2', '==', 0, all);
  asm.alu('r1', '%=', 'r2').jump('r1', '!=', 0, sampledOut).place(all);

  asm.load('r1', 'u32', entry, ENTRY.sampleRate).jump('r1', '==', 0, goOn);
  asm.call('ktime_get_boot_ns').alu('r0', '/=', SECOND).mov('w0', 'w0').store('u64', frame, SECOND_AT, 'r0');
  lookup(asm, frame, EVENT_RATES, out);
  const [same, add] = [asm.label('this second'), asm.label('one more of this second')];
  asm.load('r4', 'u32', entry, ENTRY.sampleRate).load('r5', 'u64', frame, SECOND_AT);
  asm.mov('r1', 'r0').load('r2', 'u64', 'r1', 0).mov('r3', 'r2').alu('r3', '>>=', 32).jump('r3', '==', 'r5', same);
  // The first of a second, unless another CPU is faster.
  asm.mov('r0', 'r2').mov('r3', 'r5').alu('r3', '<<=', 32).alu('r3', '|=', 1).compareExchange('u64', 'r1', 0, 'r3');
  asm.jump('r0', '==', 'r2', goOn).goto(add);
  asm.place(same).mov('w3', 'w2').jump('r3', '>=', 'r4', sampledOut);
  asm.place(add).mov('r2', 1).atomicFetch('u64', 'r1', 0, 'add', 'r2');
  asm.mov('w3', 'w2').jump('r3', '>=', 'r4', sampledOut).alu('r2', '>>=', 32).jump('r2', '==', 'r5', goOn);
  asm.place(sampledOut);
  emitEventCount(asm, frame, EVENT_COUNT.sampledOut, out);
  asm.goto(out).place(goOn);
}

/** Counts up one of EVENT_COUNT of the rule; goes to `missing` where there is no such rule. r0 to r5 are lost. */
export function emitEventCount(asm: RuleAssembler, frame: Register, word: number, missing: Label): void {
  lookup(asm, frame, EVENT_COUNTS, missing);
  asm.load('r1', 'u64', 'r0', word).alu('r1', '+=', 1).store('u64', 'r0', word, 'r1');
}

/** r0: the value for the rule. */
function lookup(asm: RuleAssembler, frame: Register, map: string, missing: Label): void {
  asm.mov('r2', frame).alu('r2', '+=', STACK.scratch).map('r1', map).call('map_lookup_elem').jump('r0', '==', 0, missing);
}
