import type { Label } from '@weir/ebpf/asm';
import { emitExtensions } from './extensions.ts';
import {
  MISSING,
  NETWORK_AT,
  NETWORK_OCTETS,
  type Place,
  PROTOCOL,
  type RuleAssembler,
  STACK,
  TRANSPORT_AT,
  TRANSPORT_OCTETS,
} from './layout.ts';
import { atMost, copyOctets, loadFrameLength, signMask, zeroMask } from './read-packet.ts';

/** Ethernet types as they stand in the packet, read by a little-endian machine. */
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
const TYPES_VLAN = [0x0081, 0xa888, 0x0091] as const;
/** As many tags are stepped over as by everything else that reads frames here. */
const MAX_TAGS = 4;
const TYPE_AT = 12;
const ETHERNET = 14;
/** The type, and { tag 2 · type 2 } four times. */
const LINK_OCTETS = 18;

/**
 * Finds the headers as `findHeaders` of the filter language does, on any packet: what it leaves is in layout.ts. `impossible` is where the program goes with a packet without an octet,
 * which no hook has.
 */
export function emitFindHeaders(asm: RuleAssembler, place: Place, impossible: Label, mayGoto: boolean): void {
  for (let slot = STACK.network; slot < 0; slot += 8) asm.store('u64', 'r10', slot, 0);
  for (let slot = STACK.transport; slot < STACK.network; slot += 8) asm.store('u64', 'r10', slot, 0);
  for (let slot = STACK.scratch; slot < STACK.transport; slot += 8) asm.store('u64', 'r10', slot, 0);
  // r9: octets from the IP header to the end of the bytes.
  loadFrameLength(asm, place, 'r9');
  asm.jump('r9', '==', 0, impossible);
  if (place === 'network') emitVersion(asm, impossible);
  else emitLink(asm, place, impossible);
  emitNetwork(asm, place, impossible);
  emitExtensions(asm, place, mayGoto);
  emitTransport(asm, place, impossible);
}

/** Copies octets from the offset in r2 to `slot`: r4 says how many, 1 to `octets`. */
function copySome(asm: RuleAssembler, place: Place, slot: number, octets: number, impossible: Label): void {
  asm.jump('r4', '==', 0, impossible).jump('r4', '>', octets, impossible);
  copyOctets(asm, place, slot);
}

/** -1 where the Ethernet type in r3 is `type`, into `slot`. r1 is lost. */
function storeTypeMask(asm: RuleAssembler, type: number, slot: number): void {
  asm.mov('r1', 'r3').alu('r1', '^=', type);
  zeroMask(asm, 'r1');
  asm.store('u64', 'r10', slot, 'r1');
}

/** The family is the version; the packet begins with the IP header. */
function emitVersion(asm: RuleAssembler, impossible: Label): void {
  // The length, as if it could be anything: where it has bounds, the verifier follows them through the extension headers.
  asm.mov('r1', 'r9').alu('r1', '^=', -1).alu('r1', '&=', 'r9').alu('r1', '<<=', 32).alu('r9', '+=', 'r1');
  asm.mov(NETWORK_AT, 0).mov('r2', 0).mov('r4', 1);
  copySome(asm, 'network', STACK.scratch, 1, impossible);
  asm.load('r3', 'u8', 'r10', STACK.scratch).alu('r3', '>>=', 4);
  storeTypeMask(asm, 4, STACK.ip4);
  storeTypeMask(asm, 6, STACK.ip6);
}

/** Steps over the link header: r7, the masks of the families, and r9 without what comes before the IP header. */
function emitLink(asm: RuleAssembler, place: Place, impossible: Label): void {
  // From the type on; in a frame without one, anything: it is not used.
  asm.mov('r1', 'r9').alu('r1', '-=', TYPE_AT + 1);
  signMask(asm, 'r1');
  asm.alu('r1', '^=', -1).mov('r2', TYPE_AT).alu('r2', '&=', 'r1');
  asm.mov('r4', 'r9').alu('r4', '-=', 'r2');
  atMost(asm, 'r4', LINK_OCTETS, 'r1');
  copySome(asm, place, STACK.scratch, LINK_OCTETS, impossible);
  const found = asm.label('the type');
  asm.mov(NETWORK_AT, ETHERNET).load('r3', 'u16', 'r10', STACK.scratch);
  for (let tag = 1; tag <= MAX_TAGS; tag++) {
    const tagged = asm.label('a tag');
    for (const type of TYPES_VLAN) asm.mov('w1', 'w3').alu('w1', '^=', type).jump('w1', '==', 0, tagged);
    asm.goto(found).place(tagged);
    asm.alu(NETWORK_AT, '+=', 4).load('r3', 'u16', 'r10', STACK.scratch + 4 * tag);
  }
  asm.place(found);
  // The type has to be there as a whole.
  asm.alu('r9', '-=', NETWORK_AT).mov('r1', 'r9');
  signMask(asm, 'r1');
  asm.alu('r1', '^=', -1).alu('r3', '&=', 'r1').alu('r9', '&=', 'r1');
  storeTypeMask(asm, TYPE_IPV4, STACK.ip4);
  storeTypeMask(asm, TYPE_IPV6, STACK.ip6);
}

/** A big-endian half word of the IP header. */
function networkWord(asm: RuleAssembler, to: 'r1' | 'r2' | 'r3' | 'r4' | 'r5', at: number): void {
  asm.load(to, 'u16', 'r10', STACK.network + at).byteOrder(to, 'be', 16);
}

/**
 * Copies the IP header; the length of the packet; of IPv4 the protocol and where the transport header begins. r9 says how many octets there are from the IP header on.
 * A header that contradicts itself or the length of the packet leaves no protocol.
 */
function emitNetwork(asm: RuleAssembler, place: Place, impossible: Label): void {
  // Of a frame that ends before, the last octet: nothing of it is used.
  asm.mov('r1', 'r9').alu('r1', '-=', 1).mov('r0', 'r1');
  signMask(asm, 'r0');
  asm.mov('r2', NETWORK_AT).alu('r2', '+=', 'r0');
  asm.alu('r0', '^=', -1).alu('r1', '&=', 'r0').mov('r4', 'r1');
  atMost(asm, 'r4', NETWORK_OCTETS - 1, 'r1');
  asm.alu('r4', '+=', 1);
  copySome(asm, place, STACK.network, NETWORK_OCTETS, impossible);

  // IPv4. r2: total length, r3: header length, r5: negative where the header is not good.
  asm.load('r1', 'u8', 'r10', STACK.network).mov('r3', 'r1').alu('r3', '&=', 15).alu('r3', '<<=', 2);
  networkWord(asm, 'r2', 2);
  asm.alu('r1', '>>=', 4).alu('r1', '^=', 4).mov('r5', 0).alu('r5', '-=', 'r1');
  asm.mov('r0', 'r9').alu('r0', '-=', 20).alu('r5', '|=', 'r0');
  asm.mov('r0', 'r3').alu('r0', '-=', 20).alu('r5', '|=', 'r0');
  asm.mov('r0', 'r2').alu('r0', '-=', 'r3').alu('r5', '|=', 'r0');
  asm.mov('r0', 'r9').alu('r0', '-=', 'r2').alu('r5', '|=', 'r0');
  signMask(asm, 'r5');
  asm.alu('r5', '^=', -1).load('r0', 'u64', 'r10', STACK.ip4).alu('r5', '&=', 'r0');
  // The protocol, or MISSING; r4: -1 where there is a transport header.
  asm.load(PROTOCOL, 'u8', 'r10', STACK.network + 9).alu(PROTOCOL, '&=', 'r5');
  asm.mov('r1', 'r5').alu('r1', '^=', -1).mov('w0', MISSING).alu('r1', '&=', 'r0').alu(PROTOCOL, '|=', 'r1');
  networkWord(asm, 'r4', 6);
  asm.alu('r4', '&=', 0x1fff);
  zeroMask(asm, 'r4');
  asm.alu('r4', '&=', 'r5');
  // r2 becomes the length of a good packet, r5 whether it is one.
  asm.alu('r2', '&=', 'r5');
  asm.mov('r0', 'r9').mov(TRANSPORT_AT, 'r3').store('u64', 'r10', STACK.work, 'r4');

  // IPv6. r1: payload and header, r3: whether its header is good.
  asm.load('r3', 'u8', 'r10', STACK.network).alu('r3', '>>=', 4).alu('r3', '^=', 6).mov('r1', 0).alu('r1', '-=', 'r3').mov('r3', 'r1');
  asm.mov('r1', 'r0').alu('r1', '-=', 40).alu('r3', '|=', 'r1');
  networkWord(asm, 'r1', 4);
  // A payload of 0 before hop-by-hop options is a jumbogram's: as long as it is.
  asm.load('r4', 'u8', 'r10', STACK.network + 6).alu('r4', '|=', 'r1');
  zeroMask(asm, 'r4');
  asm.alu('r1', '+=', 40).store('u64', 'r10', STACK.scratch, 'r0').alu('r0', '-=', 'r1').alu('r3', '|=', 'r0');
  signMask(asm, 'r3');
  asm.alu('r3', '^=', -1).load('r0', 'u64', 'r10', STACK.ip6).alu('r3', '&=', 'r0');
  asm.load('r0', 'u64', 'r10', STACK.scratch);
  // length = jumbogram ? what there is : payload and header; then the three cases are put together.
  asm.alu('r0', '&=', 'r4').alu('r4', '^=', -1).alu('r1', '&=', 'r4').alu('r1', '|=', 'r0').alu('r1', '&=', 'r3').alu('r2', '|=', 'r1');
  asm.alu('r5', '|=', 'r3').alu('r5', '^=', -1).load('r0', 'u64', 'r10', STACK.scratch).alu('r0', '&=', 'r5').alu('r2', '|=', 'r0');
  asm.store('u64', 'r10', STACK.length, 'r2');
  // r3 goes on to the extension headers; of IPv4 r9 and the mask in `work` are as they should be.
}

/** Copies the transport header, as far as there is one; of none, an octet that is not used. */
function emitTransport(asm: RuleAssembler, place: Place, impossible: Label): void {
  asm
    .load('r1', 'u64', 'r10', STACK.length)
    .alu('r1', '-=', TRANSPORT_AT)
    .load('r0', 'u64', 'r10', STACK.work)
    .alu('r0', '^=', -1)
    .alu('r1', '|=', 'r0');
  asm.store('u64', 'r10', STACK.transportLength, 'r1');
  asm.alu('r1', '-=', 1).mov('r0', 'r1');
  signMask(asm, 'r0');
  asm.alu('r0', '^=', -1).alu('r1', '&=', 'r0');
  asm.mov('r2', NETWORK_AT).alu('r2', '+=', TRANSPORT_AT).alu('r2', '&=', 'r0');
  asm.mov('r4', 'r1');
  atMost(asm, 'r4', TRANSPORT_OCTETS - 1, 'r1');
  asm.alu('r4', '+=', 1);
  copySome(asm, place, STACK.transport, TRANSPORT_OCTETS, impossible);
}
