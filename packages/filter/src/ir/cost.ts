import { parseRegex } from '../syntax/regex/index.ts';
import type { Expr, Operand, Test } from './expr.ts';
import { isOperand } from './operand.ts';

/** The greatest cost of an expression unless another is asked for. */
export const MAX_COST = 4096;

/**
 * What an expression costs a packet, in steps of about the size of one comparison:
 * - a test is 1, and 1 more for each function that its operand calls;
 * - a set, of numbers, addresses or octets, is 1 for each doubling of its ranges (it is searched by halving);
 * - `contains` is 4; a wildcard or an order of octets is 1 for each 8 octets of the pattern; a regular expression is 1 for each state of its
 *   automaton, in which counted repetitions are written out;
 * - `any` and `all` are 16 times their test;
 * - `and` and `or` are the sum of their items, `xor` is twice that: compiled, each item stands there for both parities.
 */
export function cost(expr: Expr): number {
  switch (expr.kind) {
    case 'constant':
      return 0;
    case 'literal':
      return testCost(expr.test);
    case 'and':
    case 'or':
      return sum(expr.items);
    case 'xor':
      return 2 * sum(expr.items);
  }
}

function sum(items: readonly Expr[]): number {
  let total = 0;
  for (const item of items) total += cost(item);
  return total;
}

/** The smallest part that has at least half of the cost: what to change first. */
export function costliest(expr: Expr): Expr {
  const half = cost(expr) / 2;
  let at = expr;
  for (;;) {
    const inner = at.kind === 'and' || at.kind === 'or' || at.kind === 'xor' ? at.items.find((item) => cost(item) >= half) : undefined;
    if (!inner) return at;
    at = inner;
  }
}

function testCost(test: Test): number {
  if (test.kind === 'quantified') return 16 * testCost(test.test);
  return 1 + calls(test.operand) + questionCost(test);
}

function calls(operand: Operand): number {
  if (operand.kind === 'index') return calls(operand.of);
  if (operand.kind !== 'call') return 0;
  return operand.args.reduce((n, arg) => n + (isOperand(arg) ? calls(arg) : 0), 1);
}

function questionCost(test: Exclude<Test, { kind: 'quantified' }>): number {
  const doublings = (n: number): number => Math.ceil(Math.log2(Math.max(n, 1)));
  const octets = (n: number): number => Math.ceil(n / 8);
  switch (test.kind) {
    case 'flag':
    case 'bits':
      return 0;
    case 'list':
      return 1;
    case 'int':
      return doublings(test.set.length);
    case 'ip':
      return doublings(test.set.v4.length) + doublings(test.set.v6.length);
    case 'bytes':
      return doublings(test.values.length);
    case 'bytes-range':
      return octets((test.above?.value.length ?? 0) + (test.below?.value.length ?? 0));
    case 'contains':
      return 4;
    case 'wildcard':
      return octets(test.pattern.length);
    case 'matches':
      return regexCost(test.pattern);
  }
}

/** A pattern that is none costs nothing: it is refused elsewhere. */
function regexCost(pattern: Uint8Array): number {
  const program = parseRegex(new TextDecoder().decode(pattern));
  return 'states' in program ? program.states.length : 0;
}
