import type { Expr, IpSet, RangeSet, Test } from '@weir/filter/ir';
import type { Int } from '@weir/filter/scheme';
import { type Ip, ip4, ip6, printPrefix, rangePrefixes } from '@weir/wire/inet';
import type { Action, Rule } from '../../model/rule.ts';
import { normal } from './axis.ts';
import { differingAxis } from './box.ts';
import { markOf, nameOf } from './finding.ts';
import type { Program, Step } from './program.ts';
import { testKey } from './question.ts';

/** Two neighbours that one rule could say. */
export interface Pair {
  readonly first: Step;
  readonly second: Step;
  readonly message: string;
}

/** Rules next to each other in the order of judgement that do the same and differ in one field; `idle` are those that are better taken out. */
export function mergeable(program: Program, idle: ReadonlySet<number>): readonly Pair[] {
  const targets = new Set(program.steps.map((step) => step.target));
  const out: Pair[] = [];
  for (const second of program.steps) {
    const first = program.steps[second.index - 1];
    if (first === undefined || first.rule.stage !== 'policy' || second.rule.stage !== 'policy') continue;
    if (idle.has(first.index) || idle.has(second.index) || targets.has(second.index)) continue;
    if (!doSame(first.rule, second.rule) || first.unknown !== undefined || second.unknown !== undefined) continue;
    const field = differingField(first, second, program);
    if (field === undefined) continue;
    const names = `${nameOf(markOf(first.rule))} and ${nameOf(markOf(second.rule))}`;
    out.push({ first, second, message: `${names} differ in ${field.name} alone and could be one rule${field.as}` });
  }
  return out;
}

interface Difference {
  readonly name: string;
  /** ` for 192.0.2.0/24`, where that is short. */
  readonly as: string;
}

/** Two buckets of a rate limit do not become one, and a skip or mark is about what follows. */
function doSame(a: Rule, b: Rule): boolean {
  if (a.log !== b.log || a.sampling || b.sampling || a.audit !== b.audit || a.action.kind !== b.action.kind) return false;
  return isSimple(a.action) && (a.action.kind !== 'reject' || (b.action.kind === 'reject' && a.action.with === b.action.with));
}

function isSimple(action: Action): boolean {
  return action.kind === 'allow' || action.kind === 'deny' || action.kind === 'reject' || action.kind === 'log';
}

function differingField(first: Step, second: Step, program: Program): Difference | undefined {
  const written = differingLiteral(first.rule.expression, second.rule.expression);
  if (written) return written;
  // As boxes: ports of any protocol are alternatives in the expression, and one field to a person.
  const names = new Set<string>();
  for (const [u, universe] of program.universes.entries()) {
    const [a, ...moreA] = first.reach[u] ?? [];
    const [b, ...moreB] = second.reach[u] ?? [];
    if (moreA.length > 0 || moreB.length > 0 || (a === undefined) !== (b === undefined)) return undefined;
    if (a === undefined || b === undefined) continue;
    const axis = differingAxis(a, b);
    const key = axis === undefined ? undefined : universe.axes[axis];
    if (key === undefined || key.spec.kind === 'atom') return undefined;
    names.add(key.spec.key);
  }
  const [name, ...others] = names;
  return name === undefined || others.length > 0 ? undefined : { name: FIELD_NAMES[name] ?? name, as: '' };
}

const FIELD_NAMES: Readonly<Record<string, string>> = {
  dstport: 'the destination port',
  srcport: 'the source port',
  'ip.proto.num': 'the protocol',
};

/** The only condition in which two conjunctions differ, when it asks the same field of both. */
function differingLiteral(a: Expr, b: Expr): Difference | undefined {
  const one = conditions(a);
  const two = conditions(b);
  if (one === undefined || two === undefined || one.size !== two.size) return undefined;
  const onlyA = [...one].filter(([key]) => !two.has(key)).map(([, test]) => test);
  const onlyB = [...two].filter(([key]) => !one.has(key)).map(([, test]) => test);
  const [x, y] = [onlyA[0], onlyB[0]];
  if (x === undefined || y === undefined || onlyA.length > 1 || onlyB.length > 1) return undefined;
  if (
    x.kind !== y.kind ||
    x.kind === 'quantified' ||
    y.kind === 'quantified' ||
    testKey({ kind: 'flag', operand: x.operand }) !== testKey({ kind: 'flag', operand: y.operand })
  )
    return undefined;
  if (x.operand.kind !== 'field') return undefined;
  const { name } = x.operand;
  if (x.kind === 'ip' && y.kind === 'ip') return { name, as: together(x.set, y.set) };
  return x.kind === 'int' || x.kind === 'bytes' ? { name, as: '' } : undefined;
}

/** The conditions of a conjunction by their text; undefined when it is not one of plain conditions. */
function conditions(expression: Expr): ReadonlyMap<string, Test | undefined> | undefined {
  const items = expression.kind === 'and' ? expression.items : [expression];
  const out = new Map<string, Test | undefined>();
  for (const item of items) {
    if (item.kind === 'literal') out.set(`${item.negated} ${testKey(item.test)}`, item.negated ? undefined : item.test);
    else if (item.kind === 'or' || item.kind === 'xor') out.set(JSON.stringify(shapeOf(item)), undefined);
    else return undefined;
  }
  return out;
}

function shapeOf(expression: Expr): unknown {
  switch (expression.kind) {
    case 'constant':
      return expression.value;
    case 'literal':
      return [expression.negated, testKey(expression.test)];
    case 'and':
    case 'or':
      return [expression.kind, ...expression.items.map(shapeOf)];
    case 'xor':
      return ['xor', expression.negated, ...expression.items.map(shapeOf)];
  }
}

/** What two sets of addresses are together, when that takes fewer prefixes than both. */
function together(a: IpSet, b: IpSet): string {
  const both = [...prefixesOf(4, [...a.v4, ...b.v4]), ...prefixesOf(6, [...a.v6, ...b.v6])];
  const apart = [a, b].flatMap((set) => [...prefixesOf(4, set.v4), ...prefixesOf(6, set.v6)]);
  return both.length < apart.length && both.length <= 4 ? ` for ${both.join(', ')}` : '';
}

function prefixesOf(family: 4 | 6, set: RangeSet): readonly string[] {
  const sorted = [...set].sort((x, y) => (x.first < y.first ? -1 : 1));
  const merged: { first: Int; last: Int }[] = [];
  for (const { first, last } of sorted) {
    const end = merged[merged.length - 1];
    if (end && BigInt(first) <= BigInt(end.last) + 1n) end.last = last > end.last ? last : end.last;
    else merged.push({ first: normal(first), last: normal(last) });
  }
  return merged.flatMap(({ first, last }) => rangePrefixes(ipOf(family, first), ipOf(family, last)).map(printPrefix));
}

function ipOf(family: 4 | 6, value: Int): Ip {
  if (family === 4) return ip4(Number(value));
  const word = (shift: bigint): number => Number((BigInt(value) >> shift) & 0xffffffffn);
  return ip6(word(96n), word(64n), word(32n), word(0n));
}
