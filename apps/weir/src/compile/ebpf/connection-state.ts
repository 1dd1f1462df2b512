import type { Label } from '@weir/ebpf/asm';
import { CAST_TO_KERNEL_CONTEXT, NF_CONN_STATUS, SK_BUFF_NFCT } from '../../model/kernel-layout.ts';
import { CONTEXT, NETWORK_AT, type Place, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from './layout.ts';

/**
 * The state of a packet's connection, as the kernel's connection tracking has it: its table is asked with the packet's addresses and ports. At XDP and on the way in at tc the packet has not
 * been tracked yet, so what is told is what tracking would make of it:
 *
 * - established: the entry has seen packets in both directions, or this packet is a reply; related: the entry is expected, or the packet is an ICMP error about one that is there; new: there
 *   is an entry that nobody has answered, or none, and TCP or UDP may begin one; invalid: TCP flags with which nothing begins, or that cannot be, and ICMP errors about nothing
 * - the first packet of a connection that is expected is new: expectations cannot be looked up
 * - TCP windows, checksums, and what expires between here and there are not looked at: what nf_tables calls invalid for these has the state of its entry here
 * - protocols other than TCP and UDP, and fragments that are not the first, have no state: none of the four is true of them. The kernel's functions look up these two only, and fragments are
 *   put together later
 *
 * On the way out at tc, and by loopback, tracking has written to the packet what it is, of every protocol: that is what is told then (from Linux 6.2; before it the table is asked there, too, which
 * has forgotten what a reset has just ended).
 *
 * The table is filled where tracking is switched on in the namespace, which a rule of nf_tables that asks for states does: `needsConnectionTracking`.
 */
export const CONNECTION_STATE = 'connection state';

/** The bits of the state, as nf_tables has them. */
export const STATE_BITS: Readonly<Record<string, number>> = { 'ct.invalid': 1, 'ct.established': 2, 'ct.related': 4, 'ct.new': 8 };
const INVALID = 1;
const ESTABLISHED = 2;
const RELATED = 4;
const NEW = 8;

/** The functions of the kernel that look connections up; where they are missing a program cannot ask for states. Undefined for places without. */
export function stateFunctions(place: Place): { readonly lookUp: string; readonly release: string } | undefined {
  if (place !== 'xdp' && place !== 'tc') return undefined;
  return { lookUp: place === 'xdp' ? 'bpf_xdp_ct_lookup' : 'bpf_skb_ct_lookup', release: 'bpf_ct_release' };
}

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMP6 = 58;
/** An ICMP error has so many octets before the packet that it is about. */
const ICMP_OCTETS = 8;
const IP6_OCTETS = 40;

/** TCP flags, without PSH, ECE and CWR. */
const FLAGS = 0x37;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const URG = 32;
/** What a connection may begin with: also in its middle, which tracking takes up. */
const BEGINS = bits(SYN, SYN | URG, ACK, ACK | URG);
const VALID = BEGINS | bits(SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG);

function bits(...flags: readonly number[]): bigint {
  return flags.reduce((sum, flag) => sum | (1n << BigInt(flag)), 0n);
}

/** ICMP errors by type: destination unreachable, source quench, redirect, time exceeded, parameter problem. ICMPv6: those below 128 that there are. */
const ERRORS4 = bits(3, 4, 5, 11, 12);
const ERRORS6 = bits(1, 2, 3, 4);

/** enum ip_conntrack_info. */
const IP_CT_IS_REPLY = 3;
const IP_CT_UNTRACKED = 7;
/** enum ip_conntrack_status. */
const IPS_SEEN_REPLY = 2;
const BPF_F_CURRENT_NETNS = -1;

/**
 * The function's own stack: struct bpf_sock_tuple in its IPv6 form, or the IPv4 form in the first octets of it; struct bpf_ct_opts as it was in Linux 6.1; what is there when nothing is found.
 */
const TUPLE = -40;
const TUPLE4 = { source: TUPLE, destination: TUPLE + 4, ports: TUPLE + 8, octets: 12 } as const;
const TUPLE6 = { source: TUPLE, destination: TUPLE + 16, ports: TUPLE + 32, octets: 36 } as const;
const OPTIONS = -56;
const OPTIONS_OCTETS = 12;
const OPTION = { netns: OPTIONS, error: OPTIONS + 4, protocol: OPTIONS + 8, direction: OPTIONS + 9 } as const;
const UNFOUND = -64;

const FRAME = 'r7';

/** r0: the state, in a way that the verifier does not know. It runs before the rules; r1 to r5 are lost. */
export function emitCallState(asm: RuleAssembler, state: Label): void {
  const after = asm.label('the state');
  asm.mov('r1', CONTEXT).mov('r2', 'r10').mov('r3', NETWORK_AT).mov('r4', PROTOCOL).mov('r5', TRANSPORT_AT).callLocal(state);
  // The verifier compares states where jumps lead to: however the function ended, it goes on once.
  asm.goto(after).place(after);
}

/**
 * The function that finds the state: (context, frame of the program, offset of the IP header, protocol, offset of the transport header from it). The plan of registers: r6 is the context, r7 the
 * frame, r8 the offset of the transport header in the packet, then the connection; r9 the protocol, then the state.
 */
export function emitStateFunction(asm: RuleAssembler, state: Label, place: Place): void {
  const functions = stateFunctions(place);
  if (!functions) return;
  const [direct, error, ask, none] = [asm.label('TCP or UDP'), asm.label('an ICMP error'), asm.label('look up'), asm.label('no state')];
  const [invalid, end] = [asm.label('invalid'), asm.label('state')];
  asm.function(state, 'connection_state');
  asm.mov('r6', 'r1').mov(FRAME, 'r2').mov('r8', 'r3').alu('r8', '+=', 'r5').mov('r9', 'r4');
  for (let at = TUPLE; at < 0; at += 8) asm.store('u64', 'r10', at, 0);
  asm.store('u32', 'r10', OPTION.netns, BPF_F_CURRENT_NETNS).store('u32', 'r10', OPTION.error, 0).store('u64', 'r10', OPTION.protocol, 0);
  if (place === 'tc') emitTracked(asm, none, end);
  asm.jump('r9', '==', UDP, direct).jump('r9', '==', TCP, direct);
  asm.jump('r9', '==', ICMP, error).jump('r9', '==', ICMP6, error).goto(none);

  asm.place(direct);
  emitDirect(asm, invalid, none);
  emitOwnTuple(asm, ask);

  asm.place(error);
  emitError(asm, { place, invalid, none, ask });

  asm.place(ask).store('u8', 'r10', OPTION.protocol, 'r9');
  emitLookUp(asm, functions, end);
  asm.place(invalid).mov('r9', INVALID).goto(end);
  asm.place(none).mov('r9', 0);
  asm.place(end);
  // As the verifier does not know it.
  asm.load('r1', 'u64', FRAME, STACK.length).mov('r0', 'r1').alu('r0', '^=', -1).alu('r0', '&=', 'r1').alu('r0', '|=', 'r9').exit();
}

/** What tracking has written to the packet already: on the way out, and for what comes by loopback. Goes on where it has not. */
function emitTracked(asm: RuleAssembler, none: Label, end: Label): void {
  const first = asm.label('of the first direction');
  const untracked = asm.label('not tracked');
  asm.mov('r1', 'r6').callKernel(CAST_TO_KERNEL_CONTEXT).jump('r0', '==', 0, untracked);
  // The address of the connection, with enum ip_conntrack_info in its lowest bits.
  asm.symbol('r1', SK_BUFF_NFCT).alu('r0', '+=', 'r1').load('r1', 'u64', 'r0', 0).jump('r1', '==', 0, untracked);
  asm.alu('r1', '&=', 7).jump('r1', '==', IP_CT_UNTRACKED, none);
  // Established, related, new; the same of replies.
  asm.jump('r1', '<', IP_CT_IS_REPLY, first).alu('r1', '-=', IP_CT_IS_REPLY).place(first);
  asm.mov('r9', ESTABLISHED).alu('r9', '<<=', 'r1').goto(end).place(untracked);
}

/** What TCP or UDP without an entry is: new or invalid. What is invalid whatever the table says goes there. */
function emitDirect(asm: RuleAssembler, invalid: Label, none: Label): void {
  const udp = asm.label('UDP');
  const header = asm.label('a header');
  asm.load('r1', 'u64', FRAME, STACK.transportLength).jump('r1', 's<=', 0, none).jump('r1', 's<', 8, invalid);
  asm.jump('r9', '==', UDP, udp).jump('r1', 's<', 20, invalid);
  asm
    .load('r2', 'u8', FRAME, STACK.transport + 12)
    .alu('r2', '>>=', 4)
    .alu('r2', '<<=', 2);
  asm.jump('r2', '<', 20, invalid).jump('r2', 's>', 'r1', invalid);
  asm.load('r1', 'u8', FRAME, STACK.transport + 13).alu('r1', '&=', FLAGS);
  asm.constant('r2', VALID).alu('r2', '>>=', 'r1').alu('r2', '&=', 1).jump('r2', '==', 0, invalid);
  // NEW where it can begin, else INVALID.
  asm
    .constant('r2', BEGINS)
    .alu('r2', '>>=', 'r1')
    .alu('r2', '&=', 1)
    .alu('r2', '*=', NEW - INVALID)
    .alu('r2', '+=', INVALID);
  asm.store('u64', 'r10', UNFOUND, 'r2').goto(header);
  asm.place(udp).mov('r2', NEW).store('u64', 'r10', UNFOUND, 'r2').place(header);
}

/** The packet's own addresses and ports. */
function emitOwnTuple(asm: RuleAssembler, ask: Label): void {
  const ip6 = asm.label('IPv6');
  asm.load('r2', 'u32', FRAME, STACK.transport).load('r1', 'u64', FRAME, STACK.ip4).jump('r1', '==', 0, ip6);
  asm.store('u32', 'r10', TUPLE4.ports, 'r2');
  for (let at = 0; at < 8; at += 4) asm.load('r1', 'u32', FRAME, STACK.network + 12 + at).store('u32', 'r10', TUPLE + at, 'r1');
  asm.mov('r3', TUPLE4.octets).goto(ask);
  asm.place(ip6).store('u32', 'r10', TUPLE6.ports, 'r2');
  for (let at = 0; at < 32; at += 8) asm.load('r1', 'u64', FRAME, STACK.network + 8 + at).store('u64', 'r10', TUPLE + at, 'r1');
  asm.mov('r3', TUPLE6.octets).goto(ask);
}

interface ErrorLabels {
  readonly place: Place;
  readonly invalid: Label;
  readonly none: Label;
  readonly ask: Label;
}

/**
 * The packet that an ICMP error is about, the other way round: what answers it would have its addresses and ports like this. It must have come from whom the error goes to. r9 becomes its protocol.
 */
function emitError(asm: RuleAssembler, labels: ErrorLabels): void {
  const { place, invalid, none, ask } = labels;
  const ip6 = asm.label('ICMPv6');
  const copy = (from: number, to: number, octets: number): void => {
    asm.mov('r1', 'r6').mov('r2', 'r8');
    if (from !== 0) asm.alu('r2', '+=', from);
    asm
      .mov('r3', 'r10')
      .alu('r3', '+=', to)
      .mov('r4', octets)
      .call(place === 'xdp' ? 'xdp_load_bytes' : 'skb_load_bytes');
    asm.jump('r0', '!=', 0, invalid);
  };
  /** The ports behind r8, exchanged. */
  const ports = (to: number): void => {
    copy(0, to, 4);
    asm
      .load('r1', 'u16', 'r10', to)
      .load('r2', 'u16', 'r10', to + 2)
      .store('u16', 'r10', to, 'r2')
      .store('u16', 'r10', to + 2, 'r1');
  };
  const onlyPorts = (): void => void asm.jump('r9', '==', TCP, known).jump('r9', '!=', UDP, invalid).place(known);
  let known = asm.label('TCP');
  asm.load('r1', 'u64', FRAME, STACK.transportLength).jump('r1', 's<=', 0, none).jump('r1', 's<', ICMP_OCTETS, invalid);
  asm.store('u64', 'r10', UNFOUND, 0).load('r1', 'u8', FRAME, STACK.transport).jump('r9', '==', ICMP6, ip6);

  emitOnlyErrors(asm, ERRORS4, none);
  asm.load('r1', 'u64', FRAME, STACK.ip4).jump('r1', '==', 0, none);
  // The first twelve octets, of which length, fragment and protocol are asked.
  copy(ICMP_OCTETS, TUPLE + 12, 12);
  asm
    .load('r9', 'u8', 'r10', TUPLE + 12 + 9)
    .load('r1', 'u16', 'r10', TUPLE + 12 + 6)
    .byteOrder('r1', 'be', 16);
  asm.alu('r1', '&=', 0x1fff).jump('r1', '!=', 0, invalid);
  onlyPorts();
  copy(ICMP_OCTETS + 12, TUPLE4.destination, 4);
  copy(ICMP_OCTETS + 16, TUPLE4.source, 4);
  asm
    .load('r1', 'u32', FRAME, STACK.network + 16)
    .load('r2', 'u32', 'r10', TUPLE4.destination)
    .jump('r1', '!=', 'r2', invalid);
  asm
    .load('r1', 'u8', 'r10', TUPLE + 12)
    .alu('r1', '&=', 15)
    .alu('r1', '<<=', 2)
    .jump('r1', '<', 20, invalid);
  asm.alu('r8', '+=', ICMP_OCTETS).alu('r8', '+=', 'r1');
  ports(TUPLE4.ports);
  asm.mov('r3', TUPLE4.octets).goto(ask);

  asm.place(ip6);
  emitOnlyErrors(asm, ERRORS6, none);
  asm.load('r1', 'u64', FRAME, STACK.ip6).jump('r1', '==', 0, none);
  copy(ICMP_OCTETS + 6, TUPLE6.ports, 1);
  asm.load('r9', 'u8', 'r10', TUPLE6.ports);
  known = asm.label('TCP');
  onlyPorts();
  copy(ICMP_OCTETS + 8, TUPLE6.destination, 16);
  copy(ICMP_OCTETS + 24, TUPLE6.source, 16);
  for (let at = 0; at < 16; at += 8) {
    asm.load('r1', 'u64', FRAME, STACK.network + 24 + at).load('r2', 'u64', 'r10', TUPLE6.destination + at);
    asm.jump('r1', '!=', 'r2', invalid);
  }
  asm.alu('r8', '+=', ICMP_OCTETS + IP6_OCTETS);
  ports(TUPLE6.ports);
  asm.mov('r3', TUPLE6.octets).goto(ask);
}

/** Goes to `none` where the type in r1 is no error. r2 is lost. */
function emitOnlyErrors(asm: RuleAssembler, errors: bigint, none: Label): void {
  asm.jump('r1', '>', 63, none).constant('r2', errors).alu('r2', '>>=', 'r1').alu('r2', '&=', 1).jump('r2', '==', 0, none);
}

/** Asks the table for the tuple, of which r3 says the octets; the state is in r9 at `end`. An error has 0 where others say what they are without an entry. */
function emitLookUp(asm: RuleAssembler, { lookUp, release }: { readonly lookUp: string; readonly release: string }, end: Label): void {
  const found = asm.label('an entry');
  const own = asm.label('its own');
  asm.mov('r1', 'r6').mov('r2', 'r10').alu('r2', '+=', TUPLE).mov('r4', 'r10').alu('r4', '+=', OPTIONS).mov('r5', OPTIONS_OCTETS);
  asm.callKernel(lookUp).jump('r0', '!=', 0, found);
  // 0 becomes INVALID.
  asm.load('r9', 'u64', 'r10', UNFOUND).jump('r9', '!=', 0, end).mov('r9', INVALID).goto(end);
  asm.place(found).mov('r8', 'r0').symbol('r1', NF_CONN_STATUS).alu('r0', '+=', 'r1').load('r9', 'u64', 'r0', 0);
  asm.mov('r1', 'r8').callKernel(release);
  // r1: 1 in the direction of the first packet where no reply has been seen.
  asm.load('r1', 'u64', 'r10', UNFOUND).jump('r1', '!=', 0, own).mov('r9', RELATED).goto(end);
  asm.place(own).mov('r1', 'r9').alu('r1', '&=', IPS_SEEN_REPLY).load('r2', 'u8', 'r10', OPTION.direction).alu('r1', '|=', 'r2');
  const answered = asm.label('answered');
  asm.jump('r1', '!=', 0, answered);
  // IPS_EXPECTED is 1: RELATED for it, else NEW.
  asm
    .alu('r9', '&=', 1)
    .alu('r9', '*=', RELATED - NEW)
    .alu('r9', '+=', NEW)
    .goto(end);
  asm.place(answered).mov('r9', ESTABLISHED).goto(end);
}
