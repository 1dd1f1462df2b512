import type { AnyOf, NumericTest } from '@weir/bgp/flowspec';
import { EMPTY_SET, intersectSets, interval, type RangeSet, subtractSet, unionSets } from '@weir/filter/ir';

/** The values from 0 to `most` for which a list of comparisons holds (RFC 8955 section 4.2.1.1): AND binds closer than OR. */
export function numericSet(anyOf: AnyOf<NumericTest>, most: number): RangeSet {
  return unionSets(anyOf.map((tests) => intersectSets(tests.map((test) => valuesOf(test, most)))));
}

function valuesOf({ operator, value }: NumericTest, most: number): RangeSet {
  const all = interval(0, most);
  const above = value > most;
  // Beyond the field every value is smaller.
  const at = above ? most + 1 : Number(value);
  const below = at === 0 ? EMPTY_SET : interval(0, at - 1);
  const equal = above ? EMPTY_SET : interval(at, at);
  switch (operator) {
    case 'true':
      return all;
    case 'false':
      return EMPTY_SET;
    case '==':
      return equal;
    case '!=':
      return subtractSet(all, equal);
    case '<':
      return below;
    case '<=':
      return unionSets([below, equal]);
    case '>':
      return subtractSet(all, unionSets([below, equal]));
    case '>=':
      return subtractSet(all, below);
  }
}
