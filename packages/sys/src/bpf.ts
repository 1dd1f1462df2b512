import { arch, endianness } from 'node:os';
import { bind, check, native, SystemError } from './libc.ts';

/** bpf(2) has no function in the C library; its number is the architecture's. */
const NUMBERS: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280, loong64: 280 };

const syscall = bind<[number, number, Uint8Array, number], number | bigint>(
  'intptr_t syscall(intptr_t number, int command, void *attribute, unsigned int size)',
);

/**
 * bpf(2): runs a command over its `union bpf_attr` and returns what the kernel returned: a descriptor, or a number that the command defines. What the kernel
 * writes back is in `attribute`. SystemError otherwise, also when the call was interrupted (EINTR, EAGAIN); `operation` names what was tried, for its text.
 */
export function bpf(command: number, attribute: Uint8Array, operation = ''): number {
  return check('bpf', Number(syscall(callNumber(), command, attribute, attribute.length)), operation);
}

function callNumber(): number {
  const number = NUMBERS[arch()];
  if (number === undefined || endianness() !== 'LE') throw new SystemError('bpf', 38, `not supported on ${arch()} (${endianness()})`);
  return number;
}

/**
 * Where the first byte of an array is in this process's memory: for structures that point at others. The array does not move, but it is only there for as long as
 * something refers to it. 0 for an empty array.
 */
export function addressOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : native().address(bytes);
}
