import { evaluate } from '@weir/filter/eval';
import type { Operand, Test } from '@weir/filter/ir';
import { isOperand, operandLeaves, testOperand } from '@weir/filter/ir';
import type { OctetsTest } from './octets-automaton.ts';

/** A field of octets, with what `lower` and `upper` make of each octet; undefined where that is nothing. */
export interface OctetsOperand {
  readonly field: string;
  readonly map: Uint8Array | undefined;
}

/** What an operand that is octets comes from; undefined for others. */
function octetsOperand(operand: Operand): OctetsOperand | undefined {
  if (operand.kind === 'field') return { field: operand.name, map: undefined };
  if (operand.kind !== 'call' || (operand.name !== 'lower' && operand.name !== 'upper')) return undefined;
  const [first] = operand.args;
  const of = first && isOperand(first) ? octetsOperand(first) : undefined;
  if (!of) return undefined;
  const change = operand.name === 'lower' ? lower : upper;
  return { field: of.field, map: (of.map ?? IDENTITY).map(change) };
}

const IDENTITY = Uint8Array.from({ length: 256 }, (_, octet) => octet);

function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet;
}

function upper(octet: number): number {
  return octet >= 0x61 && octet <= 0x7a ? octet - 32 : octet;
}

/** What is asked of the octets: tests of Bytes, and `starts_with` and `ends_with` with a constant. */
export interface AskedOctets {
  readonly operand: OctetsOperand;
  readonly test: OctetsTest;
}

/** A test as a question about octets; undefined where it is none. */
export function askedOctets(test: Test): AskedOctets | undefined {
  switch (test.kind) {
    case 'bytes':
    case 'bytes-range':
    case 'contains':
    case 'matches':
    case 'wildcard': {
      const operand = octetsOperand(test.operand);
      return operand && { operand, test };
    }
    case 'flag': {
      const { operand: call } = test;
      if (call.kind !== 'call' || (call.name !== 'starts_with' && call.name !== 'ends_with')) return undefined;
      const [first, second] = call.args;
      const operand = first && isOperand(first) ? octetsOperand(first) : undefined;
      return operand && second?.kind === 'bytes' ? { operand, test: { kind: call.name, value: second.value } } : undefined;
    }
    default:
      return undefined;
  }
}

/** The field whose `len` a test asks for. */
export function lengthOf(operand: Operand): string | undefined {
  if (operand.kind !== 'call' || operand.name !== 'len') return undefined;
  const [first] = operand.args;
  return first && isOperand(first) ? octetsOperand(first)?.field : undefined;
}

/** Of a field that has few values: those for which the test holds. */
export function passing(test: Test, values: readonly string[]): readonly string[] {
  const encoder = new TextEncoder();
  return values.filter((value) => {
    const octets = encoder.encode(value);
    return evaluate({ kind: 'literal', test, negated: false }, { field: () => octets, slice: () => undefined });
  });
}

/** The one field that a test reads, in whatever calls; undefined where it reads several, or a slice. */
export function onlyField(test: Test): string | undefined {
  const [first, ...others] = operandLeaves(testOperand(test));
  return first?.kind === 'field' && others.length === 0 ? first.name : undefined;
}
