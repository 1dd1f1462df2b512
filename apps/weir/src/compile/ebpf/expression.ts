import type { Label } from '@weir/ebpf/asm';
import { evaluate, type Subject } from '@weir/filter/eval';
import type { Expr, IrSpan, Operand, Test } from '@weir/filter/ir';
import { clampSet, isOperand, MAX_INT, operandLeaves, rangeSet, testOperand } from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import type { MapNeed } from '../../model/ebpf-program.ts';
import { Unsayable } from '../refusal.ts';
import { TCP_FLAGS } from '../tcp-flags.ts';
import { type Branch, emitBits, emitInt, emitIp, emitWide } from './compare.ts';
import { CALLER_FACTS, isConnectPlace, isVisibleAtConnect, loadSocketMark } from './connect/index.ts';
import { CONNECTION_STATE, STATE_BITS, stateFunctions } from './connection-state.ts';
import type { Fact, Facts } from './facts.ts';
import { type Place, type RuleAssembler, STACK } from './layout.ts';
import { emitNameTest, emitPayloadTest, emitSipMethod, onlyField, passing } from './payload/index.ts';
import { constantNeeds, emitSetLookup, listNeed } from './sets/index.ts';

/** Fields whose values are the same for every packet that a program sees, such as the interface where it is attached: tests of them are answered here and now. */
export interface Known {
  readonly fields: ReadonlySet<string>;
  readonly subject: Subject;
}

/** What expressions are compiled with. */
export interface ExpressionContext {
  readonly asm: RuleAssembler;
  readonly place: Place;
  readonly facts: Facts;
  /** How many xor are around. */
  readonly depth: number;
  /** What is known of every packet that the program will see. */
  readonly known: Known | undefined;
  /** Adds a map that the program needs, once, and gives its symbol. */
  readonly need: (need: MapNeed) => string;
  /** Addresses of more ranges than this are looked up in a map; undefined where they are compared in the program, however many there are. */
  readonly mostRanges?: number;
}

/** Where an address stands in the IP header, by family. */
const ADDRESSES: Readonly<Record<string, readonly [number, number]>> = { 'ip.src': [12, 8], 'ip.dst': [16, 24] };

/** struct __sk_buff, mark. */
const SKB_MARK = 8;

/**
 * Code that goes to `yes` or to `no`, as the expression says of the packet; it does not run on.
 * @throws Unsayable for what programs cannot ask
 */
export function emitExpression(context: ExpressionContext, expression: Expr, branch: Branch): void {
  const { asm } = context;
  switch (expression.kind) {
    case 'constant':
      asm.goto(expression.value ? branch.yes : branch.no);
      return;
    case 'literal': {
      const { yes, no } = branch;
      emitTest(context, expression.test, expression.negated ? { yes: no, no: yes } : branch, expression.span);
      return;
    }
    case 'and':
      emitEach(context, expression.items, (next) => ({ yes: next, no: branch.no }), branch);
      return;
    case 'or':
      emitEach(context, expression.items, (next) => ({ yes: branch.yes, no: next }), branch);
      return;
    case 'xor':
      emitParity(context, expression.items, expression.negated ? { yes: branch.no, no: branch.yes } : branch, expression.span);
  }
}

function emitEach(context: ExpressionContext, items: readonly Expr[], between: (next: Label) => Branch, branch: Branch): void {
  for (const [index, item] of items.entries()) {
    if (index === items.length - 1) {
      emitExpression(context, item, branch);
      return;
    }
    const next = context.asm.label('next part');
    emitExpression(context, item, between(next));
    context.asm.place(next);
  }
}

/** Counts modulo two on the stack, in a place of its own for each xor around. */
function emitParity(context: ExpressionContext, items: readonly Expr[], branch: Branch, span: IrSpan | undefined): void {
  const { asm, facts, depth } = context;
  const slot = facts.parity(depth);
  if (slot === undefined) throw new Unsayable('the stack of one eBPF program', 'xor nested so deep', span);
  // 0, in a way that the verifier does not know: it would follow both parities through what comes behind.
  asm.load('r1', 'u64', 'r10', STACK.length).mov('r2', 'r1').alu('r2', '^=', -1).alu('r1', '&=', 'r2').store('u8', 'r10', slot, 'r1');
  for (const item of items) {
    const turn = asm.label('turn');
    const next = asm.label('next part');
    emitExpression({ ...context, depth: depth + 1 }, item, { yes: turn, no: next });
    asm.place(turn).load('r1', 'u8', 'r10', slot).alu('r1', '^=', 1).store('u8', 'r10', slot, 'r1');
    asm.place(next);
  }
  asm.load('r1', 'u8', 'r10', slot).jump('r1', '!=', 0, branch.yes).goto(branch.no);
}

function emitTest(context: ExpressionContext, test: Test, branch: Branch, span: IrSpan | undefined): void {
  const { asm, known } = context;
  if (known && operandLeaves(testOperand(test)).every((leaf) => leaf.kind === 'field' && known.fields.has(leaf.name))) {
    asm.goto(evaluate({ kind: 'literal', test, negated: false }, known.subject) ? branch.yes : branch.no);
    return;
  }
  if (emitOctetsTest(context, test, branch, span)) return;
  switch (test.kind) {
    case 'int': {
      if (test.operand.kind === 'field' && test.operand.name === 'cgroup.id') {
        emitWide(asm, factOf(context, test.operand, span), clampSet(test.set, 0, MAX_INT), branch);
        return;
      }
      const set = clampSet(test.set, 0, 0xffff_ffff);
      if (isMark(test.operand)) emitMark(context, span, (fact) => emitInt(asm, fact, set, branch));
      else emitInt(asm, factOf(context, test.operand, span), set, branch);
      return;
    }
    case 'bits': {
      const mask = Number(BigInt.asUintN(32, BigInt(test.mask)));
      if (isMark(test.operand)) emitMark(context, span, (fact) => emitBits(asm, fact, mask, branch));
      else emitBits(asm, factOf(context, test.operand, span), mask, branch);
      return;
    }
    case 'flag': {
      const name = test.operand.kind === 'field' ? test.operand.name : undefined;
      if (name === 'ip.frag' || name === 'ip6.frag_more') {
        emitBits(asm, factOf(context, test.operand, span), 1, branch);
        return;
      }
      const state = name === undefined ? undefined : STATE_BITS[name];
      if (state !== undefined && stateFunctions(context.place)) {
        emitBits(asm, factOf(context, { kind: 'field', name: CONNECTION_STATE }, span), state, branch);
        return;
      }
      const bit = name === undefined ? undefined : TCP_FLAGS[name];
      if (bit === undefined) throw unsayable(context, test.operand, span);
      emitBits(asm, factOf(context, { kind: 'field', name: 'tcp.flags' }, span), bit, branch);
      return;
    }
    case 'ip': {
      const { family, at4, at6 } = addressOf(context, test.operand, span);
      const { v4, v6 } = test.set;
      if (v4.length + v6.length <= (context.mostRanges ?? Number.POSITIVE_INFINITY)) emitIp(asm, family, at4, at6, test.set, branch);
      else emitLookups(context, family, { needs: constantNeeds(test.set), at4: STACK.network + at4, at6: STACK.network + at6 }, branch);
      return;
    }
    case 'list':
      emitList(context, test, branch, span);
      return;
    default:
      throw unsayable(context, testOperand(test), span);
  }
}

/** Tests of octets: the names of protocols and methods, which are few; names of interfaces; payloads. False for others. */
function emitOctetsTest(context: ExpressionContext, test: Test, branch: Branch, span: IrSpan | undefined): boolean {
  const field = onlyField(test);
  if (field === 'ip.proto') {
    const numbers = passing(test, PROTOCOL_NAMES).map((name) => IP_PROTOCOLS[name] ?? 0);
    const set = rangeSet(numbers.map((number) => ({ first: number, last: number })));
    emitInt(context.asm, factOf(context, { kind: 'field', name: 'ip.proto.num' }, span), set, branch);
    return true;
  }
  if (field === 'iif.name' || field === 'oif.name') {
    emitNameTest(context, field, test, branch, span);
    return true;
  }
  if (isConnectPlace(context.place)) return false;
  if (field !== 'sip.method') return emitPayloadTest(context, test, branch, span);
  emitSipMethod(context, test, branch, span);
  return true;
}

const PROTOCOL_NAMES = Object.keys(IP_PROTOCOLS);

function isMark(operand: Operand): boolean {
  return operand.kind === 'field' && operand.name === 'meta.mark';
}

/** The mark is read when it is asked for: rules before may have set it. */
function emitMark({ asm, place }: ExpressionContext, span: IrSpan | undefined, test: (fact: Fact) => void): void {
  if (place === 'xdp') throw new Unsayable('an eBPF program at xdp', 'meta.mark', span);
  if (isConnectPlace(place)) loadSocketMark(asm);
  else asm.load('r1', 'u32', 'r6', SKB_MARK);
  asm.store('u64', 'r10', STACK.work, 'r1');
  test({ slot: STACK.work, size: 'u64' });
}

function factOf(context: ExpressionContext, operand: Operand, span: IrSpan | undefined): Fact {
  const { facts, place } = context;
  const name = operand.kind === 'field' ? operand.name : '';
  if (isConnectPlace(place) ? !isVisibleAtConnect(name) : CALLER_FACTS.has(name)) throw unsayable(context, operand, span);
  const { asm } = context;
  const fact =
    operand.kind === 'slice'
      ? facts.slice(asm, place, operand)
      : operand.kind === 'field'
        ? facts.field(asm, place, operand.name)
        : undefined;
  if (fact) return fact;
  throw unsayable(context, operand, span);
}

function addressOf(
  context: ExpressionContext,
  operand: Operand,
  span: IrSpan | undefined,
): { readonly family: Fact; readonly at4: number; readonly at6: number } {
  const places = operand.kind === 'field' ? ADDRESSES[operand.name] : undefined;
  if (!places) throw unsayable(context, operand, span);
  return { family: factOf(context, operand, span), at4: places[0], at6: places[1] };
}

/** Whether the address is in a member of its family. */
function emitList(
  context: ExpressionContext,
  { operand, list }: Extract<Test, { kind: 'list' }>,
  branch: Branch,
  span: IrSpan | undefined,
): void {
  const { of, bits4, bits6 } = cutOf(operand);
  const { family, at4, at6 } = addressOf(context, of, span);
  const needs = { 4: listNeed(list, 4), 6: listNeed(list, 6) };
  emitLookups(context, family, { needs, at4: STACK.network + at4, at6: STACK.network + at6, bits4, bits6 }, branch);
}

/** The maps of a list, where the address is, and how many of its bits are looked up. */
interface Lookups {
  readonly needs: { readonly 4: MapNeed | undefined; readonly 6: MapNeed | undefined };
  readonly at4: number;
  readonly at6: number;
  readonly bits4?: number;
  readonly bits6?: number;
}

function emitLookups(
  { asm, need }: ExpressionContext,
  { slot }: Fact,
  { needs, at4, at6, bits4 = 32, bits6 = 128 }: Lookups,
  branch: Branch,
): void {
  const ip6 = asm.label('not IPv4');
  asm.load('r1', 'u32', 'r10', slot).alu('w1', '^=', 4).jump('w1', '!=', 0, ip6);
  if (needs[4]) emitSetLookup(asm, 4, need(needs[4]), emitCut(asm, at4, bits4, 32), branch);
  else asm.goto(branch.no);
  asm.place(ip6);
  if (!needs[6]) {
    asm.goto(branch.no);
    return;
  }
  asm.load('r1', 'u32', 'r10', slot).alu('w1', '^=', 6).jump('w1', '!=', 0, branch.no);
  emitSetLookup(asm, 6, need(needs[6]), emitCut(asm, at6, bits6, 128), branch);
}

/** What `cidr` is asked of, and the bits that are left. */
function cutOf(operand: Operand): { readonly of: Operand; readonly bits4: number; readonly bits6: number } {
  if (operand.kind !== 'call' || operand.name !== 'cidr') return { of: operand, bits4: 32, bits6: 128 };
  const [first, four, six] = operand.args;
  if (!first || !isOperand(first) || four?.kind !== 'int' || six?.kind !== 'int') return { of: operand, bits4: 32, bits6: 128 };
  const { of, bits4, bits6 } = cutOf(first);
  return { of, bits4: Math.min(bits4, Number(four.value)), bits6: Math.min(bits6, Number(six.value)) };
}

/** Where the first bits of an address are, the rest zero: the address itself when that is all of it. */
function emitCut(asm: RuleAssembler, address: number, bits: number, all: 32 | 128): number {
  if (bits >= all) return address;
  for (let at = 0; at < all / 8; at += 4) {
    const left = Math.max(0, Math.min(32, bits - 8 * at));
    asm.load('r1', 'u32', 'r10', address + at);
    // In the order of the packet: the first octet is the lowest.
    if (left < 32)
      asm
        .byteOrder('r1', 'be', 32)
        .alu('w1', '&=', left === 0 ? 0 : (-1 << (32 - left)) >>> 0)
        .byteOrder('r1', 'be', 32);
    asm.store('u32', 'r10', STACK.buffer + at, 'r1');
  }
  return STACK.buffer;
}

function unsayable({ place }: ExpressionContext, operand: Operand, span: IrSpan | undefined): Unsayable {
  const name =
    operand.kind === 'field' ? operand.name : operand.kind === 'call' ? operand.name : operand.kind === 'slice' ? 'bit_slice' : 'an index';
  return new Unsayable(`an eBPF program at ${place}`, name, span);
}
