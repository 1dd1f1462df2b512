import { Assembler, bindProgram, type FilterType, HELPER_TYPES, type HelperName, kernelNeeds, type LongJumps } from '@weir/ebpf/asm';
import { type AttachType, type BpfMap, BpfProgram, type ProgramSpec, VerifierError } from '@weir/ebpf/kernel';
import { expect, it } from 'vitest';
import { frame, keep } from './ebpf-bed.ts';

function loadProgram(asm: Assembler, longJumps: LongJumps = 'relay', maps: readonly BpfMap[] = []): BpfProgram {
  const instructions = bindProgram(asm.assemble({ longJumps }), { maps: new Map(maps.map((map) => [map.name, map.fd])) });
  const program = BpfProgram.load({ name: 'weir_asm', type: 'xdp', instructions });
  keep(program);
  return program;
}

/**
 * 60,000 instructions with jumps over nearly all of them: forward on a bit of the packet's octet 14 to one of three ends, and from the end back to the
 * beginning. 0x20 goes through the middle.
 */
function farJumps(): { asm: Assembler; steps: number } {
  const asm = new Assembler();
  const ends = [asm.label('first'), asm.label('second'), asm.label('third')];
  const [short, start, back] = [asm.label('short'), asm.label('start'), asm.label('back')];
  asm.load('r2', 'u32', 'r1', 0).load('r3', 'u32', 'r1', 4);
  asm.mov('r7', 0).mov('r4', 'r2').alu('r4', '+=', 15).jump('r4', '>', 'r3', short);
  asm.load('r6', 'u8', 'r2', 14);
  asm.place(start);
  for (const [bit, end] of ends.entries()) asm.jump('r6', '&', 1 << bit, end);
  asm.jump('r6', '!=', 0x20, back);
  let steps = 0;
  for (; asm.slots < 60_000; steps++) asm.alu('r7', '+=', 1).set('r1', 1n << 40n);
  asm.goto(short);
  for (const [index, end] of ends.entries())
    asm
      .place(end)
      .mov('r0', 100 + index)
      .exit();
  // Bit 2 takes the place of bit 6 on the way back.
  asm.place(back).mov('r7', 'r6').alu('r7', '&=', 0x40).alu('r7', '>>=', 4).mov('r6', 'r7').jump('r6', '!=', 0, start);
  asm.mov('r0', 200).exit();
  asm.place(short).mov('r0', 'r7').exit();
  return { asm, steps };
}

it.each(['relay', 'gotol'] as const)('jumps of 60,000 instructions: %s', (longJumps) => {
  const { asm, steps } = farJumps();
  expect(() => asm.assemble({ longJumps: 'refuse' })).toThrow('further than 32,767');
  const needs = kernelNeeds(asm.assemble({ longJumps }).words).map((one) => one.feature);
  expect(needs).toEqual(longJumps === 'gotol' ? ['gotol'] : []);
  const program = loadProgram(asm, longJumps);
  const results = [1, 2, 3, 4, 0x20, 0x40, 0x80].map((octet) => {
    const data = frame();
    data[14] = octet;
    return program.run({ data }).result;
  });
  expect(results).toEqual([100, 101, 100, 102, steps, 102, 200]);
});

/** Whether the kernel knows the helper for programs of this type, whatever it says about the arguments. */
function mayCall(type: FilterType, helper: HelperName): boolean {
  const asm = new Assembler();
  asm.call(helper).mov('r0', 1).exit();
  const place: Partial<Record<FilterType, AttachType>> = { cgroup_sock_addr: 'cgroup_inet4_connect', netfilter: 'netfilter' };
  const attachType = place[type];
  const instructions = bindProgram(asm.assemble(), {});
  const spec: ProgramSpec = { name: 'weir_helper', type, instructions, ...(attachType !== undefined && { attachType }) };
  try {
    BpfProgram.load(spec).close();
    return true;
  } catch (error) {
    if (!(error instanceof VerifierError)) throw error;
    return !/program of this type cannot use helper|unknown func|invalid func/.test(error.log);
  }
}

it('helpers are for the types of programs that the table says', () => {
  const rows = Object.entries(HELPER_TYPES) as [HelperName, readonly FilterType[]][];
  const refused = rows.flatMap(([helper, types]) => types.filter((type) => !mayCall(type, helper)).map((type) => `${helper} in ${type}`));
  expect(refused).toEqual([]);
  expect(mayCall('sched_cls', 'xdp_load_bytes')).toBe(false);
  expect(mayCall('netfilter', 'skb_load_bytes')).toBe(false);
});

it('what nothing leads to is left out, and the kernel takes the rest', () => {
  const asm = new Assembler();
  const next = asm.label();
  asm.mov('r0', 2).exit().jump('r0', '==', 0, next).mov('r0', 1).place(next).exit();
  expect(() => loadProgram(asm)).toThrow('unreachable insn 2');
  const instructions = bindProgram(asm.assemble({ unreachable: 'remove' }), {});
  const program = BpfProgram.load({ name: 'weir_asm', type: 'xdp', instructions });
  keep(program);
  expect([instructions.length / 8, program.run({ data: frame() }).result]).toEqual([2, 2]);
});
