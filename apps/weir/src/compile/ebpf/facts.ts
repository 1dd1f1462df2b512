import type { Operand } from '@weir/filter/ir';
import { CALLER_FACTS } from './connect/index.ts';
import { emitIsFragment6 } from './extensions.ts';
import { MISSING, MISSING_WIDE_BIT, NETWORK_AT, type Place, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from './layout.ts';
import { copyOctets, signMask, zeroMask } from './read-packet.ts';

/** A fact that rules ask for, and where it is on the stack. `u64` where it has 32 bits of its own. */
export interface Fact {
  readonly slot: number;
  readonly size: 'u32' | 'u64';
}

type Emit = (asm: RuleAssembler, place: Place) => void;
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
function network(ip4: NetworkPlace | undefined, ip6: NetworkPlace | undefined): Emit {
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
function transport(protocol: number, place: NetworkPlace, family?: 4 | 6): Emit {
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
function addressFamily(end4: number, end6: number): Emit {
  return (asm) => {
    presentMask(asm, STACK.length, end4);
    asm.load('r1', 'u64', 'r10', STACK.ip4).alu('r1', '&=', 'r2').alu('r1', '&=', 4);
    presentMask(asm, STACK.length, end6);
    asm.load('r3', 'u64', 'r10', STACK.ip6).alu('r3', '&=', 'r2').alu('r3', '&=', 6).alu('r1', '|=', 'r3');
  };
}

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const u8 = (at: number): NetworkPlace => ({ at, size: 'u8' });
const u16 = (at: number): NetworkPlace => ({ at, size: 'u16' });
const trafficClass: NetworkPlace = {
  at: 0,
  size: 'u16',
  make: (asm) => asm.alu('r3', '>>=', 4).alu('r3', '&=', 255),
};

/** How each fact is found. What is not here, programs do not read from a header. */
const FACTS: ReadonlyMap<string, Emit> = new Map<string, Emit>([
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
  ['ip6.next_header', network(undefined, u8(6))],
  ['icmp.type', transport(1, u8(0), 4)],
  ['icmp.code', transport(1, u8(1), 4)],
  ['icmpv6.type', transport(58, u8(0), 6)],
  ['icmpv6.code', transport(58, u8(1), 6)],
  ['tcp.flags', transport(TCP, u8(13))],
  ['tcp.srcport', transport(TCP, u16(0))],
  ['tcp.dstport', transport(TCP, u16(2))],
  ['tcp.window', transport(TCP, u16(14))],
  ['udp.srcport', transport(UDP, u16(0))],
  ['udp.dstport', transport(UDP, u16(2))],
  ['udp.length', transport(UDP, u16(4))],
  ['sctp.srcport', transport(SCTP, u16(0))],
  ['sctp.dstport', transport(SCTP, u16(2))],
]);

/** 1 or 0: a packet that cannot say is none. */
function fragmented(asm: RuleAssembler, place: Place): void {
  emitIsFragment6(asm, place);
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

/** Whether a field is one that programs read from a header. */
export function isFact(name: string): boolean {
  return FACTS.has(name);
}

/** `bit_slice` words: a header of a family, or of a protocol. */
const SLICES: Readonly<Record<string, { readonly family?: 4 | 6; readonly protocol?: number }>> = {
  ip: { family: 4 },
  ip6: { family: 6 },
  icmp: { family: 4, protocol: 1 },
  tcp: { protocol: TCP },
  udp: { protocol: UDP },
  gre: { protocol: 47 },
  esp: { protocol: 50 },
  icmpv6: { family: 6, protocol: 58 },
  sctp: { protocol: SCTP },
};

type Slice = Extract<Operand, { kind: 'slice' }>;

/** Up to five octets from anywhere in a header: the value in 32 bits, or the bit above them. */
function slice({ protocol: word, start, end }: Slice): Emit | undefined {
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

/** The facts that the rules of one program ask for. */
export class Facts {
  readonly #facts = new Map<string, { readonly fact: Fact; readonly emit: Emit }>();
  readonly #parities: number[] = [];
  #next: number = STACK.facts;

  /** Where the fact of a field is; undefined when programs cannot read it, or the stack is full. */
  field(name: string): Fact | undefined {
    const caller = CALLER_FACTS.get(name);
    if (caller) return this.#add(name, 'u64', caller);
    const emit = FACTS.get(name);
    return emit && this.#add(name, 'u32', emit);
  }

  slice(operand: Slice): Fact | undefined {
    const emit = slice(operand);
    return emit && this.#add(`${operand.protocol} ${operand.start} ${operand.end}`, 'u64', emit);
  }

  /** Makes all that have been asked for. */
  emit(asm: RuleAssembler, place: Place): void {
    for (const { fact, emit } of this.#facts.values()) {
      emit(asm, place);
      asm.store(fact.size, 'r10', fact.slot, 'r1');
    }
  }

  /** Eight octets of the stack for the xor at this depth. */
  parity(depth: number): number | undefined {
    const known = this.#parities[depth];
    if (known !== undefined) return known;
    const slot = this.#reserve(8);
    if (slot !== undefined) this.#parities[depth] = slot;
    return slot;
  }

  /** Octets at a multiple of their number. */
  #reserve(octets: number): number | undefined {
    const slot = Math.floor((this.#next - octets) / octets) * octets;
    if (slot < STACK.end) return undefined;
    this.#next = slot;
    return slot;
  }

  #add(key: string, size: Fact['size'], emit: Emit): Fact | undefined {
    const known = this.#facts.get(key);
    if (known) return known.fact;
    const octets = size === 'u32' ? 4 : 8;
    const slot = this.#reserve(octets);
    if (slot === undefined) return undefined;
    const fact: Fact = { slot, size };
    this.#facts.set(key, { fact, emit });
    return fact;
  }
}
