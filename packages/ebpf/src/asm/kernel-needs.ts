import { decodeInstruction, slotsOf } from './decode.ts';
import type { Instruction } from './instruction.ts';

/** Something that kernels older than `since` refuse, and the first instruction of a program that needs it. */
export interface KernelNeed {
  readonly feature: NewerInstruction;
  /** The first release of Linux that has it. */
  readonly since: string;
  readonly slot: number;
}

/** Instructions that Linux 6.1, the oldest that programs here are written for, does not know. The first five are what compilers call version 4. */
export type NewerInstruction =
  | 'signed division'
  | 'sign-extending move'
  | 'sign-extending load'
  | 'byte swap'
  | 'gotol'
  | 'may_goto'
  | 'load_acquire and store_release';

const since: Readonly<Record<NewerInstruction, string>> = {
  'signed division': '6.6',
  'sign-extending move': '6.6',
  'sign-extending load': '6.6',
  'byte swap': '6.6',
  gotol: '6.6',
  may_goto: '6.9',
  'load_acquire and store_release': '6.15',
};

/** What a program (words, two a slot) needs beyond Linux 6.1, each once, in the order of their first use. */
export function kernelNeeds(words: Int32Array): readonly KernelNeed[] {
  const found = new Map<NewerInstruction, KernelNeed>();
  for (let slot = 0; 2 * slot < words.length; ) {
    const one = decodeInstruction(words, slot);
    const feature = needOf(one);
    if (feature !== undefined && !found.has(feature)) found.set(feature, { feature, since: since[feature], slot });
    slot += slotsOf(one);
  }
  return [...found.values()];
}

function needOf(one: Instruction): NewerInstruction | undefined {
  switch (one.kind) {
    case 'alu':
      return one.operator === 's/=' || one.operator === 's%=' ? 'signed division' : undefined;
    case 'mov-signed':
      return 'sign-extending move';
    case 'load':
      return one.size === 's8' || one.size === 's16' || one.size === 's32' ? 'sign-extending load' : undefined;
    case 'byte-swap':
      return 'byte swap';
    case 'goto-long':
      return 'gotol';
    case 'may-goto':
      return 'may_goto';
    case 'load-acquire':
    case 'store-release':
      return 'load_acquire and store_release';
    default:
      return undefined;
  }
}
