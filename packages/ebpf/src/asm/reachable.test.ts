import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Assembler, type Label } from './assembler.ts';
import { printProgram } from './print-program.ts';

function text(asm: Assembler): string[] {
  return [...printProgram(asm.assemble({ unreachable: 'remove' }))].map((line) => line.trim());
}

test('what follows an exit and is named by nothing that is reached is left out, with its symbols and origins', () => {
  const asm = new Assembler();
  const [out, never, deeper] = [asm.label('out'), asm.label('never'), asm.label('deeper')];
  asm.within('first', () => asm.jump('r1', '==', 0, out).mov('r0', 1).exit());
  asm.within('second', () => asm.map('r1', 'unused').jump('r1', '==', 0, deeper).place(never).goto(never));
  asm.within('last', () => asm.place(out).map('r1', 'used').mov('r0', 2).exit());
  expect(text(asm)).toEqual([
    'main:',
    '; first',
    '0: (15) if r1 == 0x0 goto pc+2',
    '1: (b7) r0 = 1',
    '2: (95) exit',
    '; last',
    '3: (18) r1 = map[used]',
    '5: (b7) r0 = 2',
    '6: (95) exit',
  ]);
  expect(() => asm.assemble()).toThrow('label deeper is not placed');
});

test('functions that nothing calls are left out; those whose address is taken stay', () => {
  const asm = new Assembler();
  const [called, unused, callback] = [asm.label(), asm.label(), asm.label()];
  asm.callLocal(called).functionAddress('r2', callback).exit();
  asm.function(unused, 'unused').callLocal(called).exit();
  asm.function(called, 'called').mov('r0', 1).exit();
  asm.function(callback, 'callback').mov('r0', 2).exit();
  const program = asm.assemble({ unreachable: 'remove' });
  expect(program.functions).toEqual([
    { name: 'main', slot: 0 },
    { name: 'called', slot: 4 },
    { name: 'callback', slot: 6 },
  ]);
  expect(text(asm).filter((line) => line.includes('call'))).toEqual([
    '0: (85) call pc+3#called',
    '1: (18) r2 = callback',
    'called:',
    'callback:',
  ]);
});

test('jumps by offset keep their targets over what is left out', () => {
  const asm = new Assembler();
  const out = asm.label();
  asm.jumpBy('r1', '==', 0, 3).goto(out).mov('r0', 7).mov('r0', 8).place(out).mov('r0', 1).exit();
  expect(text(asm)).toEqual(['main:', '0: (15) if r1 == 0x0 goto pc+1', '1: (05) goto pc+0', '2: (b7) r0 = 1', '3: (95) exit']);
  expect(() => new Assembler().jumpBy('r1', '==', 0, 9).exit().assemble({ unreachable: 'remove' })).toThrow('a jump leaves the program');
});

/** Random code: each step is a filler with its number, a jump to one of eight labels that stand somewhere, or an end. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'filler' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('jump' as const), label: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('goto' as const), label: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'exit' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('place' as const), label: fc.nat(7) }) },
);

test('what is left is what can be reached, and leads where it led', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const asm = new Assembler<number>();
      const labels: Label[] = Array.from({ length: 8 }, () => asm.label());
      const placed = new Set<number>();
      for (const [index, one] of steps.entries()) {
        asm.setOrigin(index);
        if (one.kind === 'filler') asm.constant('r0', index);
        else if (one.kind === 'exit') asm.exit();
        else if (one.kind === 'place') {
          if (!placed.has(one.label)) asm.place(labels[one.label] as Label);
          placed.add(one.label);
        } else if (one.kind === 'goto') asm.goto(labels[one.label] as Label);
        else asm.jump('r1', '==', index, labels[one.label] as Label);
      }
      asm.setOrigin(-1);
      for (const [index, label] of labels.entries()) if (!placed.has(index)) asm.place(label);
      asm.exit();
      const whole = asm.assemble();
      const part = asm.assemble({ unreachable: 'remove' });
      expect(walk(part)).toEqual(walk(whole));
      // Nothing else is there.
      const seen = new Set(walk(part).map(([origin]) => origin));
      expect(new Set(Array.from(part.originIndex, (at) => part.origins[at]))).toEqual(seen);
    }),
    { numRuns: 300 },
  );
});

/** The origins of the instructions that are reached, each with the origins that follow it, sorted. */
function walk({
  words,
  originIndex,
  origins,
}: {
  words: Int32Array;
  originIndex: Int32Array;
  origins: readonly number[];
}): [number, string][] {
  const found = new Map<number, string>();
  const seen = new Set<number>();
  const waiting = [0];
  for (let slot = waiting.pop(); slot !== undefined; slot = waiting.pop()) {
    if (seen.has(slot)) continue;
    seen.add(slot);
    const low = words[2 * slot] ?? 0;
    const opcode = low & 0xff;
    const next: number[] = [];
    if (opcode !== 0x95 && opcode !== 0x05) next.push(slot + (opcode === 0x18 ? 2 : 1));
    if (opcode === 0x05 || opcode === 0x15) next.push(slot + 1 + (low >> 16));
    waiting.push(...next);
    const origin = (at: number): number => origins[originIndex[at] ?? -1] ?? Number.NaN;
    found.set(origin(slot), next.map(origin).join());
  }
  return [...found].sort(([a], [b]) => a - b);
}
