import { printPrefix } from '@weir/wire/inet';
import {
  type AnyOf,
  type BitmaskKind,
  type BitmaskTest,
  type FlowComponent,
  isBitmaskComponent,
  isPrefixComponent,
  type NumericTest,
} from './component.ts';
import { printDistinguisher } from './distinguisher.ts';
import type { FlowRule } from './rule.ts';
import { componentWord, FRAGMENT_NAMES } from './words.ts';

/**
 * A rule as BIRD writes it: `flow4 { dst 203.0.113.0/24; proto 17; dport > 24 && < 30 || 40..50; tcp flags 0x3/0x3 && 0x0/0xc; fragment !is_fragment; }`. Where BIRD's own text is not
 * its own input (`<= 5,>= 7`, `1 && 2`) it is written as BIRD reads it. `rd 64512:1;` comes first with `flow-vpn`. What no name of the fragment component says is written as TCP flags are.
 */
export function printFlow(rule: FlowRule): string {
  const parts = rule.components.map((c) => `${componentWord(c.kind, rule.address)} ${printComponent(c)}; `);
  const rd = rule.distinguisher ? `rd ${printDistinguisher(rule.distinguisher)}; ` : '';
  return `flow${rule.address} { ${rd}${parts.join('')}}`;
}

/** What stands behind a component's name. */
export function printComponent(c: FlowComponent): string {
  if (isPrefixComponent(c)) return `${printPrefix(c.prefix)}${c.offset === 0 ? '' : ` offset ${c.offset}`}`;
  return isBitmaskComponent(c) ? printBits(c.kind, c.anyOf) : printNumbers(c.anyOf);
}

const isEqual = (test: NumericTest | undefined): boolean => test?.operator === '==';

/** Whether the two are `>= a && <= b`, which is written `a..b`. */
function isRange(a: NumericTest | undefined, b: NumericTest | undefined): boolean {
  return a?.operator === '>=' && b?.operator === '<=';
}

/** A value or a range stands bare only at the beginning of an alternative; commas join them behind one that is nothing else. */
function printNumbers(anyOf: AnyOf<NumericTest>): string {
  let out = '';
  let bare = false;
  for (const all of anyOf) {
    const [first, second] = all;
    const taken = isEqual(first) ? 1 : isRange(first, second) ? 2 : 0;
    if (out !== '') out += bare && taken > 0 ? ',' : ' || ';
    const rest = all.slice(taken).map(printNumber);
    const head = taken === 0 ? [] : [taken === 1 ? `${first?.value}` : `${first?.value}..${second?.value}`];
    out += [...head, ...rest].join(' && ');
    bare = taken > 0 && rest.length === 0;
  }
  return out;
}

function printNumber({ operator, value }: NumericTest): string {
  return `${operator === '==' ? '=' : operator} ${value}`;
}

function printBits(kind: BitmaskKind, anyOf: AnyOf<BitmaskTest>): string {
  return anyOf.map((all) => all.map((test) => printBit(kind, test)).join(' && ')).join(' || ');
}

/**
 * `0x3/0x3` when all bits are set, `!0x3/0x3` when not all are, `0x0/0x3` when none is, `!0x0/0x3` when any is: the bits that are looked at are those behind the slash, and they have the value before it. Of one bit
 * all and any are the same: that it is set is written `0x2/0x2` for both.
 */
function printBit(kind: BitmaskKind, { match, negated, mask }: BitmaskTest): string {
  if (kind === 'fragment') {
    for (const [name, bit] of FRAGMENT_NAMES) if (bit === mask) return `${negated ? '!' : ''}${name}`;
  }
  const bits = `0x${mask.toString(16)}`;
  if (match === 'all' || (!negated && isSingle(mask))) return `${negated ? '!' : ''}${bits}/${bits}`;
  return `${negated ? '' : '!'}0x0/${bits}`;
}

function isSingle(mask: number): boolean {
  return mask !== 0 && (mask & (mask - 1)) === 0;
}
