import type { Label } from '@weir/ebpf/asm';
import { evaluate, type Subject } from '@weir/filter/eval';
import type { Expr, IrSpan, Operand, Test } from '@weir/filter/ir';
import { clampSet, MAX_INT, operandLeaves, testOperand } from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import type { MapNeed } from '../../model/ebpf-program.ts';
import { Unsayable } from '../refusal.ts';
import { TCP_FLAGS } from '../tcp-flags.ts';
import { type Branch, emitBits, emitInt, emitIp, emitWide } from './compare.ts';
import { CALLER_FACTS, isConnectPlace, isVisibleAtConnect, loadSocketMark } from './connect/index.ts';
import { type Fact, type Facts, isFact } from './facts.ts';
import { type Place, type RuleAssembler, STACK } from './layout.ts';

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
}

/** Where an address stands in the IP header, by family. */
const ADDRESSES: Readonly<Record<string, readonly [number, number]>> = { 'ip.src': [12, 8], 'ip.dst': [16, 24] };

/** struct __sk_buff, mark. */
const SKB_MARK = 8;

/** BPF_F_NO_PREALLOC. */
const NO_PREALLOC = 1;

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
  asm.store('u64', 'r10', slot, 0);
  for (const item of items) {
    const turn = asm.label('turn');
    const next = asm.label('next part');
    emitExpression({ ...context, depth: depth + 1 }, item, { yes: turn, no: next });
    asm.place(turn).load('r1', 'u64', 'r10', slot).alu('r1', '^=', 1).store('u64', 'r10', slot, 'r1');
    asm.place(next);
  }
  asm.load('r1', 'u64', 'r10', slot).jump('r1', '!=', 0, branch.yes).goto(branch.no);
}

function emitTest(context: ExpressionContext, test: Test, branch: Branch, span: IrSpan | undefined): void {
  const { asm, known } = context;
  if (known && operandLeaves(testOperand(test)).every((leaf) => leaf.kind === 'field' && known.fields.has(leaf.name))) {
    asm.goto(evaluate({ kind: 'literal', test, negated: false }, known.subject) ? branch.yes : branch.no);
    return;
  }
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
      if (name === 'ip.frag') {
        emitBits(asm, factOf(context, test.operand, span), 1, branch);
        return;
      }
      const bit = name === undefined ? undefined : TCP_FLAGS[name];
      if (bit === undefined) throw unsayable(context, test.operand, span);
      emitBits(asm, factOf(context, { kind: 'field', name: 'tcp.flags' }, span), bit, branch);
      return;
    }
    case 'ip': {
      const { family, at4, at6 } = addressOf(context, test.operand, span);
      emitIp(asm, family, at4, at6, test.set, branch);
      return;
    }
    case 'list':
      emitList(context, test, branch, span);
      return;
    case 'bytes': {
      if (test.operand.kind !== 'field' || test.operand.name !== 'ip.proto') throw unsayable(context, test.operand, span);
      const numbers = test.values.map((value) => IP_PROTOCOLS[new TextDecoder().decode(value)]).filter((number) => number !== undefined);
      const set = numbers.sort((a, b) => a - b).map((number) => ({ first: number, last: number }));
      emitInt(asm, factOf(context, { kind: 'field', name: 'ip.proto.num' }, span), set, branch);
      return;
    }
    default:
      throw new Unsayable(`an eBPF program at ${context.place}`, test.kind, span);
  }
}

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
  const fact = operand.kind === 'slice' ? facts.slice(operand) : operand.kind === 'field' ? facts.field(operand.name) : undefined;
  if (fact) return fact;
  const known = operand.kind === 'slice' || (operand.kind === 'field' && isFact(operand.name));
  throw known ? new Unsayable('the stack of one eBPF program', 'so many different fields', span) : unsayable(context, operand, span);
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

/** The members of a named set of one family as prefixes, with a value of one octet. */
function listNeed(list: string, family: 4 | 6): MapNeed {
  const shape = { type: 'lpm_trie', keySize: family === 4 ? 8 : 20, valueSize: 1, maxEntries: 1 << 20, flags: NO_PREALLOC } as const;
  return { kind: 'list', symbol: `${list} ${family}`, list, family, shape };
}

/** Whether the longest match in the set's map of the address' family is there. */
function emitList(
  context: ExpressionContext,
  { operand, list }: Extract<Test, { kind: 'list' }>,
  branch: Branch,
  span: IrSpan | undefined,
): void {
  const { asm, need } = context;
  const { family, at4, at6 } = addressOf(context, operand, span);
  const ip6 = asm.label('not IPv4');
  asm.load('r1', 'u32', 'r10', family.slot).alu('w1', '^=', 4).jump('w1', '!=', 0, ip6);
  asm.load('r1', 'u32', 'r10', STACK.network + at4);
  emitKey(asm, 32);
  lookUp(asm, need(listNeed(list, 4)), branch);
  asm.place(ip6).load('r1', 'u32', 'r10', family.slot).alu('w1', '^=', 6).jump('w1', '!=', 0, branch.no);
  asm.load('r1', 'u32', 'r10', STACK.network + at6);
  emitKey(asm, 128);
  asm.load('r1', 'u32', 'r10', STACK.network + at6 + 8).alu('r1', '<<=', 32);
  asm
    .load('r2', 'u32', 'r10', STACK.network + at6 + 4)
    .alu('r1', '|=', 'r2')
    .store('u64', 'r10', STACK.scratch + 8, 'r1');
  asm.load('r1', 'u32', 'r10', STACK.network + at6 + 12).store('u64', 'r10', STACK.scratch + 16, 'r1');
  lookUp(asm, need(listNeed(list, 6)), branch);
}

/** The first eight octets of a struct bpf_lpm_trie_key { length in bits u32 · address }, of which r1 has the first word: all eight at once, so that the verifier forgets what was there. */
function emitKey(asm: RuleAssembler, bits: number): void {
  asm.alu('r1', '<<=', 32).alu('r1', '|=', bits).store('u64', 'r10', STACK.scratch, 'r1');
}

function lookUp(asm: RuleAssembler, map: string, { yes, no }: Branch): void {
  asm.mov('r2', 'r10').alu('r2', '+=', STACK.scratch);
  asm.map('r1', map).call('map_lookup_elem').jump('r0', '!=', 0, yes).goto(no);
}

function unsayable({ place }: ExpressionContext, operand: Operand, span: IrSpan | undefined): Unsayable {
  const name =
    operand.kind === 'field' ? operand.name : operand.kind === 'call' ? operand.name : operand.kind === 'slice' ? 'bit_slice' : 'an index';
  return new Unsayable(`an eBPF program at ${place}`, name, span);
}
