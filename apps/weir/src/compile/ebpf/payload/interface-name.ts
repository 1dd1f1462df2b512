import type { MapNeed } from '../../../model/ebpf-program.ts';
import { CONTEXT, type Place, type RuleAssembler, STACK } from '../layout.ts';

/** The fields that are names of interfaces. */
export type NameField = 'iif.name' | 'oif.name';

/** The map with the names of the interfaces. */
export const INTERFACES = 'interfaces';
/** IFNAMSIZ: a name has at most 15 octets. */
export const NAME_OCTETS = 16;
/** So many interfaces have names here; of others programs see none. */
const MOST_INTERFACES = 65_536;
/** BPF_F_NO_PREALLOC. */
const NO_PREALLOC = 1;

export const INTERFACES_NEED: MapNeed = {
  kind: 'interfaces',
  symbol: INTERFACES,
  shape: { type: 'hash', keySize: 4, valueSize: NAME_OCTETS, maxEntries: MOST_INTERFACES, flags: NO_PREALLOC },
};

/** Where the index of the interface is: struct xdp_md, struct __sk_buff. */
const XDP_INGRESS = 12;
const SKB_INGRESS = 36;
const SKB_INTERFACE = 40;

/** Writes the name of the interface to `slot`, 16 octets that are all zero where there is none. r6 to r9 are kept. */
export function emitName(asm: RuleAssembler, place: Place, field: NameField, slot: number): void {
  const none = asm.label('no name');
  const named = asm.label('name found');
  asm.load('r1', 'u32', CONTEXT, place === 'xdp' ? XDP_INGRESS : field === 'iif.name' ? SKB_INGRESS : SKB_INTERFACE);
  asm.store('u64', 'r10', STACK.scratch, 'r1').mov('r2', 'r10').alu('r2', '+=', STACK.scratch).map('r1', INTERFACES);
  asm.call('map_lookup_elem').jump('r0', '==', 0, none);
  asm.load('r1', 'u64', 'r0', 0).load('r2', 'u64', 'r0', 8).goto(named);
  // 0, in a way that the verifier does not know.
  asm.place(none).load('r1', 'u64', 'r10', STACK.length).mov('r2', 'r1').alu('r2', '^=', -1).alu('r1', '&=', 'r2').mov('r2', 'r1');
  asm
    .place(named)
    .store('u64', 'r10', slot, 'r1')
    .store('u64', 'r10', slot + 8, 'r2');
}
