import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { BpfError, type BpfMap, BpfProgram, type ProgramSpec } from '@weir/ebpf/kernel';
import { onTestFinished } from 'vitest';
import { runCommand } from '../lab/index.ts';

/** What `bpftool -j` prints. */
export async function bpftool<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse((await runCommand('bpftool', ['-j', ...args])).stdout) as T;
}

/** Loads what `write` writes; maps are bound by their names. */
export function load(spec: Omit<ProgramSpec, 'instructions'>, write: (asm: Assembler) => void, maps: readonly BpfMap[] = []): BpfProgram {
  return BpfProgram.load({ ...spec, instructions: assemble(write, maps) });
}

export function assemble(write: (asm: Assembler) => void, maps: readonly BpfMap[] = []): Uint8Array {
  const asm = new Assembler();
  write(asm);
  return bindProgram(asm.assemble(), { maps: new Map(maps.map((map) => [map.name, map.fd])) });
}

/** Closes it when the test is over, what was kept last first. */
export function keep<T extends { close(): void }>(one: T): T {
  onTestFinished(() => one.close());
  return one;
}

/** What the kernel refuses `action` with. */
export function refused(action: () => unknown): BpfError {
  try {
    action();
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** A program that does nothing but return. */
export function returning(value: number): (asm: Assembler) => void {
  return (asm) => asm.mov('r0', value).exit();
}

/** Counts up the first entry of an array of u64 (per CPU or not), then returns. */
export function counting(map: string, value: number): (asm: Assembler) => void {
  return (asm) => {
    const none = asm.label();
    asm.store('u32', 'r10', -4, 0).map('r1', map).mov('r2', 'r10').alu('r2', '+=', -4).call('map_lookup_elem');
    asm.jump('r0', '==', 0, none).mov('r1', 1).atomic('u64', 'r0', 0, 'add', 'r1');
    asm.place(none).mov('r0', value).exit();
  };
}

export function u32(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

export function u64(...values: readonly (number | bigint)[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, BigInt).buffer);
}

export function readU64(bytes: Uint8Array | undefined, at = 0): bigint | undefined {
  return bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(at, true);
}

/** An Ethernet frame of `length` bytes with nothing in it but an EtherType that nobody listens to. */
export function frame(length = 64): Uint8Array {
  const out = new Uint8Array(length);
  out.set([0x88, 0xb5], 12);
  return out;
}
