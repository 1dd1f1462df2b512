// Programs that look up one address after the other, in one structure of the kernel each.
import { Assembler, bindProgram, type Label } from '@weir/ebpf/asm';
import { BpfMap, BpfProgram, MAP_FLAG, mapArrayValues, updateBatch } from '@weir/ebpf/kernel';
import type { Family } from '@weir/wire/inet';
import { emitSetLookup } from '../../apps/weir/src/compile/ebpf/sets/index.ts';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import type { Rule } from '../../apps/weir/src/model/rule.ts';
import { slotMask, slotMaskSymbol } from '../../apps/weir/src/model/set-layout.ts';

const SET = 'set';
/** Where programs have the address on the stack; a length stands before it. */
const ADDRESS = -16;

type Write = (asm: Assembler<Rule>, yes: Label, no: Label) => void;

/** Addresses in memory that programs read in turn. */
export class Keys {
  readonly map: BpfMap;
  readonly next: BpfMap;
  readonly family: Family;
  readonly count: number;

  /** A power of two. */
  constructor(family: Family, octets: Uint8Array) {
    this.family = family;
    this.count = octets.length / (family === 4 ? 4 : 16);
    const spec = { type: 'array', maxEntries: 1, flags: MAP_FLAG.mmapable } as const;
    this.map = BpfMap.create({ name: 'keys', valueSize: octets.length, ...spec });
    this.next = BpfMap.create({ name: 'next', valueSize: 8, ...spec });
    const memory = mapArrayValues(this.map, { write: true });
    memory.bytes.set(octets);
    memory.close();
  }

  /** A program that looks up the next address: `write` has it on the stack. */
  program(set: BpfMap | undefined, write: Write): BpfProgram {
    const asm = new Assembler<Rule>();
    const yes = asm.label('yes');
    const no = asm.label('no');
    const octets = this.family === 4 ? 4 : 16;
    asm.mapValue('r1', 'next', 0).load('r2', 'u64', 'r1', 0).mov('r3', 'r2').alu('r3', '+=', 1).store('u64', 'r1', 0, 'r3');
    asm.alu('r2', '&=', this.count - 1).alu('r2', '*=', octets);
    asm.mapValue('r1', 'keys', 0).alu('r1', '+=', 'r2');
    for (let at = 0; at < octets; at += 4) asm.load('r3', 'u32', 'r1', at).store('u32', 'r10', ADDRESS + at, 'r3');
    write(asm, yes, no);
    asm.place(yes).mov('r0', 1).exit();
    asm.place(no).mov('r0', 0).exit();
    const maps = new Map([
      ['keys', this.map.fd],
      ['next', this.next.fd],
    ]);
    const constants = new Map<string, bigint>();
    if (set) {
      maps.set(SET, set.fd);
      constants.set(slotMaskSymbol(SET), slotMask(set.valueSize));
    }
    return BpfProgram.load({
      name: 'lookups',
      type: 'xdp',
      instructions: bindProgram(asm.assemble({ unreachable: 'remove' }), { maps, constants }),
    });
  }

  close(): void {
    this.map.close();
    this.next.close();
  }
}

/** Reads the address and does nothing with it. */
export function readOnly(keys: Keys): BpfProgram {
  return keys.program(undefined, (asm, yes, no) => asm.load('r1', 'u32', 'r10', ADDRESS).jump('r1', '==', 0, no).goto(yes));
}

export function inSet(keys: Keys, map: BpfMap): BpfProgram {
  return keys.program(map, (asm, yes, no) => emitSetLookup(asm, keys.family, SET, ADDRESS, { yes, no }));
}

/** By the kernel's own look-up: in an LPM trie, or as a host in a hash. */
export function byKey(keys: Keys, map: BpfMap): BpfProgram {
  const trie = map.type === 'lpm_trie';
  return keys.program(map, (asm, yes, no) => {
    if (trie) asm.store('u32', 'r10', ADDRESS - 4, keys.family === 4 ? 32 : 128);
    asm.mov('r2', 'r10').alu('r2', '+=', trie ? ADDRESS - 4 : ADDRESS);
    asm.map('r1', SET).call('map_lookup_elem').jump('r0', '!=', 0, yes).goto(no);
  });
}

/** The kernel's own map of a kind with these members. */
export function fillKernelMap(type: 'lpm_trie' | 'hash', { family, count, words, lengths }: MemberDelta): BpfMap {
  const octets = family === 4 ? 4 : 16;
  const extra = type === 'lpm_trie' ? 4 : 0;
  const map = BpfMap.create({
    name: 'peer',
    type,
    keySize: extra + octets,
    valueSize: 1,
    maxEntries: count,
    ...(extra > 0 && { flags: MAP_FLAG.noPrealloc }),
  });
  const keys = new Uint8Array(count * map.keySize);
  const view = new DataView(keys.buffer);
  for (let i = 0; i < count; i++) {
    const at = i * map.keySize;
    if (extra > 0) view.setUint32(at, lengths[i] as number, true);
    for (let word = 0; word < octets / 4; word++) view.setUint32(at + extra + 4 * word, words[(i * octets) / 4 + word] as number);
  }
  updateBatch(map, keys, new Uint8Array(count));
  return map;
}
