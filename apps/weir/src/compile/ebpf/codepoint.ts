import { type Expr, operandLeaves, testOperand } from '@weir/filter/ir';
import type { Rule } from '../../model/rule.ts';
import type { Facts } from './facts.ts';
import { CONTEXT, type Place, type RuleAssembler, STACK } from './layout.ts';
import { ACTION_CODE, ENTRY } from './rule-table.ts';

/** Up to and with the checksum of IPv4. */
const WRITTEN_OCTETS = 12;
const CHECKSUM_AT = 10;
const HEADER = { 4: 20, 6: 40 } as const;
/** How many bits of the first word of the header lie below the codepoint. */
const SHIFT = { 4: 2, 6: 6 } as const;
const CODEPOINT = 0x3f;
/** BPF_F_RECOMPUTE_CSUM: what the device has summed up follows. */
const RECOMPUTE = 1;

/** The octets of a header that another codepoint changes, and of IPv4 its checksum, as bits. */
const CHANGED: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  ip: [
    [0, 16],
    [8 * CHECKSUM_AT, 8 * WRITTEN_OCTETS],
  ],
  ip6: [[0, 16]],
};

/** Whether bits of a header are some that another codepoint changes. */
function isChangedSlice({ protocol, start, end }: { readonly protocol: string; readonly start: number; readonly end: number }): boolean {
  const changed = Object.hasOwn(CHANGED, protocol) ? CHANGED[protocol] : undefined;
  return changed?.some(([first, last]) => start < last && end > first) ?? false;
}

const CHANGED_FIELDS: ReadonlySet<string> = new Set(['ip.tos', 'ip.dscp', 'ip', 'ip6']);

/** Whether a rule asks for what one before it writes. */
export function asksWhatIsWritten(rules: readonly Rule[]): boolean {
  const first = rules.findIndex(({ action }) => action.kind === 'dscp');
  return first >= 0 && rules.slice(first + 1).some(({ expression }) => asks(expression));
}

function asks(expression: Expr): boolean {
  switch (expression.kind) {
    case 'constant':
      return false;
    case 'literal':
      return operandLeaves(testOperand(expression.test)).some((leaf) =>
        leaf.kind === 'field' ? CHANGED_FIELDS.has(leaf.name) : leaf.kind === 'slice' && isChangedSlice(leaf),
      );
    default:
      return expression.items.some(asks);
  }
}

export interface CodepointContext {
  readonly place: Place;
  readonly facts: Facts;
  /** Registers: the frame of the program, and the entry of the rule. */
  readonly frame: 'r7';
  readonly entry: 'r8';
}

/**
 * Where the rule says so, its codepoint into the header of the packet, with the checksum of IPv4 (RFC 1624, equation 3; never 0, as nf_tables writes it), and into what the program knows of it: the header on its stack, and facts. A
 * header that is not whole stays, and so does what cannot be written. r0 to r5 and the scratch octets are lost.
 */
export function emitCodepoint(asm: RuleAssembler, context: CodepointContext): void {
  const { place, frame, entry } = context;
  const [done, six, write] = [asm.label('no codepoint'), asm.label('not IPv4'), asm.label('write it')];
  asm.load('r1', 'u8', entry, ENTRY.action).jump('r1', '!=', ACTION_CODE.dscp, done);
  for (let at = 0; at < WRITTEN_OCTETS; at += 4)
    asm.load('r1', 'u32', frame, STACK.network + at).store('u32', frame, STACK.scratch + at, 'r1');
  asm.load('r1', 'u64', frame, STACK.ip4).jump('r1', '==', 0, six);
  asm.load('r1', 'u64', frame, STACK.length).jump('r1', 's<', HEADER[4], done);
  emitWord(asm, context, 4);
  emitChecksum(asm, context);
  asm.goto(write);
  asm.place(six).load('r1', 'u64', frame, STACK.ip6).jump('r1', '==', 0, done);
  asm.load('r1', 'u64', frame, STACK.length).jump('r1', 's<', HEADER[6], done);
  emitWord(asm, context, 6);
  asm.place(write).mov('r1', CONTEXT).load('r2', 'u64', frame, STACK.networkAt);
  asm.mov('r3', frame).alu('r3', '+=', STACK.scratch).mov('r4', WRITTEN_OCTETS);
  if (place === 'xdp') asm.call('xdp_store_bytes');
  else asm.mov('r5', RECOMPUTE).call('skb_store_bytes');
  asm.jump('r0', '!=', 0, done);
  for (let at = 0; at < WRITTEN_OCTETS; at += 4)
    asm.load('r1', 'u32', frame, STACK.scratch + at).store('u32', frame, STACK.network + at, 'r1');
  emitFacts(asm, context);
  asm.place(done);
}

/** The first word of the header with the codepoint, to the scratch octets. r2: what it was, r3: what it is. r4 is lost. */
function emitWord(asm: RuleAssembler, { frame, entry }: CodepointContext, family: 4 | 6): void {
  asm.load('r2', 'u16', frame, STACK.network).byteOrder('r2', 'be', 16);
  asm.load('r4', 'u8', entry, ENTRY.dscp).alu('r4', '<<=', SHIFT[family]);
  asm
    .mov('r3', 'r2')
    .alu('r3', '&=', 0xffff & ~(CODEPOINT << SHIFT[family]))
    .alu('r3', '|=', 'r4');
  asm.mov('r4', 'r3').byteOrder('r4', 'be', 16).store('u16', frame, STACK.scratch, 'r4');
}

/** The checksum of IPv4 from what it was, and the word that was r2 and is r3. r1, r2, r4 are lost. */
function emitChecksum(asm: RuleAssembler, { frame }: CodepointContext): void {
  asm
    .load('r1', 'u16', frame, STACK.network + CHECKSUM_AT)
    .byteOrder('r1', 'be', 16)
    .alu('r1', '^=', 0xffff);
  asm.alu('r2', '^=', 0xffff).alu('r1', '+=', 'r2').alu('r1', '+=', 'r3');
  for (let fold = 0; fold < 2; fold++) asm.mov('r4', 'r1').alu('r4', '>>=', 16).alu('r1', '&=', 0xffff).alu('r1', '+=', 'r4');
  // 0 is another way to write 0xffff.
  asm.alu('r1', '^=', 0xffff).mov('r4', 'r1').alu('r4', '-=', 1).alu('r4', 's>>=', 63).alu('r4', '&=', 0xffff).alu('r1', '|=', 'r4');
  asm.byteOrder('r1', 'be', 16).store('u16', frame, STACK.scratch + CHECKSUM_AT, 'r1');
}

/** The facts that are different now, from the header on the stack. */
function emitFacts(asm: RuleAssembler, { facts, frame, entry }: CodepointContext): void {
  const [tos, dscp] = [facts.known('ip.tos'), facts.known('ip.dscp')];
  if (dscp) {
    asm.load('r1', 'u8', entry, ENTRY.dscp);
    emitFact(asm, frame, dscp.slot, 'u32');
  }
  if (tos) {
    asm.load('r1', 'u32', frame, tos.slot).alu('r1', '&=', 3).load('r2', 'u8', entry, ENTRY.dscp).alu('r2', '<<=', 2).alu('r1', '|=', 'r2');
    emitFact(asm, frame, tos.slot, 'u32');
  }
  for (const { slice, slot } of facts.slices()) {
    if (!isChangedSlice(slice)) continue;
    const { protocol, start, end } = slice;
    const other = asm.label('of the other family');
    asm.load('r1', 'u64', frame, protocol === 'ip' ? STACK.ip4 : STACK.ip6).jump('r1', '==', 0, other);
    const last = (end - 1) >> 3;
    asm.mov('r1', 0);
    for (let at = start >> 3; at <= last; at++)
      asm
        .alu('r1', '<<=', 8)
        .load('r2', 'u8', frame, STACK.network + at)
        .alu('r1', '|=', 'r2');
    asm.alu('r1', '<<=', 64 - 8 * (last - (start >> 3) + 1) + (start & 7)).alu('r1', '>>=', 64 - (end - start));
    emitFact(asm, frame, slot, 'u64');
    asm.place(other);
  }
}

/** Stores r1, in a way that the verifier knows no bounds of it: it would judge the rest by what is written and by what is not. r2 and r3 are lost. */
function emitFact(asm: RuleAssembler, frame: CodepointContext['frame'], slot: number, size: 'u32' | 'u64'): void {
  asm.load('r2', 'u64', frame, STACK.length).mov('r3', 'r2').alu('r3', '^=', -1).alu('r2', '&=', 'r3').alu('r1', '^=', 'r2');
  asm.store(size, frame, slot, 'r1');
}
