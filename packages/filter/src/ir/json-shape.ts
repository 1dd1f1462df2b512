import { DecodeError, parseHex } from '@weir/wire/bytes';
import { type Ip, lastIp, parseIp, parsePrefix } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';
import { canonicalInt, MAX_INT, MIN_INT } from './int.ts';
import { keyOctets } from './octets.ts';

/** Octets of one value, characters of one name. */
const MAX_OCTETS = 65_536;
const MAX_NAME = 256;

/** JSON that is no expression. `path` leads to what is wrong: `items[2].test.set`. */
export class ExprFormatError extends Error {
  readonly code = 'EXPR_FORMAT';
  readonly path: string;

  constructor(message: string, path: string) {
    super(`${path === '' ? 'expression' : path}: ${message}`);
    this.name = 'ExprFormatError';
    this.path = path;
  }
}

/** A value of unknown JSON with the way to it; every method gives what is there in the shape asked for, or throws ExprFormatError. */
export interface JsonPlace {
  readonly value: unknown;
  readonly path: string;
}

export function fail(place: JsonPlace, message: string): never {
  throw new ExprFormatError(message, place.path);
}

/** An object of these keys and no others; those that end in `?` may be absent. */
export function fieldsOf(place: JsonPlace, keys: readonly string[]): (key: string) => JsonPlace | undefined {
  const { value, path } = place;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(place, 'an object is wanted');
  const there = new Map<string, unknown>(Object.entries(value));
  const known = new Set(keys.map((key) => key.replace('?', '')));
  for (const key of there.keys()) if (!known.has(key)) return fail(place, `there is no key ${JSON.stringify(key.slice(0, MAX_NAME))} here`);
  for (const key of keys) if (!key.endsWith('?') && !there.has(key)) return fail(place, `the key ${JSON.stringify(key)} is missing`);
  return (key) => (there.has(key) ? { value: there.get(key), path: path === '' ? key : `${path}.${key}` } : undefined);
}

export function listOf(place: JsonPlace, most: number): readonly JsonPlace[] {
  const { value, path } = place;
  if (!Array.isArray(value)) return fail(place, 'a list is wanted');
  if (value.length > most) return fail(place, `more than ${most} items`);
  return value.map((item: unknown, i) => ({ value: item, path: `${path}[${i}]` }));
}

export function booleanOf(place: JsonPlace | undefined, absent?: boolean): boolean {
  if (place === undefined && absent !== undefined) return absent;
  if (place === undefined || typeof place.value !== 'boolean')
    return fail(place ?? { value: undefined, path: '' }, 'true or false is wanted');
  return place.value;
}

export function nameOf(place: JsonPlace): string {
  const { value } = place;
  if (typeof value !== 'string' || value.length > MAX_NAME) return fail(place, `a name of at most ${MAX_NAME} characters is wanted`);
  return value;
}

export function wordOf<W extends string>(place: JsonPlace, words: readonly W[]): W {
  return words.find((word) => word === place.value) ?? fail(place, `one of ${words.join(', ')} is wanted`);
}

/** A whole number that is at least `min` and at most `max`. */
export function numberOf(place: JsonPlace, min: number, max: number): number {
  const { value } = place;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    return fail(place, `a whole number from ${min} to ${max} is wanted`);
  }
  return value;
}

/** A 64-bit integer: a number where one holds it exactly, else a string. */
export function intOf(place: JsonPlace): Int {
  const { value } = place;
  if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)) return value;
  if (typeof value === 'string' && /^-?[1-9]\d{0,18}$/.test(value)) {
    const int = canonicalInt(BigInt(value));
    if (typeof int === 'bigint' && int >= MIN_INT && int <= MAX_INT) return int;
  }
  return fail(place, 'a 64-bit integer is wanted, as a string where a number is not exact');
}

/** Printable ASCII as text, anything as `{ "hex": ... }`. */
export function octetsOf(place: JsonPlace): Uint8Array {
  const { value } = place;
  if (typeof value === 'string') {
    if (value.length > MAX_OCTETS || !/^[ -~]*$/.test(value))
      return fail(place, `at most ${MAX_OCTETS} characters of printable ASCII are wanted`);
    return keyOctets(value);
  }
  const hex = fieldsOf(place, ['hex'])('hex');
  if (typeof hex?.value !== 'string' || hex.value.length > 2 * MAX_OCTETS)
    return fail(place, `at most ${MAX_OCTETS} octets in hex are wanted`);
  try {
    return parseHex(hex.value);
  } catch (error) {
    if (error instanceof DecodeError) return fail(hex, error.message);
    throw error;
  }
}

/** An address, a prefix, or a range `a-b`. */
export function ipRangeOf(place: JsonPlace): { readonly first: Ip; readonly last: Ip } {
  const { value } = place;
  if (typeof value !== 'string' || value.length > MAX_NAME) return fail(place, 'an address, a prefix or a range of addresses is wanted');
  const dash = value.indexOf('-');
  if (dash >= 0) {
    const first = parseIp(value.slice(0, dash));
    const last = parseIp(value.slice(dash + 1));
    if (first && last && first.family === last.family) return { first, last };
    return fail(place, 'not a range of addresses');
  }
  const parsed = parsePrefix(value);
  return parsed.ok ? { first: parsed.prefix, last: lastIp(parsed.prefix) } : fail(place, parsed.error.message);
}
