import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { BpfMap, BpfProgram } from '@weir/ebpf/kernel';
import type { Place } from '../../model/ebpf-program.ts';
import { PROGRAM_TYPES } from './load-hook.ts';
import type { AttachPlace } from './pin-layout.ts';

/** The name of every stub, by which filters are known as Weir's. */
export const STUB_NAME = 'weir_stub';

/** How programs at a place are loaded. */
export function placeOf(place: AttachPlace): Place {
  return place.kind === 'cgroup' ? place.at : place.kind;
}

/** XDP_PASS, TCX_NEXT (TC_ACT_UNSPEC), and what lets a call go on. */
const PASS = { xdp: 2, tc: -1, cgroup: 1 } as const;

const SLOT = 0;
const SLOT_KEY = new Uint8Array(4);

/** A new program array with the one slot that a stub calls. */
export function createPrograms(): BpfMap {
  return BpfMap.create({ name: 'weir_programs', type: 'prog_array', maxEntries: 1 });
}

/**
 * The program that stays attached: it calls what stands in slot 0 of the array. Without anything there, which is only so while it is being taken away, everything passes.
 * @throws BpfError, VerifierError
 */
export function loadStub(place: AttachPlace, programs: BpfMap): BpfProgram {
  const asm = new Assembler();
  asm.tailCall('r1', 'programs', SLOT).mov('r0', PASS[place.kind]).exit();
  const instructions = bindProgram(asm.assemble(), { maps: new Map([['programs', programs.fd]]) });
  return BpfProgram.load({ name: STUB_NAME, ...PROGRAM_TYPES[placeOf(place)], instructions });
}

/** Puts a program into the slot: from here on it judges, whole packet by whole packet. */
export function putProgram(programs: BpfMap, program: BpfProgram): void {
  const value = new Uint8Array(4);
  new DataView(value.buffer).setInt32(0, program.fd, true);
  programs.update(SLOT_KEY, value);
}

/** The id of the program in the slot; undefined when there is none. */
export function readSlot(programs: BpfMap): number | undefined {
  const value = programs.lookup(SLOT_KEY);
  return value && new DataView(value.buffer).getUint32(0, true);
}
