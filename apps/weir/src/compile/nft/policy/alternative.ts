import type { Family } from '@weir/wire/inet';
import { fieldInfo } from '../fields.ts';
import type { Match } from '../image.ts';

/** Conditions that one rule can hold. `family` and `protocol` are what a packet that meets them has. */
export interface Alternative {
  readonly family: Family | undefined;
  readonly protocol: number | undefined;
  readonly matches: readonly Match[];
}

export const ANY: Alternative = { family: undefined, protocol: undefined, matches: [] };

const GRE = 47;

/** More alternatives than these are not multiplied out; they become a chain. */
const MOST = 4;

/** How a literal becomes rules: it holds where one of `yes` does. */
export interface LiteralForm {
  readonly yes: readonly Alternative[];
  /** No packet meets two of `yes`. */
  readonly disjoint: boolean;
  /** Where it does not hold, a missing operand included; apart from each other. Undefined when that takes a chain. */
  readonly no: readonly Alternative[] | undefined;
  /** The one condition turned round: right where the operand is known to be there. */
  readonly turned: Alternative | undefined;
}

/** Alternatives that stand side by side in one chain. */
export interface Product {
  readonly alternatives: readonly Alternative[];
  readonly disjoint: boolean;
}

export const EVERYTHING: Product = { alternatives: [ANY], disjoint: true };

/** Both: undefined when that is more than can stand side by side. */
export function multiply(product: Product, alternatives: readonly Alternative[], disjoint: boolean): Product | undefined {
  const out: Alternative[] = [];
  for (const a of product.alternatives) {
    for (const b of alternatives) {
      const both = meet(a, b);
      if (both) out.push(both);
    }
  }
  if (out.length > MOST && product.alternatives.length > 1) return undefined;
  return { alternatives: out, disjoint: product.disjoint && disjoint };
}

/** Undefined when no packet meets both. */
function meet(a: Alternative, b: Alternative): Alternative | undefined {
  if (a.matches.length === 0) return b;
  if (a.family !== undefined && b.family !== undefined && a.family !== b.family) return undefined;
  if (a.protocol !== undefined && b.protocol !== undefined && a.protocol !== b.protocol) return undefined;
  const protocol = a.protocol ?? b.protocol;
  const matches = [...a.matches, ...b.matches];
  if (protocol === undefined) return { family: a.family ?? b.family, protocol, matches: tidy(matches) };
  // What is known of the protocol need not be asked, and what contradicts it never holds: nft refuses that.
  if (matches.some((match) => admits(match, protocol) === false)) return undefined;
  const asked = matches.filter((match) => protocolOf(match) !== undefined || admits(match, protocol) === undefined);
  return { family: a.family ?? b.family, protocol, matches: tidy(asked) };
}

/** Whether a condition on the protocol holds for this one; undefined for other conditions. */
function admits(match: Match, protocol: number): boolean | undefined {
  if (match.kind !== 'field' || match.field !== 'protocol') return undefined;
  const inside = match.ranges.some(([first, last]) => Number(first) <= protocol && protocol <= Number(last));
  return inside !== (match.not ?? false);
}

/** Leaves out conditions on family and protocol that another condition brings along. */
function tidy(matches: readonly Match[]): readonly Match[] {
  if (!matches.some(isGuard)) return matches;
  const families = new Set<Family>();
  const protocols = new Set<number>();
  for (const match of matches) {
    if (match.kind === 'member') families.add(match.family);
    if (match.kind !== 'field' && match.kind !== 'bits') continue;
    const { family, protocol } = fieldInfo(match.field);
    if (family !== undefined) families.add(family);
    if (protocol !== undefined) protocols.add(protocol);
  }
  let family: Family | undefined;
  let protocol: number | undefined;
  const ordered = [...matches.filter((match) => protocolOf(match) !== GRE), ...matches.filter((match) => protocolOf(match) === GRE)];
  return ordered.filter((match) => {
    if (match.kind === 'family') {
      if (families.has(match.family) || family === match.family) return false;
      family = match.family;
    } else {
      const value = protocolOf(match);
      if (value === undefined) return true;
      if (protocols.has(value) || protocol === value) return false;
      protocol = value;
    }
    return true;
  });
}

function isGuard(match: Match): boolean {
  return match.kind === 'family' || protocolOf(match) !== undefined;
}

/** Of a condition that asks for one protocol. */
function protocolOf(match: Match): number | undefined {
  if (match.kind !== 'field' || match.field !== 'protocol' || match.not) return undefined;
  const [range] = match.ranges;
  return match.ranges.length === 1 && range && range[0] === range[1] ? Number(range[0]) : undefined;
}

/** Whether a packet that meets `given` has all that `wanted` looks at. */
export function isPresent(given: Alternative, wanted: Alternative): boolean {
  return wanted.matches.every((match) => {
    if (match.kind !== 'field' && match.kind !== 'bits') return false;
    const info = fieldInfo(match.field);
    const { load } = info;
    if (load.kind !== 'payload') return false;
    if (info.family !== undefined && given.family !== info.family) return false;
    if (info.protocol !== undefined && given.protocol !== info.protocol) return false;
    return given.matches.some((other) => {
      if (other.kind !== 'field' && other.kind !== 'bits') return false;
      const has = fieldInfo(other.field).load;
      return has.kind === 'payload' && has.base === load.base && has.offset + has.length >= load.offset + load.length;
    });
  });
}
