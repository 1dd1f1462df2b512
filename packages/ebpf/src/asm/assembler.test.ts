import { expect, test } from 'vitest';
import { Assembler } from './assembler.ts';
import { disassemble } from './disassemble.ts';
import { AssemblyError } from './error.ts';
import { bindProgram, originAt, symbolAt } from './program.ts';

function text(asm: Assembler): string[] {
  return [...disassemble(asm.assemble().words)].map((line) => line.trim());
}

test('labels before and after they are placed', () => {
  const asm = new Assembler();
  const pass = asm.label('pass');
  const again = asm.label('again');
  asm.load('r2', 'u32', 'r1', 0).mov('r3', 3);
  asm.place(again).alu('r3', '-=', 1).jump('r3', '!=', 0, again);
  asm.jump('w2', '==', 0xffff_ffff, pass).mov('r0', 1).exit();
  asm.place(pass).mov('r0', 2).exit();
  expect(text(asm)).toEqual([
    '0: (61) r2 = *(u32 *)(r1 +0)',
    '1: (b7) r3 = 3',
    '2: (17) r3 -= 1',
    '3: (55) if r3 != 0x0 goto pc-2',
    '4: (16) if w2 == 0xffffffff goto pc+2',
    '5: (b7) r0 = 1',
    '6: (95) exit',
    '7: (b7) r0 = 2',
    '8: (95) exit',
  ]);
});

test('functions, their addresses and calls', () => {
  const asm = new Assembler();
  const callback = asm.label('callback');
  asm.mov('r1', 10).functionAddress('r2', callback).mov('r3', 0).mov('r4', 0).call('loop').callLocal(callback).exit();
  asm.function(callback, 'callback').mov('r0', 0).exit();
  expect(text(asm).filter((line) => line.includes('call') || line.includes('(18)'))).toEqual([
    '1: (18) r2 = 0x6',
    '5: (85) call bpf_loop#181',
    '6: (85) call pc+1',
  ]);
  expect(asm.assemble().functions).toEqual([
    { name: 'main', slot: 0 },
    { name: 'callback', slot: 8 },
  ]);
});

test('symbols are bound at the end', () => {
  const asm = new Assembler();
  asm.map('r1', 'flows').mapValue('r2', 'state', 24).symbol('r3', 'seed').map('r4', 'flows').callKernel('bpf_ct_release').exit();
  const program = asm.assemble();
  expect(program.symbols).toEqual([
    { kind: 'map', name: 'flows' },
    { kind: 'map', name: 'state' },
    { kind: 'constant', name: 'seed' },
    { kind: 'kernel-function', name: 'bpf_ct_release' },
  ]);
  const bytes = bindProgram(program, {
    maps: new Map([
      ['flows', 7],
      ['state', 9],
    ]),
    constants: new Map([['seed', 0xfedc_ba98_7654_3210n]]),
    kernelFunctions: new Map([['bpf_ct_release', { btfId: 4711, module: 2 }]]),
  });
  expect([...disassemble(new Int32Array(bytes.buffer), { opcodes: true })].map((line) => line.trim())).toEqual([
    '0: (18) r1 = 0x7',
    '18 11 00 00 07 00 00 00 00 00 00 00 00 00 00 00',
    '2: (18) r2 = 0x1800000009',
    '18 22 00 00 09 00 00 00 00 00 00 00 18 00 00 00',
    '4: (18) r3 = 0xfedcba9876543210',
    '18 03 00 00 10 32 54 76 00 00 00 00 98 ba dc fe',
    '6: (18) r4 = 0x7',
    '18 14 00 00 07 00 00 00 00 00 00 00 00 00 00 00',
    '8: (85) call kernel-function#4711',
    '85 20 02 00 67 12 00 00',
    '9: (95) exit',
    '95 00 00 00 00 00 00 00',
  ]);
  expect([0, 1, 2, 6, 8, 9].map((slot) => symbolAt(program, slot)?.name)).toEqual([
    'flows',
    undefined,
    'state',
    'flows',
    'bpf_ct_release',
    undefined,
  ]);
  expect(program.words[1]).toBe(0);
  expect(() => bindProgram(program, { maps: new Map([['flows', 7]]) })).toThrow(new AssemblyError('unbound', 'the map state has no value'));
});

test('a function that the kernel has not gives 0', () => {
  const asm = new Assembler();
  const program = asm.mov('r1', 5).callKernel('bpf_cast_to_kern_ctx').exit().assemble();
  const bytes = bindProgram(program, { absentFunctions: new Set(['bpf_cast_to_kern_ctx']) });
  expect([...disassemble(new Int32Array(bytes.buffer))].map((line) => line.trim())).toEqual([
    '0: (b7) r1 = 5',
    '1: (b7) r0 = 0',
    '2: (95) exit',
  ]);
});

test('a tail call sets the registers that it needs', () => {
  const asm = new Assembler();
  asm.tailCall('r6', 'next', 'r2').mov('r0', 1).exit();
  expect(text(asm)).toEqual([
    '0: (bf) r3 = r2',
    '1: (bf) r1 = r6',
    '2: (18) r2 = 0x0',
    '4: (85) call bpf_tail_call#12',
    '5: (b7) r0 = 1',
    '6: (95) exit',
  ]);
});

test.each([
  { value: 0, want: '(b7) r1 = 0' },
  { value: -0x8000_0000, want: '(b7) r1 = -2147483648' },
  { value: 0x7fff_ffff, want: '(b7) r1 = 2147483647' },
  { value: 0x8000_0000, want: '(b4) w1 = -2147483648' },
  { value: 0xffff_ffff, want: '(b4) w1 = -1' },
  { value: 0x1_0000_0000, want: '(18) r1 = 0x100000000' },
  { value: -0x8000_0001, want: '(18) r1 = 0xffffffff7fffffff' },
  { value: 2n ** 64n - 1n, want: '(18) r1 = 0xffffffffffffffff' },
])('the shortest instruction for $value', ({ value, want }) => {
  expect(text(new Assembler().set('r1', value).exit())[0]).toBe(`0: ${want}`);
});

test('each instruction says what it is for', () => {
  const asm = new Assembler<{ rule: string; line: number }>();
  const web = { rule: 'web', line: 12 };
  asm.mov('r6', 'r1');
  asm.within(web, () => asm.set('r1', 1n << 40n).mov('r0', 1));
  asm.setOrigin({ rule: 'default', line: 1 }).mov('r0', 2).setOrigin(undefined).exit();
  const program = asm.assemble();
  expect([0, 1, 2, 3, 4, 5].map((slot) => originAt(program, slot)?.rule)).toEqual([undefined, 'web', 'web', 'web', 'default', undefined]);
  const comment = (slot: number): string | undefined => originAt(program, slot)?.rule;
  expect([...disassemble(program.words, { comment, heading: (slot) => program.functions.find((one) => one.slot === slot)?.name })]).toEqual(
    [
      'main:',
      '   0: (bf) r6 = r1',
      '; web',
      '   1: (18) r1 = 0x10000000000',
      '   3: (b7) r0 = 1',
      '; default',
      '   4: (b7) r0 = 2',
      '   5: (95) exit',
    ],
  );
});

const refused: readonly { readonly name: string; readonly write: (asm: Assembler) => unknown; readonly want: string }[] = [
  {
    name: 'a label that is not placed',
    write: (asm) => asm.goto(asm.label('out')).assemble(),
    want: 'label-unplaced: label out is not placed (instruction 0)',
  },
  {
    name: 'a label at the end',
    write: (asm) => {
      const out = asm.label('out');
      return asm.goto(out).place(out).assemble();
    },
    want: 'label-at-end: label out has no instruction after it (instruction 0)',
  },
  {
    name: 'a label twice',
    write: (asm) => {
      const out = asm.label('out');
      asm.place(out).exit().place(out);
    },
    want: 'label-twice: label out is placed twice (instruction 1)',
  },
  { name: 'nothing', write: (asm) => asm.assemble(), want: 'falls-through: a program has at least one instruction' },
  {
    name: 'no exit',
    write: (asm) => asm.mov('r0', 0).assemble(),
    want: 'falls-through: main can run past its last instruction (instruction 0)',
  },
  {
    name: 'a function that runs into the next',
    write: (asm) => asm.mov('r0', 0).function(asm.label(), 'next').exit().assemble(),
    want: 'falls-through: main can run past its last instruction (instruction 0)',
  },
  {
    name: 'a jump into another function',
    write: (asm) => {
      const inside = asm.label();
      asm.jump('r1', '==', 0, inside).exit().function(asm.label(), 'next').mov('r0', 0).place(inside).exit();
      return asm.assemble();
    },
    want: 'jump-range: a jump leaves the function main (instruction 0)',
  },
  {
    name: 'an immediate that would get its sign extended',
    write: (asm) => asm.alu('r1', '&=', 0xffff_ffff),
    want: 'immediate-range: 4294967295 does not fit into the 32 bits of this instruction (instruction 0)',
  },
  {
    name: 'half an integer',
    write: (asm) => asm.mov('w1', 1.5),
    want: 'immediate-range: 1.5 does not fit into the 32 bits of this instruction (instruction 0)',
  },
  {
    name: 'more than 64 bits',
    write: (asm) => asm.constant('r1', 2n ** 64n),
    want: 'immediate-range: 18446744073709551616 does not fit into 64 bits (instruction 0)',
  },
  {
    name: 'an offset beyond 16 bits',
    write: (asm) => asm.load('r1', 'u8', 'r2', 0x8000),
    want: 'offset-range: the offset 32768 does not fit into 16 bits (instruction 0)',
  },
  {
    name: 'a negative offset in a map',
    write: (asm) => asm.mapValue('r1', 'state', -1),
    want: 'offset-range: -1 is no offset in the value of state (instruction 0)',
  },
  { name: 'the frame pointer', write: (asm) => asm.alu('r10', '+=', 8), want: 'operand: r10 is read-only (instruction 0)' },
  { name: 'division by 0', write: (asm) => asm.alu('r1', '%=', 0), want: 'operand: division by a constant 0 (instruction 0)' },
  { name: 'a shift by the width', write: (asm) => asm.alu('w1', '<<=', 32), want: 'operand: w1 cannot be shifted by 32 (instruction 0)' },
  {
    name: 'two widths',
    write: (asm) => asm.jump('r1', '>', 'w2', asm.label()),
    want: 'operand: r1 and w2 are not of one width (instruction 0)',
  },
  {
    name: 'a helper that is none',
    write: (asm) => asm.call('no_such' as 'loop'),
    want: 'operand: the kernel has no helper no_such (instruction 0)',
  },
];

test.each(refused)('refused: $name', ({ write, want }) => {
  let said = 'nothing';
  try {
    write(new Assembler());
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    said = `${error.code}: ${error.message}`;
  }
  expect(said).toBe(want);
});

test('a million instructions and no more', () => {
  const asm = new Assembler();
  for (let i = 0; i < 999_999; i++) asm.mov('r0', 0);
  asm.exit();
  expect(asm.assemble().words.length).toBe(2_000_000);
  expect(() => asm.exit()).toThrow('more than 1000000 instructions');
});
