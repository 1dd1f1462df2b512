import type { Label } from '@weir/ebpf/asm';
import { MISSING, NETWORK_AT, NETWORK_OCTETS, type Place, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from './layout.ts';
import { copyOctets } from './read-packet.ts';

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** So many IPv6 extension headers are stepped over by kernels without may_goto; of a packet with more, what comes after them is missing. */
const MAX_EXTENSION_HEADERS = 64;

interface Walk {
  /** Where the number of steps is kept on the stack, where steps are counted. */
  readonly steps: number;
  /** The kernel has may_goto (6.9): there is no limit but the packet. */
  readonly mayGoto: boolean;
  /** AH is stepped over too; else it ends the walk. */
  readonly overAuthentication: boolean;
  /** At a fragment header: its next header is in r8, its offset and flags are in r1. Goes on with `step` or elsewhere. */
  readonly fragment: (step: Label) => void;
  /** At a header that is no extension. */
  readonly walked: Label;
  /** There are too many, or one that is not all there. */
  readonly none: Label;
}

/**
 * Walks the extension headers of an IPv6 packet: r8 is the number of the header at hand, r9 its offset from the IP header. The code does not run on.
 */
function emitWalk(asm: RuleAssembler, place: Place, { steps, mayGoto, overAuthentication, fragment, walked, none }: Walk): void {
  const next = asm.label('next header');
  const short = asm.label('a header of two octets');
  const long = asm.label('a header of four octets');
  const authentication = asm.label('AH');
  const fragmented = asm.label('fragment header');
  const step = asm.label('over a header');

  asm.load(PROTOCOL, 'u8', 'r10', STACK.network + 6);
  if (!mayGoto) asm.store('u64', 'r10', steps, 0);
  // 40, in a way that the verifier does not know: it would walk every way to every offset, and what follows for each.
  asm.load(TRANSPORT_AT, 'u64', 'r10', STACK.length).mov('r1', TRANSPORT_AT).alu('r1', '^=', -1);
  asm.alu(TRANSPORT_AT, '&=', 'r1').alu(TRANSPORT_AT, '+=', NETWORK_OCTETS);
  asm.place(next);
  if (mayGoto) asm.mayGoto(none);
  jumpIfProtocol(asm, HOP_BY_HOP, short);
  jumpIfProtocol(asm, DESTINATION_OPTIONS, short);
  jumpIfProtocol(asm, ROUTING, long);
  jumpIfProtocol(asm, FRAGMENT, fragmented);
  if (overAuthentication) jumpIfProtocol(asm, AUTHENTICATION, authentication);
  asm.goto(walked);

  asm.place(long);
  jumpIfFewer(asm, 4, none);
  asm.place(short);
  emitHeader(asm, place, none);
  asm.alu('r1', '+=', 1).alu('r1', '<<=', 3).alu(TRANSPORT_AT, '+=', 'r1').goto(step);
  if (overAuthentication) {
    asm.place(authentication);
    emitHeader(asm, place, none);
    asm.alu('r1', '+=', 2).alu('r1', '<<=', 2).alu(TRANSPORT_AT, '+=', 'r1').goto(step);
  }

  asm.place(fragmented);
  jumpIfFewer(asm, 4, none);
  copyAt(asm, place, 4);
  asm
    .load(PROTOCOL, 'u8', 'r10', STACK.scratch)
    .load('r1', 'u16', 'r10', STACK.scratch + 2)
    .byteOrder('r1', 'be', 16);
  fragment(step);

  asm.place(step);
  if (mayGoto) {
    asm.goto(next);
    return;
  }
  asm.load('r1', 'u64', 'r10', steps).alu('r1', '+=', 1).store('u64', 'r10', steps, 'r1');
  asm.jump('r1', '<=', MAX_EXTENSION_HEADERS, next).goto(none);
}

/** r8: the number of the next header; r1: what the length field says. */
function emitHeader(asm: RuleAssembler, place: Place, none: Label): void {
  jumpIfFewer(asm, 2, none);
  copyAt(asm, place, 2);
  asm.load(PROTOCOL, 'u8', 'r10', STACK.scratch).load('r1', 'u8', 'r10', STACK.scratch + 1);
}

function jumpIfProtocol(asm: RuleAssembler, protocol: number, to: Label): void {
  asm.mov('w1', 'w8').alu('w1', '^=', protocol).jump('w1', '==', 0, to);
}

/** Jumps where fewer than `octets` of the packet are left at the header at hand. r1 is lost. */
function jumpIfFewer(asm: RuleAssembler, octets: number, to: Label): void {
  asm.load('r1', 'u64', 'r10', STACK.length).alu('r1', '-=', TRANSPORT_AT).jump('r1', 's<', octets, to);
}

/** The first octets of the header at hand into the scratch octets. */
function copyAt(asm: RuleAssembler, place: Place, octets: number): void {
  asm.mov('r2', NETWORK_AT).alu('r2', '+=', TRANSPORT_AT);
  copyOctets(asm, place, STACK.scratch, octets);
}

/** Of a good IPv6 packet, which r3 says: the protocol (r8) and where its header begins (r9, with the mask in `work`). */
export function emitExtensions(asm: RuleAssembler, place: Place, mayGoto: boolean): void {
  const end = asm.label('headers found');
  const later = asm.label('a later fragment');
  const walked = asm.label('no extension');
  const none = asm.label('no protocol');
  asm.jump('r3', '==', 0, end);
  emitWalk(asm, place, {
    steps: STACK.transportLength,
    mayGoto,
    overAuthentication: false,
    fragment: () => asm.alu('r1', '&=', 0xfff8).jump('r1', '!=', 0, later).alu(TRANSPORT_AT, '+=', 8),
    walked,
    none,
  });

  // Of a later fragment, what its header names, unless that is an extension, which nothing can step over.
  asm.place(later);
  for (const extension of [HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING, FRAGMENT, AUTHENTICATION]) jumpIfProtocol(asm, extension, none);
  asm.store('u64', 'r10', STACK.work, 0).goto(end);

  asm.place(walked);
  asm.jump(TRANSPORT_AT, '>', 0xffff, none).store('u64', 'r10', STACK.work, -1);
  // AH must at least say how long it is.
  asm.mov('w1', 'w8').alu('w1', '^=', AUTHENTICATION).jump('w1', '!=', 0, end);
  jumpIfFewer(asm, 2, none);
  asm.goto(end);

  asm.place(none);
  asm.mov('w8', MISSING).store('u64', 'r10', STACK.work, 0);
  asm.place(end);
}

/** r1: 1 where the first fragment header of an IPv6 packet, also behind AH, says that there is more than this; else 0. r8 and r9 are kept. */
export function emitIsFragment6(asm: RuleAssembler, place: Place, mayGoto: boolean): void {
  // An atomic fragment (RFC 6946) is whole.
  const made = (): unknown => asm.alu('r1', '&=', 0xfff9).alu('r1', '+=', 0xffff).alu('r1', '>>=', 16);
  emitFirstFragment(asm, place, mayGoto, { made, missing: 0 });
}

/** r1: what is made of the offset and flags of that header, which are in r1; MISSING where there is none. */
export function emitFragment6(make: (asm: RuleAssembler) => unknown): (asm: RuleAssembler, place: Place, mayGoto: boolean) => void {
  return (asm, place, mayGoto) => emitFirstFragment(asm, place, mayGoto, { made: () => make(asm), missing: MISSING });
}

function emitFirstFragment(
  asm: RuleAssembler,
  place: Place,
  mayGoto: boolean,
  { made, missing }: { readonly made: () => unknown; readonly missing: number },
): void {
  const end = asm.label('fragment header looked for');
  const none = asm.label('no fragment');
  const kept = STACK.scratch + 8;
  asm.store('u64', 'r10', kept, PROTOCOL).store('u64', 'r10', kept + 8, TRANSPORT_AT);
  asm.load('r1', 'u64', 'r10', STACK.ip6).jump('r1', '==', 0, none);
  asm.load('r1', 'u64', 'r10', STACK.length).jump('r1', 's<', 7, none);
  emitWalk(asm, place, {
    steps: STACK.work,
    mayGoto,
    overAuthentication: true,
    fragment: () => {
      made();
      asm.goto(end);
    },
    walked: none,
    none,
  });
  asm.place(none).mov('w1', missing);
  // Whatever it is, the verifier is to know nothing of it: it would go through all that follows for each of the ways.
  asm.place(end).load('r2', 'u64', 'r10', STACK.length).mov('r3', 'r2').alu('r3', '^=', -1).alu('r2', '&=', 'r3').alu('r1', '^=', 'r2');
  asm.load(PROTOCOL, 'u64', 'r10', kept).load(TRANSPORT_AT, 'u64', 'r10', kept + 8);
}
