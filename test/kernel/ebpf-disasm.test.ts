import {
  type AluOperator,
  type AnyRegister,
  Assembler,
  bindProgram,
  type Comparison,
  decodeInstruction,
  disassemble,
  type Naming,
  printInstruction,
  slotsOf,
  wordsOf,
} from '@weir/ebpf/asm';
import { BpfMap, BpfProgram, KernelFunctions, type ProgramType, VerifierError } from '@weir/ebpf/kernel';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../lab/index.ts';
import { keep } from './ebpf-bed.ts';

const operators: readonly AluOperator[] = ['+=', '-=', '*=', '/=', '|=', '&=', '<<=', '>>=', '%=', '^=', 's>>='];
const comparisons: readonly Comparison[] = ['==', '!=', '>', '>=', '<', '<=', '&', 's>', 's>=', 's<', 's<='];
const widths: readonly (readonly [AnyRegister, AnyRegister])[] = [
  ['r6', 'r7'],
  ['w6', 'w7'],
];

/** r6 and r7 become numbers that the verifier knows nothing of, so that it leaves what is computed of them as it is. */
function unknowns(asm: Assembler): void {
  asm.call('get_prandom_u32').mov('r6', 'r0').call('get_prandom_u32').mov('r7', 'r0');
}

function arithmetic(asm: Assembler): void {
  unknowns(asm);
  for (const [to, source] of widths) {
    for (const operator of operators) asm.alu(to, operator, source).alu(to, operator, 7);
    asm.mov(to, source).neg(to).mov(to, -7);
  }
  for (const bits of [16, 32, 64] as const) asm.byteOrder('r6', 'be', bits).byteOrder('r7', 'le', bits);
  asm.set('r6', 0x1234_5678_9abc_def0n);
}

function jumps(asm: Assembler): void {
  unknowns(asm);
  for (const [left, right] of widths)
    for (const comparison of comparisons)
      for (const operand of [right, 77]) {
        const skip = asm.label();
        asm.jump(left, comparison, operand, skip).alu('r6', '+=', 'r7').place(skip);
      }
}

function memory(asm: Assembler): void {
  asm.mov('r6', 'r10').alu('r6', '+=', -40);
  for (const [index, size] of (['u8', 'u16', 'u32', 'u64'] as const).entries()) {
    const at = -8 * (index + 1);
    asm.store(size, 'r10', at, 7).mov('r1', 9).store(size, 'r10', at, 'r1').load('r2', size, 'r10', at);
  }
  for (const size of ['u32', 'u64'] as const) {
    asm.store('u64', 'r6', 0, 1).mov('r1', 5).mov('r0', 6);
    for (const operator of ['add', 'or', 'and', 'xor'] as const)
      asm.atomic(size, 'r6', 0, operator, 'r1').atomicFetch(size, 'r6', 0, operator, 'r1');
    asm.exchange(size, 'r6', 0, 'r1').compareExchange(size, 'r6', 0, 'r1');
  }
}

function maps(asm: Assembler): void {
  const found = asm.label();
  asm.mapValue('r8', 'weir_state', 16).load('r7', 'u64', 'r8', 0).mov('r1', 1).atomic('u64', 'r8', 8, 'add', 'r1');
  asm.store('u32', 'r10', -4, 0).map('r1', 'weir_hash').mov('r2', 'r10').alu('r2', '+=', -4).call('map_lookup_elem');
  asm.jump('r0', '!=', 0, found).mov('r0', 'r8').place(found).load('r7', 'u32', 'r0', 0).call('ktime_get_ns');
}

/** Instructions of kernels after 6.1, which the bpftool of Debian 12 does not know. */
function newer(asm: Assembler): void {
  unknowns(asm);
  for (const size of ['s8', 's16', 's32'] as const) {
    asm.movSigned('r6', size, 'r7').store('u64', 'r10', -8, 'r6').load('r6', size, 'r10', -8);
    if (size !== 's32') asm.movSigned('w6', size, 'w7');
  }
  for (const bits of [16, 32, 64] as const) asm.byteSwap('r6', bits);
  for (const [to, source] of widths) for (const operator of ['s/=', 's%='] as const) asm.alu(to, operator, source).alu(to, operator, -7);
  asm.store('u64', 'r10', -8, 1).mov('r1', 5).storeRelease('u64', 'r10', -8, 'r1').loadAcquire('r2', 'u8', 'r10', -8);
  const out = asm.label();
  asm.gotoLongBy(0).mayGoto(out).place(out);
}

function kernelFunctions(asm: Assembler): void {
  asm.callKernel('bpf_rcu_read_lock').callKernel('bpf_rcu_read_unlock');
}

function packet(asm: Assembler): void {
  asm.mov('r6', 'r1').packet('u16', 12).mov('r7', 14).packet('u8', 2, 'r7').packet('u32', 0);
}

/** Programs without their end: `finish` gives them one. */
const programs: readonly { readonly name: string; readonly type: ProgramType; readonly write: (asm: Assembler) => void }[] = [
  { name: 'arithmetic', type: 'xdp', write: arithmetic },
  { name: 'jumps', type: 'xdp', write: jumps },
  { name: 'memory', type: 'xdp', write: memory },
  { name: 'maps', type: 'xdp', write: maps },
  { name: 'functions', type: 'xdp', write: unknowns },
  { name: 'newer instructions', type: 'xdp', write: newer },
  { name: 'kernel functions', type: 'sched_cls', write: kernelFunctions },
  { name: 'packets', type: 'socket_filter', write: packet },
];

/** The bound words of a program that returns `result`; r9 was never written. Loaded by `type`. */
function finish({ name, type, write }: (typeof programs)[number], result: 0 | 'r9'): { words: Int32Array; load: () => BpfProgram } {
  const asm = new Assembler();
  write(asm);
  const double = asm.label();
  if (name === 'functions') asm.mov('r1', 'r6').callLocal(double).mov('r6', 'r0').mov('r1', 'r7').callLocal(double);
  asm.mov('r0', result).exit();
  if (name === 'functions') asm.function(double, 'double').mov('r0', 'r1').alu('r0', '+=', 'r1').exit();
  const program = asm.assemble();
  const called = keep(new KernelFunctions(program.symbols.filter((one) => one.kind === 'kernel-function').map((one) => one.name)));
  const state = keep(BpfMap.create({ type: 'array', name: 'weir_state', valueSize: 64, maxEntries: 1 }));
  const hash = keep(BpfMap.create({ type: 'hash', name: 'weir_hash', keySize: 4, valueSize: 8, maxEntries: 4 }));
  const descriptors = new Map([state, hash].map((map) => [map.name, map.fd]));
  const instructions = bindProgram(program, { maps: descriptors, kernelFunctions: called.functions });
  return {
    words: wordsOf(instructions),
    load: () => keep(BpfProgram.load({ name: 'weir_print', type, instructions, fdArray: called.fdArray })),
  };
}

/** What bpftool prints of a loaded program, and the words that it printed them from. */
async function dumped(program: BpfProgram): Promise<{ lines: string[]; words: Int32Array }> {
  const { stdout } = await runCommand('bpftool', ['prog', 'dump', 'xlated', 'id', String(program.info().id), 'opcodes']);
  const lines = stdout.split('\n').filter((line) => line !== '');
  const octets = lines.filter((line) => /^ {7}[0-9a-f]{2} /.test(line)).flatMap((line) => line.trim().split(' '));
  return { lines, words: wordsOf(Uint8Array.from(octets, (octet) => Number.parseInt(octet, 16))) };
}

/** Names that bpftool takes from the kernel: maps by id, and the symbols that calls lead to, which are read from what it printed. */
function bpftoolNaming(lines: readonly string[]): Naming {
  return {
    immediate: (what, value) => {
      const id = value & 0xffff_ffffn;
      return what === 1 ? `map[id:${id}]` : what === 2 ? `map[id:${id}][0]+${value >> 32n}` : undefined;
    },
    call: (what, _immediate, _offset, slot) => {
      const line = lines.find((one) => one.startsWith(`${String(slot).padStart(4)}: `)) ?? '';
      return what === 1 ? /call pc(\S+)/.exec(line)?.[1] : /call (\S+)#/.exec(line)?.[1];
    },
  };
}

describe('what bpftool prints of programs in the kernel', () => {
  it.each(programs.filter((one) => one.name !== 'newer instructions' && one.name !== 'kernel functions'))('$name', async (one) => {
    const { lines, words } = await dumped(finish(one, 0).load());
    const heading = (slot: number): string | undefined =>
      lines.find((line, at) => line.endsWith(':') && lines[at + 1]?.startsWith(`${String(slot).padStart(4)}: `))?.slice(0, -1);
    expect(lines.length).toBeGreaterThan(10);
    expect([...disassemble(words, { opcodes: true, naming: bpftoolNaming(lines), heading })]).toEqual(lines);
  });

  it('a program that the verifier leaves as it is: the words that were loaded', async () => {
    const { words, load } = finish({ name: 'memory', type: 'xdp', write: memory }, 0);
    const { lines } = await dumped(load());
    expect([...disassemble(words, { opcodes: true })]).toEqual(lines);
  });
});

/** The log of a program that the verifier walks and refuses at its end. */
function refusalOf(load: () => BpfProgram): string {
  try {
    load();
  } catch (error) {
    if (error instanceof VerifierError) return error.log;
    throw error;
  }
  throw new Error('the program was taken');
}

describe('what the verifier prints of the programs that it walks', () => {
  it.each(programs)('$name', (one) => {
    const { words, load } = finish(one, 'r9');
    const log = refusalOf(load);
    const printed = new Map<number, string>();
    for (const [, slot, text = ''] of log.matchAll(/^(\d+): (\([0-9a-f]{2}\) .*?)\s*(?:;.*)?$/gm)) printed.set(Number(slot), text);
    // The verifier has put in the addresses of maps, and knows the names of kernel functions.
    const naming: Naming = {
      immediate: (what, _value, slot) => (what === 0 ? undefined : /0xffff[0-9a-f]{12}$/.exec(printed.get(slot) ?? '')?.[0]),
      call: (what, _immediate, _offset, slot) =>
        what === 2 ? /call (bpf_rcu_read_(?:un)?lock)#/.exec(printed.get(slot) ?? '')?.[1] : undefined,
    };
    const want = new Map<number, string>();
    for (let slot = 0; 2 * slot < words.length; slot += slotsOf(decodeInstruction(words, slot)))
      want.set(slot, printInstruction(words, slot, naming));
    // It stops where r9 is read: of all instructions only the exit after that is not walked.
    const stop = [...want].find(([, text]) => text === '(bf) r0 = r9')?.[0] ?? 0;
    expect([...want.keys()].filter((slot) => !printed.has(slot))).toEqual([stop + 1]);
    for (const [slot, text] of printed) expect(want.get(slot)).toBe(text);
  });
});
