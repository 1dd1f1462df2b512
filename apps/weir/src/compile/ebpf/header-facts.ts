import type { Operand } from '@weir/filter/ir';
import { emitFragment6, emitIsFragment6 } from './extensions.ts';
import { MISSING, MISSING_WIDE_BIT, NETWORK_AT, type Place, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from './layout.ts';
import { copyOctets, signMask, zeroMask } from './read-packet.ts';

/** Writes code that leaves a fact in r1, without a branch that the verifier could learn from. r6 to r9 are kept, r0 and r2 to r5 are lost. */
export type EmitFact = (asm: RuleAssembler, place: Place, mayGoto: boolean) => void;
type Transform = (asm: RuleAssembler) => void;

/** Where a field is in the IP header of a family: `size` octets at `at`, read as a big-endian number; `make` makes the value of it, in r3. */
interface NetworkPlace {
  readonly at: number;
  readonly size: 'u8' | 'u16' | 'u32';
  readonly make?: Transform;
}

const OCTETS = { u8: 1, u16: 2, u32: 4 } as const;

const and =
  (mask: number): Transform =>
  (asm) =>
    asm.alu('r3', '&=', mask);
const shift =
  (bits: number): Transform =>
  (asm) =>
    asm.alu('r3', '>>=', bits);

/** A fact from the IP header: r1 becomes the value or MISSING. */
function network(ip4: NetworkPlace | undefined, ip6: NetworkPlace | undefined): EmitFact {
  return (asm) => {
    asm.mov('r1', 0).mov('r4', 0);
    for (const [place, family] of [
      [ip4, STACK.ip4],
      [ip6, STACK.ip6],
    ] as const) {
      if (!place) continue;
      presentMask(asm, STACK.length, place.at + OCTETS[place.size]);
      asm.load('r3', 'u64', 'r10', family).alu('r2', '&=', 'r3');
      loadValue(asm, STACK.network, place);
      asm.alu('r3', '&=', 'r2').alu('r1', '|=', 'r3').alu('r4', '|=', 'r2');
    }
    orMissing(asm);
  };
}

/** A fact from the transport header of a protocol. */
function transport(protocol: number, place: NetworkPlace, family?: 4 | 6): EmitFact {
  return (asm) => {
    presentMask(asm, STACK.transportLength, place.at + OCTETS[place.size]);
    onlyProtocol(asm, protocol, family);
    loadValue(asm, STACK.transport, place);
    asm.mov('r1', 'r3').alu('r1', '&=', 'r2').mov('r4', 'r2');
    orMissing(asm);
  };
}

/** r2: -1 where the packet has `octets` octets from a header on. */
function presentMask(asm: RuleAssembler, lengthAt: number, octets: number): void {
  asm.load('r2', 'u64', 'r10', lengthAt).alu('r2', '-=', octets);
  signMask(asm, 'r2');
  asm.alu('r2', '^=', -1);
}

/** r2: 0 where the packet is of another protocol or family. r3 is lost. */
function onlyProtocol(asm: RuleAssembler, protocol: number, family: 4 | 6 | undefined): void {
  asm.mov('r3', PROTOCOL).alu('r3', '^=', protocol);
  zeroMask(asm, 'r3');
  asm.alu('r2', '&=', 'r3');
  if (family !== undefined) asm.load('r3', 'u64', 'r10', family === 4 ? STACK.ip4 : STACK.ip6).alu('r2', '&=', 'r3');
}

/** r3: the value. */
function loadValue(asm: RuleAssembler, header: number, { at, size, make }: NetworkPlace): void {
  asm.load('r3', size, 'r10', header + at);
  if (size !== 'u8') asm.byteOrder('r3', 'be', size === 'u16' ? 16 : 32);
  make?.(asm);
}

/** r1 becomes MISSING where the mask r4 is 0. */
function orMissing(asm: RuleAssembler): void {
  asm.alu('w4', '^=', -1).alu('w4', '&=', MISSING).alu('w1', '|=', 'w4');
}

/** Four or six where the address is there, else 0. */
function addressFamily(end4: number, end6: number): EmitFact {
  return (asm) => {
    presentMask(asm, STACK.length, end4);
    asm.load('r1', 'u64', 'r10', STACK.ip4).alu('r1', '&=', 'r2').alu('r1', '&=', 4);
    presentMask(asm, STACK.length, end6);
    asm.load('r3', 'u64', 'r10', STACK.ip6).alu('r3', '&=', 'r2').alu('r3', '&=', 6).alu('r1', '|=', 'r3');
  };
}

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ICMPV6 = 58;
const UDP_HEADER = 8;
const TCP_HEADER = 20;
const SCTP = 132;
const u8 = (at: number): NetworkPlace => ({ at, size: 'u8' });
const u16 = (at: number): NetworkPlace => ({ at, size: 'u16' });
const trafficClass: NetworkPlace = {
  at: 0,
  size: 'u16',
  make: (asm) => asm.alu('r3', '>>=', 4).alu('r3', '&=', 255),
};

/** How each fact is found. What is not here, programs do not read from a header. */
export const HEADER_FACTS: ReadonlyMap<string, EmitFact> = new Map<string, EmitFact>([
  ['ip.src', addressFamily(16, 24)],
  ['ip.dst', addressFamily(20, 40)],
  ['ip.proto.num', (asm) => asm.mov('r1', PROTOCOL)],
  ['meta.len', (asm) => asm.load('r1', 'u64', 'r10', STACK.length)],
  ['ip.hdr_len', network({ at: 0, size: 'u8', make: and(15) }, { at: 0, size: 'u8', make: (asm) => asm.mov('r3', 10) })],
  ['ip.len', network(u16(2), { at: 4, size: 'u16', make: (asm) => asm.alu('r3', '+=', 40) })],
  ['ip.ttl', network(u8(8), u8(7))],
  ['ip.tos', network(u8(1), trafficClass)],
  [
    'ip.dscp',
    network({ at: 1, size: 'u8', make: shift(2) }, { at: 0, size: 'u16', make: (asm) => asm.alu('r3', '>>=', 6).alu('r3', '&=', 63) }),
  ],
  ['ip.id', network(u16(4), undefined)],
  ['ip.frag_offset', network({ at: 6, size: 'u16', make: and(0x1fff) }, undefined)],
  ['ip.opt.type', firstOption],
  ['ip.frag', fragmented],
  ['ip6.flow_label', network(undefined, { at: 0, size: 'u32', make: and(0xfffff) })],
  ['ip6.frag_offset', emitFragment6((asm) => asm.alu('r1', '>>=', 3))],
  ['ip6.frag_more', emitFragment6((asm) => asm.alu('r1', '&=', 1))],
  ['ip6.next_header', network(undefined, u8(6))],
  ['icmp.type', transport(ICMP, u8(0), 4)],
  ['icmp.code', transport(ICMP, u8(1), 4)],
  ['icmpv6.type', transport(ICMPV6, u8(0), 6)],
  ['icmpv6.code', transport(ICMPV6, u8(1), 6)],
  ['tcp.flags', transport(TCP, u8(13))],
  ['tcp.srcport', transport(TCP, u16(0))],
  ['tcp.dstport', transport(TCP, u16(2))],
  ['tcp.window', transport(TCP, u16(14))],
  ['udp.srcport', transport(UDP, u16(0))],
  ['udp.dstport', transport(UDP, u16(2))],
  ['udp.length', transport(UDP, u16(4))],
  ['sctp.srcport', transport(SCTP, u16(0))],
  ['sctp.dstport', transport(SCTP, u16(2))],
  ['ntp.valid', ntp],
  ['len(ip)', networkLength(STACK.ip4)],
  ['len(ip6)', networkLength(STACK.ip6)],
  ['len(tcp)', transportLength([TCP])],
  ['len(udp)', transportLength([UDP])],
  ['len(icmp)', transportLength([ICMP, 4], [ICMPV6, 6])],
  ['len(udp.payload)', payloadLength(UDP, UDP_HEADER)],
  ['len(tcp.payload)', payloadLength(TCP, TCP_HEADER)],
]);

/** Octets from the IP header on. */
function networkLength(family: number): EmitFact {
  return (asm) => {
    asm.load('r1', 'u64', 'r10', STACK.length).load('r4', 'u64', 'r10', family).alu('r1', '&=', 'r4');
    orMissing(asm);
  };
}

/** Octets from the header of a protocol on. */
function transportLength(...protocols: readonly (readonly [number, (4 | 6)?])[]): EmitFact {
  return (asm) => {
    asm.mov('r4', 0);
    for (const [protocol, family] of protocols) {
      presentMask(asm, STACK.transportLength, 0);
      onlyProtocol(asm, protocol, family);
      asm.alu('r4', '|=', 'r2');
    }
    asm.load('r1', 'u64', 'r10', STACK.transportLength).alu('r1', '&=', 'r4');
    orMissing(asm);
  };
}

/** Octets behind the header of a protocol; the TCP header is as long as its data offset says. */
function payloadLength(protocol: number, header: number): EmitFact {
  return (asm) => {
    presentMask(asm, STACK.transportLength, header);
    onlyProtocol(asm, protocol, undefined);
    asm.load('r1', 'u64', 'r10', STACK.transportLength);
    if (protocol === TCP) {
      asm
        .load('r3', 'u8', 'r10', STACK.transport + 12)
        .alu('r3', '>>=', 4)
        .alu('r3', '<<=', 2)
        .alu('r1', '-=', 'r3')
        .mov('r3', 'r1');
      signMask(asm, 'r3');
      asm.alu('r3', '^=', -1).alu('r2', '&=', 'r3');
    } else asm.alu('r1', '-=', header);
    asm.alu('r1', '&=', 'r2').mov('r4', 'r2');
    orMissing(asm);
  };
}

/** 1 or 0, as `isNtp` of the filter language says of a UDP payload: leap 2 · version 3 (1 to 4) · mode 3 bits (1 to 5). */
function ntp(asm: RuleAssembler): void {
  presentMask(asm, STACK.transportLength, UDP_HEADER + 48);
  onlyProtocol(asm, UDP, undefined);
  // Of the version less one, bit 2 is 0; of the mode and 2 modulo 8, 3 or more is left.
  asm.load('r1', 'u8', 'r10', STACK.transport + UDP_HEADER).mov('r3', 'r1');
  asm.alu('r1', '>>=', 3).alu('r1', '-=', 1).alu('r1', '&=', 4).alu('r1', '>>=', 2);
  asm.alu('r3', '+=', 2).alu('r3', '&=', 7).alu('r3', '-=', 3);
  signMask(asm, 'r3');
  asm.alu('r1', '|=', 'r3').alu('r1', '&=', 1).alu('r1', '^=', 1).alu('r1', '&=', 'r2');
}

/** 1 or 0: a packet that cannot say is none. */
function fragmented(asm: RuleAssembler, place: Place, mayGoto: boolean): void {
  emitIsFragment6(asm, place, mayGoto);
  presentMask(asm, STACK.length, 8);
  asm.load('r3', 'u64', 'r10', STACK.ip4).alu('r2', '&=', 'r3');
  asm.load('r3', 'u16', 'r10', STACK.network + 6).byteOrder('r3', 'be', 16);
  asm.alu('r3', '&=', 0x3fff).alu('r3', '+=', 0xffff).alu('r3', '>>=', 16).alu('r3', '&=', 'r2').alu('r1', '|=', 'r3');
}

/** The octet after the fixed IPv4 header, where the header is longer. */
function firstOption(asm: RuleAssembler): void {
  presentMask(asm, STACK.length, 21);
  asm.load('r3', 'u64', 'r10', STACK.ip4).alu('r2', '&=', 'r3');
  asm.load('r3', 'u8', 'r10', STACK.network).alu('r3', '&=', 15).alu('r3', '-=', 6);
  signMask(asm, 'r3');
  asm.alu('r3', '^=', -1).alu('r2', '&=', 'r3');
  loadValue(asm, STACK.network, u8(20));
  asm.mov('r1', 'r3').alu('r1', '&=', 'r2').mov('r4', 'r2');
  orMissing(asm);
}

/** `bit_slice` words: a header of a family, or of a protocol. */
const SLICES: Readonly<Record<string, { readonly family?: 4 | 6; readonly protocol?: number }>> = {
  ip: { family: 4 },
  ip6: { family: 6 },
  icmp: { family: 4, protocol: ICMP },
  tcp: { protocol: TCP },
  udp: { protocol: UDP },
  gre: { protocol: 47 },
  esp: { protocol: 50 },
  icmpv6: { family: 6, protocol: ICMPV6 },
  sctp: { protocol: SCTP },
};

export type Slice = Extract<Operand, { kind: 'slice' }>;

/** Up to five octets from anywhere in a header: the value in 32 bits, or the bit above them. */
export function sliceFact({ protocol: word, start, end }: Slice): EmitFact | undefined {
  const header = Object.hasOwn(SLICES, word) ? SLICES[word] : undefined;
  if (!header) return undefined;
  const { protocol, family } = header;
  const first = start >> 3;
  const last = (end - 1) >> 3;
  return (asm, place) => {
    presentMask(asm, protocol === undefined ? STACK.length : STACK.transportLength, last + 1);
    if (protocol !== undefined) onlyProtocol(asm, protocol, family);
    else asm.load('r3', 'u64', 'r10', family === 4 ? STACK.ip4 : STACK.ip6).alu('r2', '&=', 'r3');
    asm.store('u64', 'r10', STACK.work, 'r2').mov('r3', 'r2').mov('r2', NETWORK_AT);
    if (protocol !== undefined) asm.alu('r2', '+=', TRANSPORT_AT);
    asm.alu('r2', '+=', first).alu('r2', '&=', 'r3');
    copyOctets(asm, place, STACK.scratch, last - first + 1);
    asm.load('r1', 'u64', 'r10', STACK.scratch).byteOrder('r1', 'be', 64);
    if ((start & 7) > 0) asm.alu('r1', '<<=', start & 7);
    asm.alu('r1', '>>=', 64 - (end - start));
    asm.load('r2', 'u64', 'r10', STACK.work).alu('r1', '&=', 'r2');
    asm.alu('r2', '^=', -1).alu('r2', '>>=', 63).alu('r2', '<<=', MISSING_WIDE_BIT).alu('r1', '|=', 'r2');
  };
}
