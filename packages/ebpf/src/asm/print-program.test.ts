import { expect, test } from 'vitest';
import { Assembler } from './assembler.ts';
import { printProgram } from './print-program.ts';

test('a program with names and what it is for', () => {
  const asm = new Assembler<{ name: string; line: number }>('filter');
  const [count, pass] = [asm.label('count'), asm.label('pass')];
  asm.mov('r6', 'r1').mapValue('r7', 'state', 16);
  asm.within({ name: 'allow-web', line: 12 }, () => asm.load('r1', 'u32', 'r7', 0).jump('w1', '==', 80, pass));
  asm.within({ name: 'log-rest', line: 20 }, () => asm.mov('r1', 3).callLocal(count).symbol('r1', 'generation'));
  asm.callKernel('bpf_ct_release').mov('r0', 1).exit().place(pass).mov('r0', 2).exit();
  asm.function(count, 'count').map('r1', 'flows').functionAddress('r2', count).mov('r0', 0).exit();
  expect([...printProgram(asm.assemble(), { describe: ({ name, line }) => `${name} (policy.yaml:${line})` })].join('\n')).toBe(
    `filter:
   0: (bf) r6 = r1
   1: (18) r7 = map[state][0]+16
; allow-web (policy.yaml:12)
   3: (61) r1 = *(u32 *)(r7 +0)
   4: (16) if w1 == 0x50 goto pc+7
; log-rest (policy.yaml:20)
   5: (b7) r1 = 3
   6: (85) call pc+7#count
   7: (18) r1 = generation
   9: (85) call bpf_ct_release#0
  10: (b7) r0 = 1
  11: (95) exit
  12: (b7) r0 = 2
  13: (95) exit
count:
  14: (18) r1 = map[flows]
  16: (18) r2 = count
  18: (b7) r0 = 0
  19: (95) exit`,
  );
  expect([...printProgram(new Assembler().mov('r0', 2).exit().assemble(), { opcodes: true })]).toEqual([
    'main:',
    '   0: (b7) r0 = 2',
    '       b7 00 00 00 02 00 00 00',
    '   1: (95) exit',
    '       95 00 00 00 00 00 00 00',
  ]);
});
