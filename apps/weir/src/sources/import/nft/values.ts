import { makePrefix, parseIp } from '@weir/wire/inet';
import type { State } from '../condition.ts';
import { named } from '../iptables/names.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { MAX_LIST } from '../limits.ts';
import { type AddressSet, addressRange, prefixRange, type Range, type Ranges, range, union, unionAddresses } from '../ranges.ts';
import { get, getNumber, getString, type Json, listOf } from './json.ts';

/** Members of a value: those of an anonymous set, or the value alone; `elem` around them is taken off. */
export function members(right: Json): readonly Json[] {
  const set = get(right, 'set');
  const all = set === undefined ? [right] : listOf(set);
  if (all.length > MAX_LIST) throw new UntranslatableError(`a set has more than ${MAX_LIST} members`);
  return all.map(bare);
}

export function bare(member: Json): Json {
  const elem = get(member, 'elem');
  return elem === undefined ? member : get(elem, 'val');
}

/** Values of a field of `bits` bits. */
export function readRanges(values: readonly Json[], bits: number, names: Readonly<Record<string, number>>): Ranges {
  return union(values.map((value) => readRange(bare(value), bits, names)));
}

function readRange(value: Json, bits: number, names: Readonly<Record<string, number>>): Range {
  const ends = get(value, 'range');
  if (ends !== undefined) {
    const [first, last] = listOf(ends);
    const made = range(readNumber(first, bits, names), readNumber(last, bits, names));
    if (made.first > made.last) throw new UntranslatableError('a range ends before it begins');
    return made;
  }
  return range(readNumber(value, bits, names));
}

export function readNumber(value: Json, bits: number, names: Readonly<Record<string, number>>): number {
  const number =
    typeof value === 'string' ? (named(names, value) ?? (/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(value) ? Number(value) : undefined)) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= 2 ** bits) {
    throw new UntranslatableError(`the value ${JSON.stringify(value)?.slice(0, 60)} is not understood here`);
  }
  return number;
}

/** Addresses, prefixes and ranges. */
export function readAddresses(values: readonly Json[]): AddressSet {
  return unionAddresses(values.map((value) => readAddress(bare(value))));
}

function readAddress(value: Json): AddressSet {
  const prefix = get(value, 'prefix');
  const text = prefix === undefined ? value : getString(prefix, 'addr');
  const ends = get(value, 'range');
  if (ends !== undefined) {
    const [first, last] = listOf(ends).map((end) => (typeof end === 'string' ? parseIp(end) : undefined));
    if (first && last && first.family === last.family) {
      const set = addressRange(first, last);
      const only = set.v4[0] ?? set.v6[0];
      if (only && only.first <= only.last) return set;
    }
  } else if (typeof text === 'string') {
    const ip = parseIp(text);
    const bits = ip?.family === 6 ? 128 : 32;
    const length = prefix === undefined ? bits : getNumber(prefix, 'len');
    if (ip && length !== undefined && Number.isInteger(length) && length >= 0 && length <= bits) return prefixRange(makePrefix(ip, length));
  }
  throw new UntranslatableError(`${JSON.stringify(value)?.slice(0, 60)} is no address`);
}

/** Names of interfaces; a `*` at the end is a wildcard. */
export function readNames(values: readonly Json[]): readonly string[] {
  return values.map((member) => {
    const value = bare(member);
    if (typeof value !== 'string' || !/^[\x21-\x7e]{1,15}$/.test(value) || /["\\:/]/.test(value) || /\*./.test(value)) {
      throw new UntranslatableError(`${JSON.stringify(value)?.slice(0, 60)} is no interface that a policy can name`);
    }
    return value;
  });
}

const STATES: Readonly<Record<string, State>> = {
  new: 'new',
  established: 'established',
  related: 'related',
  invalid: 'invalid',
  untracked: 'untracked',
};

export function readStates(values: readonly Json[]): readonly State[] {
  return values.flatMap(listOf).map((member) => {
    const value = bare(member);
    const state = typeof value === 'string' ? named(STATES, value) : undefined;
    if (state === undefined) throw new UntranslatableError(`${JSON.stringify(value)?.slice(0, 60)} is no state of a connection`);
    return state;
  });
}
