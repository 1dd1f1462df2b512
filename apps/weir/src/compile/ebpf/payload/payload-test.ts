import type { Label } from '@weir/ebpf/asm';
import type { IrSpan, Test } from '@weir/filter/ir';
import { clampSet } from '@weir/filter/ir';
import { Unsayable } from '../../refusal.ts';
import { type Branch, emitBits, emitInt } from '../compare.ts';
import type { Facts } from '../facts.ts';
import { CONTEXT, type Place, type RuleAssembler, STACK } from '../layout.ts';
import { atMost } from '../read-packet.ts';
import { MAX_COST } from './functions.ts';
import type { OctetsTest } from './octets-automaton.ts';
import { askedOctets, lengthOf, passing } from './octets-operand.ts';
import { placeAutomaton } from './place-automaton.ts';
import { SIP_METHODS, SIP_SCAN_LIMIT, sipPattern } from './sip.ts';

export interface PayloadContext {
  readonly asm: RuleAssembler;
  readonly place: Place;
  readonly facts: Facts;
}

/** The fields of octets, all of which end where the packet ends: a fact says how long each is. */
const RANGES: ReadonlySet<string> = new Set(['ip', 'ip6', 'tcp', 'udp', 'icmp', 'tcp.payload', 'udp.payload']);
const MAX_LENGTH = 0x7fff_ffff;

/**
 * Code for a test about octets of the packet, which goes to one of the branch's labels; false, and nothing is written, where the test is about something else.
 * @throws Unsayable for what takes too much
 */
export function emitPayloadTest(context: PayloadContext, test: Test, branch: Branch, span: IrSpan | undefined): boolean {
  if (test.kind === 'quantified') return false;
  const { asm, place, facts } = context;
  if (test.kind === 'flag' && test.operand.kind === 'field') return emitCheck(context, test.operand.name, branch, span);
  const measured = lengthOf(test.operand);
  if (measured !== undefined && RANGES.has(measured) && (test.kind === 'int' || test.kind === 'bits')) {
    const fact = facts.field(asm, place, `len(${measured})`);
    if (!fact) return false;
    if (test.kind === 'int') emitInt(asm, fact, clampSet(test.set, 0, MAX_LENGTH), branch);
    else emitBits(asm, fact, Number(BigInt.asUintN(31, BigInt(test.mask))), branch);
    return true;
  }
  const asked = askedOctets(test);
  if (!asked || !RANGES.has(asked.operand.field)) return false;
  const { field, map } = asked.operand;
  emitSearch(context, { field, ...searchOf(asked.test), map }, branch, span);
  return true;
}

/** `sip.method`, which is one of few. */
export function emitSipMethod(context: PayloadContext, test: Test, branch: Branch, span: IrSpan | undefined): void {
  const methods = passing(test, SIP_METHODS);
  if (methods.length === 0) context.asm.goto(branch.no);
  else emitSip(context, sipPattern(methods, false), branch, span);
}

function emitSip(context: PayloadContext, pattern: Uint8Array, branch: Branch, span: IrSpan | undefined): void {
  const field = 'udp.payload';
  const test = { kind: 'matches', operand: { kind: 'field', name: field }, pattern } as const;
  emitSearch(context, { field, test, window: { from: 'start', octets: SIP_SCAN_LIMIT } }, branch, span);
}

/** What is built in to be checked: `sip`, `dns.query.valid`, `ntp.valid`. */
function emitCheck(context: PayloadContext, name: string, branch: Branch, span: IrSpan | undefined): boolean {
  const { asm, place, facts } = context;
  switch (name) {
    case 'sip':
      emitSip(context, sipPattern(SIP_METHODS, true), branch, span);
      return true;
    case 'dns.query.valid':
      checkLoops(context, name, span);
      emitRange(context, { field: 'udp.payload', least: 1 }, branch.no);
      emitCall(context, 'dns', branch, span);
      return true;
    case 'ntp.valid': {
      const fact = facts.field(asm, place, name);
      if (fact) emitBits(asm, fact, 1, branch);
      return fact !== undefined;
    }
    default:
      return false;
  }
}

/** @throws Unsayable where the kernel has no loops without a bound that the verifier can count */
function checkLoops({ facts, place }: PayloadContext, construct: string, span: IrSpan | undefined): void {
  if (!facts.mayGoto) throw new Unsayable(`an eBPF program at ${place} on a kernel older than 6.9`, construct, span);
}

interface Range {
  readonly field: string;
  /** Octets that it has at least, else it does not pass, and at most. */
  readonly least: number;
  readonly most?: number | undefined;
  /** What of it is looked at; all of it where nothing is said. */
  readonly window?: { readonly from: 'start' | 'end'; readonly octets: number } | undefined;
}

interface Search extends Omit<Range, 'least'> {
  readonly test: OctetsTest;
  /** Octets are made other octets first. */
  readonly map?: Uint8Array | undefined;
}

/** Of the beginning or the end of a value only as many octets are looked at as are asked for. */
function searchOf(test: OctetsTest): Pick<Search, 'test' | 'most' | 'window'> {
  switch (test.kind) {
    case 'starts_with':
      return { test, window: { from: 'start', octets: test.value.length } };
    case 'ends_with':
      return { test: { kind: 'starts_with', value: test.value }, window: { from: 'end', octets: test.value.length } };
    case 'bytes':
      return { test, most: Math.max(...test.values.map(({ length }) => length)) };
    default:
      return { test };
  }
}

function emitSearch(context: PayloadContext, search: Search, branch: Branch, span: IrSpan | undefined): void {
  const { asm } = context;
  checkLoops(context, search.field, span);
  const { offset, start, least } = placeAutomaton(context, search, span);
  if (start === 'rejects') {
    asm.goto(branch.no);
    return;
  }
  emitRange(context, { ...search, least }, branch.no);
  if (start === 'accepts') {
    asm.goto(branch.yes);
    return;
  }
  asm.mov('r5', offset);
  emitCall(context, 'walk', branch, span);
}

/** Leaves the arguments of a function in r1 to r4: context, frame, offset of the octets in the packet, how many. */
function emitRange({ asm, place, facts }: PayloadContext, { field, least, most, window }: Range, no: Label): void {
  const fact = facts.field(asm, place, `len(${field})`);
  if (!fact) throw new Unsayable(`an eBPF program at ${place}`, field);
  // What is compared is not what is on the stack. A length that is missing is negative.
  asm.load('r4', 'u32', 'r10', fact.slot).alu('w4', '^=', 0).jump('w4', 's<', least, no);
  if (most !== undefined) asm.jump('w4', 's>', most, no);
  asm.load('r3', 'u64', 'r10', STACK.length).load('r1', 'u64', 'r10', STACK.networkAt).alu('r3', '+=', 'r1');
  if (window?.from === 'end') asm.mov('r4', window.octets);
  asm.alu('r3', '-=', 'r4');
  if (window?.from === 'start' && window.octets <= least) asm.mov('r4', window.octets);
  else if (window?.from === 'start') atMost(asm, 'r4', window.octets, 'r1');
  asm.mov('r1', CONTEXT).mov('r2', 'r10');
}

/** @throws Unsayable where there are too many calls */
export function emitCall(
  { asm, place, facts }: PayloadContext,
  name: 'walk' | 'walk_name' | 'dns',
  { yes, no }: Branch,
  span: IrSpan | undefined,
): void {
  const label = facts.functions(asm).call(name);
  if (label === undefined)
    throw new Unsayable(
      `an eBPF program at ${place}`,
      `so many tests of octets: the verifier would walk more than ${MAX_COST} instructions for them`,
      span,
    );
  asm.callLocal(label).jump('r0', '!=', 0, yes).goto(no);
}
