import type { Assembler } from '@weir/ebpf/asm';
import type { Rule } from '../../model/rule.ts';

export type { Place } from '../../model/ebpf-program.ts';

/** Programs name the rule that each of their instructions is for. */
export type RuleAssembler = Assembler<Rule>;

/**
 * The plan of registers: r6 is the context, r7 the offset of the IP header in the packet, r8 the protocol (MISSING when there is none), r9 the offset of the transport
 * header from the IP header. All are kept across calls; r0 to r5 are for what is at hand.
 */
export const CONTEXT = 'r6';
export const NETWORK_AT = 'r7';
export const PROTOCOL = 'r8';
export const TRANSPORT_AT = 'r9';

/**
 * The plan of the stack, as offsets from r10. Facts about the packet follow below `facts`: rules read nothing else, so that a rule costs a load and a comparison. A fact is a
 * number, or MISSING. All of them are computed without branches, so that the verifier never knows one and walks the rules once.
 */
export const STACK = {
  /** 40 octets from the IP header on. */
  network: -40,
  /** 24 octets from the transport header on. */
  transport: -64,
  /** 24 octets: the Ethernet type and tags; then whatever is at hand. */
  scratch: -88,
  /** Signed 64 bits: octets from the IP header to the end of the packet. */
  length: -96,
  /** -1 or 0: what the link layer says. */
  ip4: -104,
  ip6: -112,
  /** Signed 64 bits: octets from the transport header to the end of the packet; negative when there is no such header, or it begins beyond that. */
  transportLength: -120,
  /** Counts the steps of a loop; then a mask at hand. */
  work: -128,
  /** 64 bits each: what r7, r8 and r9 are when the rules begin, for functions of the program. */
  networkAt: -136,
  protocol: -144,
  transportAt: -152,
  /** 64 octets of the packet, for functions that go through it. */
  buffer: -216,
  facts: -216,
  /** What is left of the kernel's 512 octets is for functions: they take 32 at least. */
  end: -448,
} as const;

export const NETWORK_OCTETS = 40;
export const TRANSPORT_OCTETS = 24;

/** The value of a fact that the packet does not have: outside of every range that a field can be compared with, and without the bits that one can have. */
export const MISSING = 0x8000_0000;
/** The same of facts with 32 bits, which are kept in 64. */
export const MISSING_WIDE_BIT = 32;
