import { expect, test } from 'vitest';
import { Assembler } from './assembler.ts';
import { kernelNeeds } from './kernel-needs.ts';

test('what Linux 6.1 has needs nothing', () => {
  const asm = new Assembler();
  const out = asm.label();
  asm.alu('r1', '/=', 3).mov('w1', 'w2').load('r1', 'u8', 'r2', 0).byteOrder('r1', 'be', 16).goto(out);
  asm.atomicFetch('u64', 'r1', 0, 'add', 'r2').compareExchange('u32', 'r1', 0, 'r2').callKernel('x').mapValue('r1', 'm', 0);
  asm.place(out).exit();
  expect(kernelNeeds(asm.assemble().words)).toEqual([]);
});

test('each newer instruction, once, by its first use', () => {
  const asm = new Assembler();
  const out = asm.label();
  asm.constant('r1', 0xd7).movSigned('r1', 's32', 'r2').movSigned('r1', 's8', 'r2').load('r1', 's8', 'r2', 0).byteSwap('r1', 16);
  asm.alu('w1', 's%=', 3).mayGoto(out).gotoLongBy(0).loadAcquire('r1', 'u64', 'r2', 0).storeRelease('u8', 'r2', 0, 'r1');
  asm.place(out).exit();
  expect(kernelNeeds(asm.assemble().words)).toEqual([
    { feature: 'sign-extending move', since: '6.6', slot: 2 },
    { feature: 'sign-extending load', since: '6.6', slot: 4 },
    { feature: 'byte swap', since: '6.6', slot: 5 },
    { feature: 'signed division', since: '6.6', slot: 6 },
    { feature: 'may_goto', since: '6.9', slot: 7 },
    { feature: 'gotol', since: '6.6', slot: 8 },
    { feature: 'load_acquire and store_release', since: '6.15', slot: 9 },
  ]);
});
