import { AssemblyError } from './error.ts';
import { endsFlow, type UnresolvedCode } from './jump-layout.ts';
import { OPCODE } from './opcodes.ts';
import { targetByOffset } from './target.ts';

/** A program between its writing and its layout. */
export interface Draft extends UnresolvedCode {
  readonly functions: readonly { readonly name: string; readonly slot: number }[];
  /** The slots that name a symbol, ascending, and which one. */
  readonly references: readonly number[];
  readonly referenceSymbols: readonly number[];
}

/**
 * The draft without the instructions that no path leads to, which the kernel refuses (`unreachable insn`), and without functions that nothing calls.
 * `targetOf` gives the target of a jump by its place in `sources`; it is asked for those that are reached, and may throw.
 * @throws AssemblyError jump-range for a jump by offset out of the program
 */
export function removeUnreachable(draft: Omit<Draft, 'targets'>, targetOf: (index: number) => number): Draft {
  const { words, origins } = draft;
  const slots = words.length / 2;
  const { reached, targets } = walk(words, draft.sources, targetOf);
  const now = new Int32Array(slots);
  let count = 0;
  for (let slot = 0; slot < slots; slot++) {
    now[slot] = count;
    if (reached[slot] === 1) count++;
  }
  const kept = { words: new Int32Array(2 * count), origins: new Int32Array(count) };
  const sources: number[] = [];
  const aims: number[] = [];
  for (let slot = 0; slot < slots; slot++) {
    if (reached[slot] !== 1) continue;
    const at = now[slot] ?? 0;
    kept.words[2 * at] = words[2 * slot] ?? 0;
    kept.words[2 * at + 1] = words[2 * slot + 1] ?? 0;
    kept.origins[at] = origins[slot] ?? -1;
    const target = targets[slot] ?? -1;
    if (target < 0) continue;
    sources.push(at);
    aims.push(now[target] ?? 0);
  }
  const still = draft.references.map((slot) => reached[slot] === 1);
  return {
    ...kept,
    sources,
    targets: aims,
    functions: draft.functions.filter(({ slot }) => reached[slot] === 1).map(({ name, slot }) => ({ name, slot: now[slot] ?? 0 })),
    references: draft.references.filter((_, index) => still[index]).map((slot) => now[slot] ?? 0),
    referenceSymbols: draft.referenceSymbols.filter((_, index) => still[index]),
  };
}

/** Which slots are reached from the first, and where each of them leads besides the next: -1 for nowhere. */
function walk(
  words: Int32Array,
  sources: readonly number[],
  targetOf: (index: number) => number,
): { readonly reached: Uint8Array; readonly targets: Int32Array } {
  const slots = words.length / 2;
  const reached = new Uint8Array(slots);
  const targets = new Int32Array(slots).fill(-1);
  const named = new Int32Array(slots).fill(-1);
  for (const [index, slot] of sources.entries()) named[slot] = index;
  const waiting = [0];
  for (let start = waiting.pop(); start !== undefined; start = waiting.pop()) {
    for (let slot = start; slot < slots && reached[slot] === 0; ) {
      const wide = ((words[2 * slot] ?? 0) & 0xff) === OPCODE.LOAD_IMMEDIATE;
      reached[slot] = 1;
      if (wide && slot + 1 < slots) reached[slot + 1] = 1;
      const index = named[slot] ?? -1;
      const target = index < 0 ? targetByOffset(words, slot) : targetOf(index);
      if (target !== undefined) {
        if (target < 0 || target >= slots) throw new AssemblyError('jump-range', 'a jump leaves the program', slot);
        targets[slot] = target;
        waiting.push(target);
      }
      if (endsFlow(words, slot)) break;
      slot += wide ? 2 : 1;
    }
  }
  return { reached, targets };
}
