import { type Condition, NEVER, STATES } from '../condition.ts';
import { flagCondition, markConditions } from '../iptables/matches.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { intText } from '../policy-rule.ts';
import { PROTOCOL_NUMBERS } from '../protocol-numbers.ts';
import { complement, type Ranges, range, union } from '../ranges.ts';
import { get, getString, type Json, listOf } from './json.ts';
import { TCP_FLAGS } from './names.ts';
import { type Operand, readOperand } from './operand.ts';
import type { SetTable } from './set-table.ts';
import { bare, members, readAddresses, readNames, readNumber, readRanges, readStates } from './values.ts';

/** Where a rule stands: what its sets are looked up by. */
export interface Scope {
  readonly family: string;
  readonly table: string;
  readonly sets: SetTable;
}

/** Conditions of which all must hold; a match may have several such, of which one must hold. */
export type Alternative = readonly Condition[];

/** Alternatives that one match may become; more are refused. */
export const MAX_ALTERNATIVES = 1_000;

/** `{ op, left, right }`. */
export function readMatch(match: Json, scope: Scope): readonly Alternative[] {
  const op = getString(match, 'op') ?? '==';
  const left = get(match, 'left');
  const right = get(match, 'right');
  const concat = get(left, 'concat');
  if (concat !== undefined) {
    if (op !== '==' && op !== 'in') throw new UntranslatableError('values side by side can only be looked up, not excluded');
    return lookUpTuples(listOf(concat), right, scope);
  }
  const masked = get(left, '&');
  if (masked !== undefined) return [readMasked(op, masked, right)];
  const negated = op === '!=';
  const operand = readOperand(left);
  if (operand.kind === 'address' && typeof right === 'string' && right.startsWith('@')) {
    const set = scope.sets.addressSet(scope.family, scope.table, right);
    return [[...operand.implied, { kind: 'member', side: operand.side, set, negated }]];
  }
  const values = typeof right === 'string' && right.startsWith('@') ? known(scope, right) : members(right);
  if (op === '<' || op === '>' || op === '<=' || op === '>=') return [compareOrder(operand, op, right)];
  if (op !== '==' && op !== '!=' && op !== 'in') throw new UntranslatableError(`the operator ${op} is not known`);
  return [test(operand, values, op)];
}

/** The elements of a set that no packet changes. */
function known(scope: Scope, reference: string): readonly Json[] {
  if (scope.sets.isLive(scope.family, scope.table, reference)) {
    throw new UntranslatableError(`set ${reference.slice(1)} is filled while it is in force, and does not hold addresses`);
  }
  return scope.sets.elements('set', scope.family, scope.table, reference);
}

/** One operand has one of the values (`==`, and `in` for bits), or none of them (`!=`). */
function test(operand: Operand, values: readonly Json[], op: '==' | '!=' | 'in' = '=='): Alternative {
  const negated = op === '!=';
  const { implied } = operand;
  switch (operand.kind) {
    case 'address':
      return [...implied, { kind: 'address', side: operand.side, set: readAddresses(values), negated }];
    case 'port':
      return [
        ...implied,
        { kind: 'port', side: operand.side, protocols: operand.protocols, ranges: pick(readRanges(values, 16, {}), negated, 16) },
      ];
    case 'protocol': {
      const numbers = pick(readRanges(values, 8, PROTOCOL_NUMBERS), negated, 8).flatMap(({ first, last }) =>
        Array.from({ length: Number(last - first) + 1 }, (_, i) => Number(first) + i),
      );
      return [...implied, numbers.length === 0 ? NEVER : { kind: 'protocol', numbers, negated: false }];
    }
    case 'interface':
      return [...implied, { kind: 'interface', way: operand.way, names: readNames(values), negated }];
    case 'state': {
      const states = readStates(values);
      return [...implied, { kind: 'state', states: negated ? STATES.filter((s) => !states.includes(s)) : states }];
    }
    case 'family':
      return [...implied, ...readFamilies(values, negated)];
    case 'mark': {
      const ranges = pick(readRanges(values, 32, {}), negated, 32);
      return [...implied, ranges.length === 0 ? NEVER : { kind: 'text', text: intText('meta.mark', ranges), mark: true }];
    }
    case 'flags':
      return [...implied, testFlags(values, op)];
    case 'fragment':
      throw new UntranslatableError('the fragment field is only understood with a mask');
    case 'int': {
      const shifted = readRanges(values, operand.bits, operand.names);
      return [...implied, intCondition(operand, pick(shifted, negated, operand.bits))];
    }
  }
}

function pick(ranges: Ranges, negated: boolean, bits: number): Ranges {
  return negated ? complement(ranges, 2n ** BigInt(bits) - 1n) : ranges;
}

function intCondition(operand: Extract<Operand, { readonly kind: 'int' }>, ranges: Ranges): Condition {
  const offset = BigInt(operand.offset);
  const moved = ranges.map((r) => range(r.first + offset, r.last + offset));
  if (moved.length === 0) return NEVER;
  return { kind: 'text', text: intText(operand.field, moved), ...(operand.field === 'process.uid' ? { user: true } : {}) };
}

function compareOrder(operand: Operand, op: '<' | '>' | '<=' | '>=', right: Json): Alternative {
  const bits = operand.kind === 'port' ? 16 : operand.kind === 'mark' ? 32 : operand.kind === 'int' ? operand.bits : 0;
  if (bits === 0) throw new UntranslatableError(`${op} is only understood of numbers`);
  const value = readNumber(bare(right), bits, operand.kind === 'int' ? operand.names : {});
  const max = 2 ** bits - 1;
  const first = op === '>' ? value + 1 : op === '>=' ? value : 0;
  const last = op === '<' ? value - 1 : op === '<=' ? value : max;
  if (first > last) return [...operand.implied, NEVER];
  const ranges = union([range(first, last)]);
  if (operand.kind === 'port') return [...operand.implied, { kind: 'port', side: operand.side, protocols: operand.protocols, ranges }];
  if (operand.kind === 'mark') return [...operand.implied, { kind: 'text', text: intText('meta.mark', ranges), mark: true }];
  return operand.kind === 'int' ? [...operand.implied, intCondition(operand, ranges)] : [NEVER];
}

function readFamilies(values: readonly Json[], negated: boolean): Alternative {
  const families = new Set(
    values.map((member) => {
      const value = bare(member);
      if (value === 'ipv4' || value === 'ip' || value === 2 || value === 0x0800) return 4 as const;
      if (value === 'ipv6' || value === 'ip6' || value === 10 || value === 0x86dd) return 6 as const;
      throw new UntranslatableError(`${JSON.stringify(value)?.slice(0, 60)} is no family of IP`);
    }),
  );
  const left = ([4, 6] as const).filter((f) => families.has(f) !== negated);
  const only = left[0];
  if (only === undefined) return [NEVER];
  return left.length === 2 ? [] : [{ kind: 'family', family: only }];
}

function flagBits(value: Json): number {
  const or = get(value, '|');
  return listOf(or ?? value).reduce<number>((mask, flag) => {
    const deeper = get(flag, '|');
    return (
      mask |
      (deeper === undefined
        ? readNumber(bare(flag), 8, TCP_FLAGS)
        : listOf(deeper).reduce<number>((m, f) => m | readNumber(f, 8, TCP_FLAGS), 0))
    );
  }, 0);
}

/** `tcp flags syn` asks for one of the bits, `==` and sets for exact values. */
function testFlags(values: readonly Json[], op: '==' | '!=' | 'in'): Condition {
  if (op === 'in') {
    const bits = values.reduce<number>((mask, value) => mask | flagBits(value), 0);
    return { kind: 'text', text: `tcp.flags & 0x${bits.toString(16)}` };
  }
  const exact = pick(union(values.map((value) => range(flagBits(value)))), op === '!=', 8);
  return exact.length === 0 ? NEVER : { kind: 'text', text: intText('tcp.flags', exact) };
}

/** `(field & mask) == value`. */
function readMasked(op: string, masked: Json, right: Json): Alternative {
  if (op !== '==' && op !== '!=') throw new UntranslatableError(`the operator ${op} is not understood with a mask`);
  const [left, maskValue] = listOf(masked);
  const operand = readOperand(left);
  const negated = op === '!=';
  switch (operand.kind) {
    case 'mark':
      return [...operand.implied, ...markConditions(readNumber(right, 32, {}), readNumber(maskValue, 32, {}), negated)];
    case 'flags':
      return [...operand.implied, flagCondition(flagBits(maskValue), flagBits(right), negated)];
    case 'fragment': {
      const mask = readNumber(maskValue, 16, {});
      if (readNumber(right, 16, {}) !== 0) break;
      if (mask === 0x1fff) return [...operand.implied, { kind: 'text', text: negated ? 'ip.frag_offset > 0' : 'ip.frag_offset == 0' }];
      if (mask === 0x3fff) return [...operand.implied, { kind: 'text', text: negated ? 'ip.frag' : 'not ip.frag' }];
      break;
    }
    default:
  }
  throw new UntranslatableError('a mask is not understood here');
}

/** `ip saddr . tcp dport @set`: one alternative for each element, those that differ in the first value alone put together. */
function lookUpTuples(parts: readonly Json[], right: Json, scope: Scope): readonly Alternative[] {
  const operands = parts.map(readOperand);
  const elements = typeof right === 'string' && right.startsWith('@') ? known(scope, right) : members(right);
  const groups = new Map<string, { readonly first: Json[]; readonly rest: readonly Json[] }>();
  for (const element of elements) {
    const [first, ...rest] = tuple(element, operands.length);
    const key = JSON.stringify(rest);
    const group = groups.get(key);
    if (group) group.first.push(first);
    else groups.set(key, { first: [first], rest });
    if (groups.size > MAX_ALTERNATIVES)
      throw new UntranslatableError(`a lookup of several values would become more than ${MAX_ALTERNATIVES} rules`);
  }
  return [...groups.values()].map(({ first, rest }) =>
    operands.flatMap((operand, i) => (i === 0 ? test(operand, first) : test(operand, [rest[i - 1]]))),
  );
}

function tuple(element: Json, length: number): readonly Json[] {
  const values = listOf(get(bare(element), 'concat'));
  if (values.length !== length) throw new UntranslatableError('the elements of a set do not fit what is looked up');
  return values;
}

/** Conditions of one element of a verdict map. */
export function testKey(key: Json, value: Json): Alternative {
  const concat = get(key, 'concat');
  if (concat === undefined) {
    const operand = readOperand(key);
    // In a map the value of flags is exact.
    return test(operand, [value]);
  }
  const operands = listOf(concat).map(readOperand);
  const values = tuple(value, operands.length);
  return operands.flatMap((operand, i) => test(operand, [values[i]]));
}
