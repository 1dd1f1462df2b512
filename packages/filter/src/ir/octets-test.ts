import type { Test } from './expr.ts';
import { findOctets } from './octet-search.ts';
import { compareOctets } from './octets.ts';
import { regexOf, wildcardOf } from './pattern-cache.ts';

/** The tests of Bytes. */
export type OctetsTest = Extract<Test, { kind: 'bytes' | 'bytes-range' | 'contains' | 'matches' | 'wildcard' }>;

/** Whether octets pass; what operand the test has does not matter. RangeError for a pattern that is none. */
export function octetsPass(test: OctetsTest, octets: Uint8Array): boolean {
  switch (test.kind) {
    case 'bytes':
      return isOneOf(test.values, octets);
    case 'bytes-range':
      return isBetween(test, octets);
    case 'contains':
      return findOctets(octets, test.needle) >= 0;
    case 'matches':
      return regexOf(test).test(octets);
    case 'wildcard':
      return wildcardOf(test)(octets);
  }
}

/** The values are in order. */
function isOneOf(values: readonly Uint8Array[], octets: Uint8Array): boolean {
  let low = 0;
  let high = values.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = values[middle];
    const order = value ? compareOctets(octets, value) : 0;
    if (order === 0) return value !== undefined;
    if (order < 0) high = middle - 1;
    else low = middle + 1;
  }
  return false;
}

function isBetween({ above, below }: Extract<Test, { kind: 'bytes-range' }>, octets: Uint8Array): boolean {
  if (above) {
    const order = compareOctets(octets, above.value);
    if (order < 0 || (order === 0 && !above.included)) return false;
  }
  if (below) {
    const order = compareOctets(octets, below.value);
    if (order > 0 || (order === 0 && !below.included)) return false;
  }
  return true;
}
