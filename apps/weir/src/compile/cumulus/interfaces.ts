import type { IrSpan } from '@weir/filter/ir';
import { unsayable } from './unsayable.ts';

/** Names of interfaces as iptables writes them: `eth0`, `eth+` for all that begin so, `+` for all. */
export type Pattern = string;

/** What both are about; undefined for nothing. */
export function intersectPatterns(a: Pattern, b: Pattern): Pattern | undefined {
  if (contains(a, b)) return b;
  return contains(b, a) ? a : undefined;
}

function contains(wide: Pattern, narrow: Pattern): boolean {
  return wide.endsWith('+') ? narrow.startsWith(wide.slice(0, -1)) : wide === narrow;
}

/** Without those that others of them cover. */
export function distinctPatterns(patterns: readonly Pattern[]): readonly Pattern[] {
  const unique = [...new Set(patterns)];
  return unique.filter((one) => !unique.some((other) => other !== one && contains(other, one)));
}

/** Interfaces of one direction that a rule is about: one of `names`, and no one that `without` covers (which has one at most, and then `names` is all). */
export interface Interfaces {
  readonly names: readonly Pattern[];
  readonly without: Pattern | undefined;
}

/** Both a rule's own interfaces and one of these. */
export function keepPatterns({ names, without }: Interfaces, asked: readonly Pattern[]): Interfaces {
  const kept = distinctPatterns(names.flatMap((name) => asked.flatMap((other) => intersectPatterns(name, other) ?? [])));
  return without === undefined ? { names: kept, without } : removePatterns({ names: kept, without: undefined }, [without], undefined);
}

/** The interfaces but those. Throws Unsayable where that is a part of a name with `+`: iptables takes `-i` once. */
export function removePatterns(of: Interfaces, gone: readonly Pattern[], span: IrSpan | undefined): Interfaces {
  let { names, without } = of;
  for (const pattern of gone) {
    names = names.filter((name) => !contains(pattern, name));
    const split = names.find((name) => intersectPatterns(name, pattern) !== undefined);
    if (split === undefined) continue;
    if (split !== '+' || names.length > 1 || (without !== undefined && without !== pattern))
      throw unsayable(`${split} without ${pattern}: an interface is asked for once in a line`, span);
    without = pattern;
  }
  return { names, without };
}
