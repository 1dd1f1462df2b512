import type { IrSpan, Test } from '@weir/filter/ir';
import type { MapNeed } from '../../../model/ebpf-program.ts';
import { Unsayable } from '../../refusal.ts';
import type { Branch } from '../compare.ts';
import { CONTEXT, type Place } from '../layout.ts';
import { INTERFACES_NEED, type NameField } from './interface-name.ts';
import type { OctetsTest } from './octets-automaton.ts';
import { askedOctets, lengthOf } from './octets-operand.ts';
import { emitCall, type PayloadContext } from './payload-test.ts';
import { placeAutomaton } from './place-automaton.ts';

interface NameContext extends PayloadContext {
  readonly need: (need: MapNeed) => string;
}

/** Names that are compared one after the other; more go through an automaton. */
const FEW = 8;
const MOST_OCTETS = 15;
const WORD = 8;

/**
 * Code for a test of the name of an interface.
 * @throws Unsayable for what programs cannot ask of one, and where they do not see it
 */
export function emitNameTest(context: NameContext, field: NameField, test: Test, branch: Branch, span: IrSpan | undefined): void {
  const { asm, place, facts, need } = context;
  if (!seesName(place, field)) throw new Unsayable(`an eBPF program at ${place}`, field, span);
  const asked = askedName(test);
  if (!asked) throw new Unsayable(`an eBPF program at ${place}`, `this of ${field}`, span);
  need(INTERFACES_NEED);
  const slot = facts.name(asm, place, field);
  const whole = asked.map === undefined ? wholeNames(asked.test) : undefined;
  if (whole) {
    for (const name of whole) emitEqual(context, slot, name, branch);
    asm.goto(branch.no);
    return;
  }
  const prefix = asked.map === undefined ? prefixOf(asked.test) : undefined;
  asm.load('r1', 'u64', 'r10', slot).jump('r1', '==', 0, branch.no);
  if (prefix) {
    emitPrefix(context, slot, prefix, branch);
    return;
  }
  const { offset, start } = placeAutomaton(context, { ...asked, terminated: true }, span);
  if (start !== 'open') {
    asm.goto(start === 'accepts' ? branch.yes : branch.no);
    return;
  }
  asm.mov('r1', CONTEXT).mov('r2', 'r10').alu('r2', '+=', slot).mov('r5', offset);
  emitCall(context, 'walk_name', branch, span);
}

/** Inside nf_tables the packet does not say where it will go out, and at the others a program runs before that is known: but at tc it may be attached where packets go out. */
function seesName(place: Place, field: NameField): boolean {
  return field === 'iif.name' ? place === 'xdp' || place === 'tc' || place === 'network' : place === 'tc';
}

function askedName(test: Test): { readonly test: OctetsTest; readonly map: Uint8Array | undefined } | undefined {
  const asked = askedOctets(test);
  if (asked) return { test: asked.test, map: asked.operand.map };
  if (test.kind === 'quantified' || lengthOf(test.operand) === undefined) return undefined;
  if (test.kind === 'int') {
    const { set } = test;
    const key = set.map(({ first, last }) => `${first}..${last}`).join(' ');
    return {
      test: { kind: 'length', key, accepts: (length) => set.some(({ first, last }) => first <= length && length <= last) },
      map: undefined,
    };
  }
  if (test.kind !== 'bits') return undefined;
  const mask = BigInt(test.mask);
  return { test: { kind: 'length', key: `& ${mask}`, accepts: (length) => (BigInt(length) & mask) !== 0n }, map: undefined };
}

/** A few names that are asked for as a whole; names that no interface has are left out. */
function wholeNames(test: OctetsTest): readonly Uint8Array[] | undefined {
  if (test.kind !== 'bytes' || test.values.length > FEW) return undefined;
  return test.values.filter((value) => value.length > 0 && value.length <= MOST_OCTETS && !value.includes(0));
}

/** What names are asked to begin with, where that is all and it is not much. */
function prefixOf(test: OctetsTest): Uint8Array | undefined {
  const value = test.kind === 'starts_with' ? test.value : test.kind === 'wildcard' && test.strict ? plainPrefix(test.pattern) : undefined;
  return value && value.length > 0 && value.length <= WORD && !value.includes(0) ? value : undefined;
}

const STAR = 0x2a;
const BACKSLASH = 0x5c;

function plainPrefix(pattern: Uint8Array): Uint8Array | undefined {
  const head = pattern.subarray(0, -1);
  if (pattern.at(-1) !== STAR || head.includes(STAR) || head.includes(BACKSLASH)) return undefined;
  return head;
}

function wordAt(name: Uint8Array, at: number): bigint {
  let word = 0n;
  for (let i = WORD - 1; i >= 0; i--) word = (word << 8n) | BigInt(name[at + i] ?? 0);
  return word;
}

function emitEqual({ asm }: PayloadContext, slot: number, name: Uint8Array, { yes }: Branch): void {
  const other = asm.label('another name');
  asm.load('r1', 'u64', 'r10', slot).set('r2', wordAt(name, 0)).alu('r1', '^=', 'r2').jump('r1', '!=', 0, other);
  asm.load('r1', 'u64', 'r10', slot + WORD);
  if (name.length > WORD) asm.set('r2', wordAt(name, WORD)).alu('r1', '^=', 'r2');
  else asm.alu('r1', '^=', 0);
  asm.jump('r1', '==', 0, yes).place(other);
}

function emitPrefix({ asm }: PayloadContext, slot: number, prefix: Uint8Array, { yes, no }: Branch): void {
  asm.load('r1', 'u64', 'r10', slot).set('r2', wordAt(prefix, 0)).alu('r1', '^=', 'r2');
  if (prefix.length < WORD) asm.alu('r1', '<<=', 8 * (WORD - prefix.length));
  asm.jump('r1', '==', 0, yes).goto(no);
}
