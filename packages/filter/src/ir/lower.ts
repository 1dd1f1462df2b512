import { type Hook, PACKET_SCHEME, printType, type Scheme } from '../scheme/index.ts';
import type { Expression, Relation, SetItem, Tree, Literal as TreeLiteral, Operand as TreeOperand } from '../syntax/tree.ts';
import { type ExprBuilder, exprBuilder } from './build.ts';
import { cost, costliest, MAX_COST } from './cost.ts';
import type { Expr, IrSpan, Operand, Test } from './expr.ts';
import type { Finding, ProblemCode, WarningCode } from './finding.ts';
import { type Literal, presenceTest } from './fold.ts';
import { unguardedNegations } from './guards.ts';
import { impossibleParts } from './impossible.ts';
import type { ListDefinitions } from './lists.ts';
import { lowerOperand, type OperandContext, type TypedOperand } from './lower-operand.ts';
import { lowerTest, type TestContext } from './lower-test.ts';
import type { Conflict } from './merge.ts';
import { hasEach, isOperand, operandInfo, operandKey, presence, testOperand } from './operand.ts';

export interface LowerOptions {
  /** What `$name` stands for; without it no name does. */
  readonly lists?: ListDefinitions | undefined;
  /** Where it will be judged: each of them has to see every field. */
  readonly hooks?: readonly Hook[] | undefined;
  /** Which tables of addresses there are. */
  readonly tables?: { readonly asnum?: boolean | undefined; readonly country?: boolean | undefined } | undefined;
  /** Protocols that something beside the expression (a policy's `protocol`) holds it to. */
  readonly guarded?: readonly number[] | undefined;
  /** Greatest cost (see `cost`); MAX_COST unless given. */
  readonly maxCost?: number | undefined;
}

export interface Lowered {
  /** Undefined when there are problems. */
  readonly expr: Expr | undefined;
  readonly warnings: readonly Finding<WarningCode>[];
  readonly problems: readonly Finding<ProblemCode>[];
}

interface Context extends OperandContext, TestContext {
  readonly build: ExprBuilder;
  /** Spans of nodes that were found, and told, to be constant. */
  readonly constants: Set<string>;
}

/**
 * A tree as a typed expression in normal form, with every mistake and every doubt in the order of the text. Linear in the tree but for the sorting of sets. What the
 * parser has checked against the same scheme has no problems of the kind `type`.
 */
export function lower(tree: Tree, scheme: Scheme = PACKET_SCHEME, options: LowerOptions = {}): Lowered {
  const context: Context = {
    scheme,
    build: exprBuilder(scheme),
    lists: options.lists ?? new Map(),
    hooks: options.hooks ?? [],
    tables: { asnum: options.tables?.asnum ?? false, country: options.tables?.country ?? false },
    problems: [],
    warnings: [],
    constants: new Set(),
  };
  const expr = lowerNode(tree.root, false, false, context);
  const { problems, warnings } = context;
  if (expr && problems.length === 0) {
    const root = core(tree.root);
    if (expr.kind === 'constant' && !context.constants.has(spanKey(root.span))) {
      warnings.push(constantWarning(expr.value, tree.root.span, 'the whole expression'));
    }
    warnImpossible(expr, tree, context);
    warnUnguarded(expr, options.guarded ?? [], context);
    checkCost(expr, tree, options.maxCost ?? MAX_COST, context);
  }
  const inOrder = (a: Finding<string>, b: Finding<string>): number => a.span.start - b.span.start || a.span.end - b.span.end;
  return { expr: problems.length === 0 ? expr : undefined, warnings: warnings.sort(inOrder), problems: problems.sort(inOrder) };
}

/** What is inside of parentheses and negations. */
function core(node: Expression): Expression {
  let at = node;
  while (at.kind === 'group' || at.kind === 'not') at = at.kind === 'group' ? at.inner : at.arg;
  return at;
}

function spanKey({ start, end }: IrSpan): string {
  return `${start}-${end}`;
}

function constantWarning(value: boolean, { start, end }: IrSpan, what: string): Finding<WarningCode> {
  return { code: value ? 'always-true' : 'never-true', message: `${what} is ${value ? 'always' : 'never'} true`, span: { start, end } };
}

/** `negated`: the negation of the node is wanted. `inside`: of `any` or `all`, where operands have `[*]`. */
function lowerNode(node: Expression, negated: boolean, inside: boolean, context: Context): Expr | undefined {
  switch (node.kind) {
    case 'group':
      return lowerNode(node.inner, negated, inside, context);
    case 'not':
      return lowerNode(node.arg, !negated, inside, context);
    case 'combine':
      return lowerCombination(node, negated, inside, context);
    case 'comparison':
      return lowerComparison(node, negated, inside, context);
    case 'quantified': {
      if (inside) return problem(context, 'type', node.span, 'any() and all() do not stand in one another');
      return lowerQuantified(node, negated, context);
    }
  }
}

function problem(context: Context, code: ProblemCode, { start, end }: IrSpan, message: string): undefined {
  context.problems.push({ code, message, span: { start, end } });
  return undefined;
}

type Combination = Extract<Expression, { kind: 'combine' }>;

function lowerCombination(node: Combination, negated: boolean, inside: boolean, context: Context): Expr | undefined {
  const { build } = context;
  const span = { start: node.span.start, end: node.span.end };
  // De Morgan: `not (a and b)` is `not a or not b`.
  const turn = negated && node.op !== 'xor';
  const made = node.items.map((item) => lowerNode(item, turn, inside, context));
  const items = made.filter((item) => item !== undefined);
  if (items.length < made.length) return undefined;
  let conflict: Conflict | undefined;
  const note = (found: Conflict): void => {
    conflict = found;
  };
  let expr: Expr;
  if (node.op === 'xor') {
    const parity = build.xor(items, span);
    expr = negated ? build.not(parity) : parity;
  } else {
    const kind = (node.op === 'and') === negated ? 'or' : 'and';
    expr = build[kind](items, span, note);
  }
  // Where an item is constant already, that has been told.
  if (expr.kind === 'constant' && items.every((item) => item.kind !== 'constant')) {
    context.constants.add(spanKey(span));
    context.warnings.push(combinedWarning(expr.value !== negated, span, conflict));
  }
  return expr;
}

function combinedWarning(value: boolean, span: IrSpan, conflict: Conflict | undefined): Finding<WarningCode> {
  const plain = constantWarning(value, span, 'this');
  if (!conflict) return plain;
  const name = `\`${operandKey(conflict.operand)}\``;
  const why = value ? `whatever ${name} is, one of these holds` : `nothing that ${name} can be fits all of these`;
  return { ...plain, message: `${plain.message}: ${why}` };
}

function lowerComparison(
  node: Extract<Expression, { kind: 'comparison' }>,
  negated: boolean,
  inside: boolean,
  context: Context,
): Expr | undefined {
  const typed = lowerOperand(node.left, context);
  if (!typed) return undefined;
  const { operand, type } = inside ? eachOfArray(typed) : typed;
  if (hasEach(operand) !== inside) {
    const message = inside
      ? 'what any() and all() go through has [*]'
      : 'an operand with [*] stands for many values: it belongs in any() or all()';
    return problem(context, 'type', node.left.span, message);
  }
  if (node.relation === undefined) {
    if (type.kind !== 'Bool')
      return problem(context, 'type', node.span, `${printType(type)} is not true or false: a comparison is missing`);
    return context.build.test({ kind: 'flag', operand }, negated, node.span);
  }
  const lowered = lowerTest(operand, type, node.relation, node.span, context);
  if (!lowered) return undefined;
  return compared(lowered.test, lowered.notEqual, negated, node, context);
}

/** An array is taken value by value: `any(not flags)` means `any(not flags[*])`. */
function eachOfArray({ operand, type }: TypedOperand): TypedOperand {
  if (hasEach(operand) || type.kind !== 'Array') return { operand, type };
  return { operand: { kind: 'index', of: operand, key: 'each' }, type: type.of };
}

function compared(
  test: Test,
  notEqual: boolean,
  negated: boolean,
  node: Extract<Expression, { kind: 'comparison' }>,
  context: Context,
): Expr {
  const { build, scheme } = context;
  const { start, end } = node.span;
  const span = { start, end };
  const equal = build.test(test, notEqual !== negated, span);
  let expr = equal;
  const present =
    notEqual && !scheme.missingNotEqual && operandInfo(testOperand(test), scheme).optional
      ? presenceTest(testOperand(test), scheme)
      : undefined;
  if (present) {
    // Where `!=` of a missing value is false it is: there, and not equal.
    const both = build.and([build.test(present, false, span), build.test(test, true, span)], span);
    expr = negated ? build.not(both) : both;
  }
  const before = context.warnings.length;
  if (node.relation) warnOutOfRange(node.relation, testOperand(test), node.left, context);
  if (expr.kind === 'constant') {
    context.constants.add(spanKey(span));
    const said = context.warnings.length > before || (node.relation?.kind === 'in' && node.relation.items.length === 0);
    if (!said) context.warnings.push(constantWarning(expr.value !== negated, span, 'this'));
  }
  return expr;
}

/** Literals that the operand can never be. */
function warnOutOfRange(relation: Relation, operand: Operand, left: TreeOperand, context: Context): void {
  if (relation.kind !== 'order' && relation.kind !== 'in') return;
  const { min, max } = operandInfo(operand, context.scheme);
  const literals: readonly (TreeLiteral | SetItem)[] = relation.kind === 'order' ? [relation.value] : relation.items;
  for (const literal of literals) {
    const ends = literal.kind === 'int' ? [literal.value] : literal.kind === 'int-range' ? [literal.first, literal.last] : [];
    if (ends.every((end) => end >= min && end <= max)) continue;
    const name = left.kind === 'field' ? `\`${left.name}\`` : 'what it is compared with';
    context.warnings.push({
      code: 'out-of-range',
      message: `${literal.text} is outside of ${name}, which is ${min} to ${max}`,
      span: { start: literal.span.start, end: literal.span.end },
    });
  }
}

function lowerQuantified(node: Extract<Expression, { kind: 'quantified' }>, negated: boolean, context: Context): Expr | undefined {
  const { build } = context;
  const { quantifier, arg } = node;
  const span = { start: node.span.start, end: node.span.end };
  const quantify = (test: Test, not: boolean): Expr => build.test({ kind: 'quantified', quantifier, test, negated: not }, negated, span);
  if (arg.kind === 'field' || arg.kind === 'call' || arg.kind === 'index') {
    const typed = lowerOperand(arg, context);
    if (!typed) return undefined;
    const each = arrayOfBool(typed);
    if (!each) return problem(context, 'type', arg.span, `${quantifier}() takes an Array(Bool), and this is ${printType(typed.type)}`);
    return quantify({ kind: 'flag', operand: each }, false);
  }
  const inner = lowerNode(arg, false, true, context);
  if (!inner) return undefined;
  if (inner.kind === 'literal') return quantify(inner.test, inner.negated);
  // Some pass one or the other: some pass the one, or some the other. `all` and `and` alike.
  if (inner.kind === (quantifier === 'any' ? 'or' : 'and')) {
    const literals = inner.items.filter((item) => item.kind === 'literal');
    if (literals.length === inner.items.length && sameElements(literals)) {
      const parts = literals.map((l) => build.test({ kind: 'quantified', quantifier, test: l.test, negated: l.negated }, false, span));
      const whole = build[inner.kind](parts, span);
      return negated ? build.not(whole) : whole;
    }
  }
  if (inner.kind === 'constant') {
    const operand = firstOperand(arg, context);
    const there = operand && presenceTest(operand, context.scheme);
    if (there) return quantify(there, !inner.value);
  }
  return problem(context, 'type', arg.span, `${quantifier}() takes one comparison, or several that it can be asked of one by one`);
}

/** Whether the tests go through one array, value by value: `x[*]` and `f(x[*])[*]`. */
function sameElements(literals: readonly Literal[]): boolean {
  return new Set(literals.map(({ test }) => operandKey(elementsOf(testOperand(test))))).size === 1;
}

function elementsOf(operand: Operand): Operand {
  const call = operand.kind === 'index' && operand.key === 'each' ? operand.of : undefined;
  const arg = call?.kind === 'call' ? call.args[0] : undefined;
  return arg && isOperand(arg) && hasEach(arg) ? elementsOf(arg) : operand;
}

function arrayOfBool({ operand, type }: TypedOperand): Operand | undefined {
  if (hasEach(operand)) return type.kind === 'Bool' ? operand : undefined;
  return type.kind === 'Array' && type.of.kind === 'Bool' ? { kind: 'index', of: operand, key: 'each' } : undefined;
}

/** The operand of the first comparison; its problems have been told. */
function firstOperand(node: Expression, context: Context): Operand | undefined {
  const at = core(node);
  if (at.kind === 'combine') return at.items[0] && firstOperand(at.items[0], context);
  if (at.kind !== 'comparison') return undefined;
  const typed = lowerOperand(at.left, { ...context, problems: [] });
  return typed && eachOfArray(typed).operand;
}

function warnImpossible(expr: Expr, tree: Tree, context: Context): void {
  for (const part of impossibleParts(expr, context.scheme)) {
    const span = part.span ?? { start: tree.root.span.start, end: tree.root.span.end };
    const message = 'this is never true: what it asks for is of different protocols or address families';
    context.warnings.push({ code: 'never-true', message, span });
  }
}

function warnUnguarded(expr: Expr, guarded: readonly number[], context: Context): void {
  for (const literal of unguardedNegations(expr, context.scheme, guarded)) {
    if (!literal.span) continue;
    const operand = testOperand(literal.test);
    const { protocol } = presence(operand, context.scheme);
    context.warnings.push({
      code: 'unguarded-negation',
      message: `this is true of every packet that has no \`${operandKey(operand)}\` too; add \`ip.proto.num == ${protocol}\` if only packets of that protocol are meant`,
      span: literal.span,
    });
  }
}

function checkCost(expr: Expr, tree: Tree, most: number, context: Context): void {
  const total = cost(expr);
  if (total <= most) return;
  const part = costliest(expr);
  const span = part.span ?? tree.root.span;
  const text = tree.text.slice(span.start, span.end);
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  problem(
    context,
    'too-costly',
    span,
    `the expression costs ${total} steps a packet, and ${most} are allowed; ${cost(part)} of them are \`${shown}\``,
  );
}
