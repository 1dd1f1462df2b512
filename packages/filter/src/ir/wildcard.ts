import { parseWildcard } from '../syntax/wildcard.ts';
import { endsWith, findOctets, lowerOctets, startsWith } from './octet-search.ts';

export type WildcardMatcher = (octets: Uint8Array) => boolean;

/**
 * A matcher for a whole value; `*` is any run of octets. The pieces between stars are looked for one after the other, each as early as it can be: linear in the
 * value. RangeError for a pattern that is none.
 */
export function compileWildcard(pattern: Uint8Array, strict: boolean): WildcardMatcher {
  const parsed = parseWildcard(pattern);
  if (!('parts' in parsed)) throw new RangeError(parsed.message);
  const parts = strict ? parsed.parts : parsed.parts.map(lowerOctets);
  const [first = new Uint8Array(0), ...rest] = parts;
  const last = rest.pop();
  return (value) => {
    const octets = strict ? value : lowerOctets(value);
    if (last === undefined) return octets.length === first.length && startsWith(octets, first);
    if (octets.length < first.length + last.length || !startsWith(octets, first) || !endsWith(octets, last)) return false;
    const middle = octets.subarray(0, octets.length - last.length);
    let at = first.length;
    for (const part of rest) {
      const found = findOctets(middle, part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return true;
  };
}
