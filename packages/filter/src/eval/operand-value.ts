import { type Ip, makePrefix } from '@weir/wire/inet';
import type { Constant, Operand } from '../ir/expr.ts';
import { endsWith, lowerOctets, startsWith, upperOctets } from '../ir/octet-search.ts';
import { octetsKey } from '../ir/octets.ts';
import { hasEach, isOperand } from '../ir/operand.ts';
import type { Subject, Value } from './value.ts';

export function isIp(value: Value): value is Ip {
  return typeof value === 'object' && 'family' in value;
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

export function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** The value of an operand without `each`; with it, an array of its values. Undefined when it is missing. */
export function operandValue(operand: Operand, subject: Subject): Value | undefined {
  switch (operand.kind) {
    case 'field':
      return subject.field(operand.name);
    case 'slice':
      return subject.slice(operand.protocol, operand.start, operand.end);
    case 'call':
      return callValue(operand.name, operand.args, subject);
    case 'index':
      return hasEach(operand) ? operandValues(operand, subject) : step(operandValue(operand.of, subject), operand.key);
  }
}

/**
 * The values that an operand with `each` stands for, in order. Elements that lack what comes after `each` are left out. Undefined when that which `each` goes
 * through is missing.
 */
export function operandValues(operand: Operand, subject: Subject): readonly Value[] | undefined {
  if (operand.kind !== 'index') return undefined;
  const { key, of } = operand;
  if (key === 'each') {
    if (hasEach(of)) return operandValues(of, subject)?.flatMap((value) => elements(value) ?? []);
    const value = operandValue(of, subject);
    return value === undefined ? undefined : elements(value);
  }
  return operandValues(of, subject)
    ?.map((value) => step(value, key))
    .filter((value) => value !== undefined);
}

/** Members of an array, or of a map in its order. */
function elements(value: Value): readonly Value[] | undefined {
  if (isArray(value)) return value;
  return isMap(value) ? [...value.values()] : undefined;
}

function step(value: Value | undefined, key: number | Uint8Array | 'each'): Value | undefined {
  if (value === undefined || key === 'each') return undefined;
  if (typeof key === 'number') return isArray(value) ? value[key] : undefined;
  return isMap(value) ? value.get(octetsKey(key)) : undefined;
}

/** A function of a missing value is missing. An argument with `each` is a call for each of its values. */
function callValue(name: string, args: readonly (Operand | Constant)[], subject: Subject): Value | undefined {
  const [first, ...rest] = args;
  if (!first || !isOperand(first)) return undefined;
  const more = rest.map((arg) => (isOperand(arg) ? operandValue(arg, subject) : arg.value));
  if (!hasEach(first)) return applyFunction(name, operandValue(first, subject), more);
  return operandValues(first, subject)
    ?.map((value) => applyFunction(name, value, more))
    .filter((value) => value !== undefined);
}

type Result = Value | undefined;

function applyFunction(name: string, value: Result, args: readonly (Result | string)[]): Result {
  if (value === undefined) return undefined;
  if (name === 'cidr') return typeof value === 'object' && isIp(value) ? cut(value, args) : undefined;
  if (!(value instanceof Uint8Array)) return undefined;
  const [other] = args;
  switch (name) {
    case 'len':
      return value.length;
    case 'lower':
      return lowerOctets(value);
    case 'upper':
      return upperOctets(value);
    case 'starts_with':
      return other instanceof Uint8Array ? startsWith(value, other) : undefined;
    case 'ends_with':
      return other instanceof Uint8Array ? endsWith(value, other) : undefined;
    default:
      return undefined;
  }
}

/** `cidr`: the first bits of the address, the rest zero. */
function cut(ip: Ip, [bits4, bits6]: readonly (Result | string)[]): Ip | undefined {
  const bits = ip.family === 4 ? bits4 : bits6;
  if (typeof bits !== 'number' || !Number.isInteger(bits) || bits < 0 || bits > (ip.family === 4 ? 32 : 128)) return undefined;
  const { family, w0, w1, w2, w3 } = makePrefix(ip, bits);
  return { family, w0, w1, w2, w3 };
}
