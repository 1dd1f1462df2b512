import type { Register } from '@weir/ebpf/asm';
import { CONTEXT, NETWORK_AT, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from '../layout.ts';
import { zeroMask } from '../read-packet.ts';
import type { ConnectPlace } from './places.ts';

/** struct bpf_sock_addr of linux/bpf.h. Addresses and port are in the order of the network. */
const SOCK_ADDR = { userIp4: 4, userIp6: 8, userPort: 24, protocol: 36 } as const;

/** Where the destination is in the headers of a packet. */
const DESTINATION_4 = 16;
const DESTINATION_6 = 24;
const IP4_OCTETS = 20;
const IP6_OCTETS = 40;
/** Ports: all that is known of the transport header. */
const PORTS_OCTETS = 4;
const DESTINATION_PORT = 2;

const TCP = 6;
/** IPPROTO_MPTCP: TCP on the wire. */
const MPTCP = 262;

/** 0000:ffff of ::ffff:0:0/96, as a little-endian machine reads it. */
const MAPPED = 0xffff_0000;

/**
 * Writes what a process asks for as the headers that its first packet will have, as far as they are known: the destination, the protocol and the destination port. So facts are found as they
 * are in packets. An IPv4-mapped address (RFC 4291 section 2.5.5.2) is judged as the IPv4 address that it stands for.
 */
export function emitFindDestination(asm: RuleAssembler, place: ConnectPlace): void {
  for (let slot: number = STACK.scratch; slot < 0; slot += 8) asm.store('u64', 'r10', slot, 0);
  if (place === 'connect4' || place === 'sendmsg4') {
    asm.load('r1', 'u32', CONTEXT, SOCK_ADDR.userIp4).store('u32', 'r10', STACK.network + DESTINATION_4, 'r1');
    asm.store('u64', 'r10', STACK.ip4, -1).store('u64', 'r10', STACK.ip6, 0).store('u64', 'r10', STACK.length, IP4_OCTETS);
    asm.mov(TRANSPORT_AT, IP4_OCTETS);
  } else emitDestination6(asm);
  asm.mov(NETWORK_AT, 0).load(PROTOCOL, 'u32', CONTEXT, SOCK_ADDR.protocol);
  asm.mov('r1', PROTOCOL).alu('r1', '^=', MPTCP);
  zeroMask(asm, 'r1');
  either(asm, PROTOCOL, 'r1', TCP);
  asm.load('r1', 'u32', CONTEXT, SOCK_ADDR.userPort).store('u16', 'r10', STACK.transport + DESTINATION_PORT, 'r1');
  asm.store('u64', 'r10', STACK.transportLength, PORTS_OCTETS);
}

function emitDestination6(asm: RuleAssembler): void {
  for (let word = 0; word < 16; word += 4)
    asm.load('r1', 'u32', CONTEXT, SOCK_ADDR.userIp6 + word).store('u32', 'r10', STACK.network + DESTINATION_6 + word, 'r1');
  // The last word is the IPv4 address of a mapped one.
  asm.store('u32', 'r10', STACK.network + DESTINATION_4, 'r1');
  const word = (index: number): number => STACK.network + DESTINATION_6 + 4 * index;
  asm.load('r1', 'u32', 'r10', word(2)).mov('w2', MAPPED).alu('r1', '^=', 'r2');
  asm.load('r2', 'u32', 'r10', word(0)).alu('r1', '|=', 'r2').load('r2', 'u32', 'r10', word(1)).alu('r1', '|=', 'r2');
  zeroMask(asm, 'r1');
  asm.store('u64', 'r10', STACK.ip4, 'r1').mov('r2', 'r1').alu('r2', '^=', -1).store('u64', 'r10', STACK.ip6, 'r2');
  asm.mov(TRANSPORT_AT, IP6_OCTETS);
  either(asm, TRANSPORT_AT, 'r1', IP4_OCTETS);
  asm.store('u64', 'r10', STACK.length, TRANSPORT_AT);
}

/** `register` becomes `value` where the mask is -1 and stays where it is 0. r2 and r3 are lost. */
function either(asm: RuleAssembler, register: Register, mask: Register, value: number): void {
  asm.mov('r2', mask).alu('r2', '^=', -1).alu(register, '&=', 'r2').mov('r3', mask).alu('r3', '&=', value).alu(register, '|=', 'r3');
}
