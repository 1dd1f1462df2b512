import type { Int } from '../scheme/index.ts';

/** The lowest and highest value of an Int without a narrower range. */
export const MIN_INT: Int = -(1n << 63n);
export const MAX_INT: Int = (1n << 63n) - 1n;

/** The canonical form: `number` wherever it is a safe integer, so that `===` tells equal values. */
export function canonicalInt(value: Int): Int {
  if (typeof value === 'number') return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** The integer after this one. */
export function nextInt(value: Int): Int {
  return typeof value === 'number' && value < Number.MAX_SAFE_INTEGER ? value + 1 : canonicalInt(BigInt(value) + 1n);
}

/** The integer before this one. */
export function previousInt(value: Int): Int {
  return typeof value === 'number' && value > Number.MIN_SAFE_INTEGER ? value - 1 : canonicalInt(BigInt(value) - 1n);
}

export function maxInt(a: Int, b: Int): Int {
  return a >= b ? a : b;
}

export function minInt(a: Int, b: Int): Int {
  return a <= b ? a : b;
}

/** For sorting. */
export function compareInt(a: Int, b: Int): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Bits that both have, as in two's complement of 64 bits. */
export function andInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number' && a >= 0 && b >= 0 && a <= 0x7fffffff && b <= 0x7fffffff) return a & b;
  return canonicalInt(BigInt(a) & BigInt(b));
}

/** Bits that one of them has. */
export function orInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number' && a >= 0 && b >= 0 && a <= 0x7fffffff && b <= 0x7fffffff) return a | b;
  return canonicalInt(BigInt(a) | BigInt(b));
}
