import { type Expr, intToIp } from '@weir/filter/ir';
import { compareIp, type Family, type Ip, lastIp, type Prefix, printIp, rangeAsPrefix } from '@weir/wire/inet';

export type Side = 'destination' | 'source';

/** A prefix that all packets of a rule have on one side. */
export interface SidePrefix {
  readonly prefix: Prefix;
  /** Its first address as text. */
  readonly text: string;
  readonly last: Ip;
}

const FIELD = { destination: 'ip.dst', source: 'ip.src' } as const;

/** The addresses of one side that packets must have, where these are one prefix that is not all addresses. */
export function prefixOf(expression: Expr, side: Side): SidePrefix | undefined {
  for (const item of expression.kind === 'and' ? expression.items : [expression]) {
    if (item.kind !== 'literal' || item.negated || item.test.kind !== 'ip') continue;
    const { operand, set } = item.test;
    if (operand.kind !== 'field' || operand.name !== FIELD[side] || set.v4.length + set.v6.length !== 1) continue;
    const family: Family = set.v4.length === 1 ? 4 : 6;
    const [range] = family === 4 ? set.v4 : set.v6;
    const prefix = range && rangeAsPrefix(intToIp(range.first, family), intToIp(range.last, family));
    if (prefix && prefix.length > 0) return { prefix, text: printIp(prefix), last: lastIp(prefix) };
  }
  return undefined;
}

/** Below 0 where `a` comes first in RFC 8955 section 5.1: of two that overlap the longer one, of others the lower address. */
export function comparePrefixes(a: SidePrefix, b: SidePrefix): number {
  return compareIp(a.last, b.last) || b.prefix.length - a.prefix.length;
}

/** The family that all packets of a rule have; undefined where it does not say. */
export function familyOf(expression: Expr): Family | undefined {
  for (const item of expression.kind === 'and' ? expression.items : [expression]) {
    if (item.kind !== 'literal' || item.negated || item.test.kind !== 'ip') continue;
    const { v4, v6 } = item.test.set;
    if (v4.length === 0) return 6;
    if (v6.length === 0) return 4;
  }
  return undefined;
}
