import { BOOL, BYTES, type Field, INT, type Int, IP_PROTOCOLS, type Scheme, type Type } from '../scheme/index.ts';
import type { Constant, Operand, Test } from './expr.ts';
import { MAX_INT, MIN_INT } from './int.ts';
import { octetsKey } from './octets.ts';

/** What a scheme says of the values of an operand. */
export interface OperandInfo {
  /** Undefined for a field that the scheme does not know. */
  readonly type: Type | undefined;
  /** Whether it can be missing. */
  readonly optional: boolean;
  /** Of an Int: the least and the greatest value. */
  readonly min: Int;
  readonly max: Int;
}

/** The greatest `len`. */
const MAX_LENGTH = 0x7fffffff;

/** Protocols of `bit_slice` by number; `ip` and `ip6` are families. */
const SLICE_NUMBERS: Readonly<Record<string, number>> = { ...IP_PROTOCOLS };

export function field(name: string): Operand {
  return { kind: 'field', name };
}

export function operandInfo(operand: Operand, scheme: Scheme): OperandInfo {
  switch (operand.kind) {
    case 'field': {
      const found = scheme.fields.get(operand.name);
      return {
        type: found?.type,
        optional: found?.optional ?? true,
        min: found?.range?.min ?? MIN_INT,
        max: found?.range?.max ?? MAX_INT,
      };
    }
    case 'slice':
      return { type: INT, optional: true, min: 0, max: 2 ** (operand.end - operand.start) - 1 };
    case 'call':
      return callInfo(operand.name, operand.args, scheme);
    case 'index': {
      const of = operandInfo(operand.of, scheme).type;
      const type = of?.kind === 'Array' || of?.kind === 'Map' ? of.of : undefined;
      // What `each` goes through are values that are there.
      return { type, optional: operand.key !== 'each', min: MIN_INT, max: MAX_INT };
    }
  }
}

function callInfo(name: string, args: readonly (Operand | Constant)[], scheme: Scheme): OperandInfo {
  let optional = false;
  let many = false;
  for (const arg of args) {
    if (!isOperand(arg)) continue;
    optional ||= operandInfo(arg, scheme).optional;
    many ||= hasEach(arg);
  }
  const returns = scheme.functions.get(name)?.returns ?? (name === 'len' ? INT : name.endsWith('_with') ? BOOL : BYTES);
  const bounds = name === 'len' ? { min: 0, max: MAX_LENGTH } : { min: MIN_INT, max: MAX_INT };
  return { type: many ? { kind: 'Array', of: returns } : returns, optional, ...bounds };
}

export function isOperand(value: Operand | Constant): value is Operand {
  return value.kind === 'field' || value.kind === 'slice' || value.kind === 'call' || value.kind === 'index';
}

/** Whether the operand stands for many values: it has `[*]`. A call on such an operand is an array, one value. */
export function hasEach(operand: Operand): boolean {
  return operand.kind === 'index' && (operand.key === 'each' || hasEach(operand.of));
}

/** The field at the root of an operand; undefined for a slice. */
export function rootField(operand: Operand): string | undefined {
  switch (operand.kind) {
    case 'field':
      return operand.name;
    case 'slice':
      return undefined;
    case 'index':
      return rootField(operand.of);
    case 'call': {
      for (const arg of operand.args) {
        const root = isOperand(arg) ? rootField(arg) : undefined;
        if (root !== undefined) return root;
      }
      return undefined;
    }
  }
}

/** Every field and slice that an operand reads. */
export function operandLeaves(operand: Operand): readonly Extract<Operand, { kind: 'field' | 'slice' }>[] {
  switch (operand.kind) {
    case 'field':
    case 'slice':
      return [operand];
    case 'index':
      return operandLeaves(operand.of);
    case 'call':
      return operand.args.flatMap((arg) => (isOperand(arg) ? operandLeaves(arg) : []));
  }
}

/** What is true of a packet in which the operand has a value. */
export interface Presence {
  readonly protocol: number | undefined;
  readonly family: 4 | 6 | undefined;
}

const NOTHING: Presence = { protocol: undefined, family: undefined };

export function presence(operand: Operand, scheme: Scheme): Presence {
  let result = NOTHING;
  for (const leaf of operandLeaves(operand)) {
    const one = leaf.kind === 'field' ? fieldPresence(scheme.fields.get(leaf.name)) : slicePresence(leaf.protocol);
    result = { protocol: result.protocol ?? one.protocol, family: result.family ?? one.family };
  }
  return result;
}

function fieldPresence(found: Field | undefined): Presence {
  return found ? { protocol: found.protocol, family: found.family } : NOTHING;
}

function slicePresence(protocol: string): Presence {
  if (protocol === 'ip') return { protocol: undefined, family: 4 };
  if (protocol === 'ip6') return { protocol: undefined, family: 6 };
  const family = protocol === 'icmp' ? 4 : protocol === 'icmpv6' ? 6 : undefined;
  return { protocol: SLICE_NUMBERS[protocol], family };
}

/** The same text for the same operand, and for no other; as the language writes it, but for words in calls and keys that are not ASCII. */
export function operandKey(operand: Operand): string {
  switch (operand.kind) {
    case 'field':
      return operand.name;
    case 'slice':
      return `bit_slice(${operand.protocol}, ${operand.start}, ${operand.end})`;
    case 'call':
      return `${operand.name}(${operand.args.map((arg) => (isOperand(arg) ? operandKey(arg) : constantKey(arg))).join(', ')})`;
    case 'index': {
      const key = operand.key;
      return `${operandKey(operand.of)}[${typeof key === 'string' ? '*' : typeof key === 'number' ? key : JSON.stringify(octetsKey(key))}]`;
    }
  }
}

function constantKey(constant: Constant): string {
  switch (constant.kind) {
    case 'int':
      return `#${constant.value}`;
    case 'bytes':
      return JSON.stringify(octetsKey(constant.value));
    case 'word':
      return `'${constant.value}`;
  }
}

/** The operand that a test looks at; for a quantified test that of the test inside. */
export function testOperand(test: Test): Operand {
  return test.kind === 'quantified' ? testOperand(test.test) : test.operand;
}
