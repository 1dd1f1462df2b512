import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeInstruction, decodeInstructions, slotsOf } from './decode.ts';
import { encodeInstructions } from './encode.ts';
import type { Instruction } from './instruction.ts';
import { endsFlow, type LongJumps, resolveJumps, type UnresolvedCode } from './jump-layout.ts';

/** Code of `slots` slots: fillers of one or two slots, each numbered by its constant, and jumps at and to places picked by `at`. */
function codeOf(slots: number, picks: readonly { readonly at: number; readonly to: number; readonly kind: number }[]): UnresolvedCode {
  const list: Instruction[] = [];
  for (let slot = 0; slot < slots; slot += slot % 7 === 0 ? 2 : 1)
    list.push(slot % 7 === 0 ? { kind: 'constant', to: 'r1', value: BigInt(slot) } : { kind: 'mov', to: 'r1', source: slot });
  const words = encodeInstructions(list);
  const starts: number[] = [];
  let slot = 0;
  for (const one of list) {
    starts.push(slot);
    slot += slotsOf(one);
  }
  const narrow = starts.filter((start) => (words[2 * start] ?? 0) !== 0x118 && start < slot);
  const targetOf = new Map<number, number>();
  for (const { at, to, kind } of picks) {
    const source = narrow[Math.floor(at * narrow.length)] ?? 0;
    targetOf.set(source, starts[Math.floor(to * starts.length)] ?? 0);
    words[2 * source] = [0x05, 0x15, 0x45, 0xe5][kind] ?? 0x05;
    words[2 * source + 1] = kind === 1 || kind === 2 ? source : 0;
  }
  const sources = [...targetOf.keys()].sort((a, b) => a - b);
  const origins = Int32Array.from({ length: words.length / 2 }, (_, index) => index);
  return { words, origins, sources, targets: sources.map((source) => targetOf.get(source) ?? 0) };
}

/** Where an instruction that stands at `slot` leads by its offset. */
function landing(words: Int32Array, slot: number): number {
  const one = decodeInstruction(words, slot);
  if (one.kind !== 'goto' && one.kind !== 'goto-long' && one.kind !== 'jump' && one.kind !== 'may-goto')
    throw new Error(`${slot} is ${one.kind}`);
  return slot + 1 + one.offset;
}

/** Checks that each instruction is where `moved` says, and that following relays from each jump ends at its target. Returns what was put in. */
function check(code: UnresolvedCode, mode: LongJumps): number {
  const { words, origins, moved } = resolveJumps(code, mode);
  const slots = code.words.length / 2;
  const added = words.length / 2 - slots;
  const own = new Set<number>();
  const jumps = new Map(code.sources.map((source, index) => [source, code.targets[index] ?? 0]));
  const problems: string[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const now = moved(slot);
    own.add(now);
    if (origins[now] !== slot) problems.push(`origin of ${slot}`);
    const target = jumps.get(slot);
    if (target === undefined) {
      if (words[2 * now] !== code.words[2 * slot] || words[2 * now + 1] !== code.words[2 * slot + 1]) problems.push(`words of ${slot}`);
      continue;
    }
    let at = landing(words, now);
    for (let hops = 0; at !== moved(target) && hops < 100; hops++) at = landing(words, at);
    if (at !== moved(target)) problems.push(`target of ${slot}`);
  }
  for (let slot = 1; slot < slots; slot++) {
    // What ran on into an instruction still gets there, over the relay that may stand between.
    const between = moved(slot) - moved(slot - 1) - 1;
    if (between > 0 && !endsFlow(code.words, slot - 1) && landing(words, moved(slot - 1) + 1) !== moved(slot))
      problems.push(`way to ${slot}`);
  }
  if (own.size !== slots) problems.push('slots that share a place');
  if (decodeInstructions(words).some((one) => one.kind === 'unknown')) problems.push('unknown instructions');
  expect(problems).toEqual([]);
  return added;
}

const picks = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    to: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.nat(3),
  }),
  { minLength: 1, maxLength: 200 },
);

test.each(['relay', 'gotol'] as const)('%s: every jump of a long program ends where it should', (mode) => {
  fc.assert(
    fc.property(picks, (list) => {
      check(codeOf(70_000, list), mode);
    }),
    { numRuns: 4 },
  );
});

test('short programs are left as they are', () => {
  fc.assert(
    fc.property(picks, fc.integer({ min: 10, max: 2_000 }), (list, slots) => {
      expect(check(codeOf(slots, list), 'refuse')).toBe(0);
    }),
    { numRuns: 30 },
  );
});

test('the last offset that fits, and the first that does not', () => {
  const far = (distance: number): UnresolvedCode => {
    const words = new Int32Array(2 * (distance + 2)).fill(0);
    for (let slot = 0; slot < distance + 2; slot++) words[2 * slot] = 0xb7;
    words[0] = 0x15;
    return { words, origins: new Int32Array(distance + 2), sources: [0], targets: [distance + 1] };
  };
  const offset = (code: UnresolvedCode, mode: LongJumps): number => (resolveJumps(code, mode).words[0] ?? 0) >> 16;
  expect(offset(far(32_767), 'refuse')).toBe(32_767);
  expect(() => resolveJumps(far(32_768), 'refuse')).toThrow('a jump is further than 32,767 instructions (instruction 0)');
  expect(offset(far(32_768), 'relay')).toBe(24_000);
});

test('relays are shared by the jumps to one target, and one that cannot run on into a relay has no jump over it', () => {
  const list: Instruction[] = Array.from({ length: 100_000 }, () => ({ kind: 'mov', to: 'r0', source: 0 }));
  const jump: Instruction = { kind: 'jump', comparison: '==', left: 'r1', right: 0, offset: 0 };
  list.splice(0, 3, jump, jump, jump);
  list[23_999] = { kind: 'exit' };
  const words = encodeInstructions(list);
  const code = { words, origins: new Int32Array(100_000), sources: [0, 1, 2], targets: [99_999, 99_999, 99_998] };
  // Relays at 24,000, 48,000, 72,000 and 96,000: two entries each, three of them with a jump over.
  expect(check({ ...code, origins: Int32Array.from({ length: 100_000 }, (_, slot) => slot) }, 'relay')).toBe(11);
  expect(check({ ...code, origins: Int32Array.from({ length: 100_000 }, (_, slot) => slot) }, 'gotol')).toBe(2);
});

test('more far targets than a relay can hold', () => {
  const count = 9_000;
  const words = new Int32Array(2 * 100_000);
  for (let slot = 0; slot < 100_000; slot++) words[2 * slot] = slot < count ? 0x15 : 0xb7;
  const sources = Array.from({ length: count }, (_, index) => index);
  const code = { words, origins: new Int32Array(100_000), sources, targets: sources.map((index) => 99_999 - index) };
  expect(() => resolveJumps(code, 'relay')).toThrow('does not reach the block that is to hand it on');
});

test('jumps by offset keep their targets over what is put in', () => {
  const list: Instruction[] = Array.from({ length: 60_000 }, () => ({ kind: 'mov', to: 'r0', source: 0 }));
  list[0] = { kind: 'jump', comparison: '==', left: 'r1', right: 0, offset: 0 };
  list[23_990] = { kind: 'jump', comparison: '==', left: 'r1', right: 0, offset: 20 };
  list[24_020] = { kind: 'goto-long', offset: -30 };
  list[24_021] = { kind: 'call-local', offset: -40 };
  const code = { words: encodeInstructions(list), origins: new Int32Array(60_000), sources: [0], targets: [59_999] };
  const { words, moved } = resolveJumps(code, 'relay');
  expect(moved(24_000) - 24_000).toBe(2);
  expect(landing(words, moved(23_990))).toBe(moved(24_011));
  expect(landing(words, moved(24_020))).toBe(moved(23_991));
  expect(decodeInstruction(words, moved(24_021))).toEqual({ kind: 'call-local', offset: moved(23_982) - moved(24_021) - 1 });
});
