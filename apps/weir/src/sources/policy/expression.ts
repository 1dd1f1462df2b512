import { applyTables } from '@weir/filter/eval';
import { lower, type ProblemCode, type WarningCode } from '@weir/filter/ir';
import { type Hook, PACKET_SCHEME } from '@weir/filter/scheme';
import { type Argument, type Expression, type Operand, parse, type Tree } from '@weir/filter/syntax';
import type { Code } from '../yaml/codes.ts';
import type { Place } from '../yaml/source-text.ts';
import type { Report } from '../yaml/tree.ts';
import type { Condition } from './conditions.ts';
import type { Lists } from './lists.ts';
import type { Protocol } from './raw.ts';
import { placeInScalar } from './scalar-place.ts';
import type { PolicyTables } from './tables.ts';

const PROBLEMS: { readonly [C in ProblemCode]: Code } = {
  type: 'E033',
  'unknown-field': 'E033',
  'unknown-list': 'E036',
  hook: 'E035',
  'needs-table': 'E041',
  pattern: 'E033',
  bounds: 'E034',
  'too-costly': 'E034',
};
const WARNINGS: { readonly [C in WarningCode]: Code } = {
  'never-true': 'W011',
  'always-true': 'W011',
  'out-of-range': 'W011',
  'empty-set': 'W011',
  'unguarded-negation': 'W007',
};
const TABLE_HINT = 'name a file in the MaxMind DB format: tables: { country: FILE, asnum: FILE }';
/** The protocol numbers that a rule's `protocol` holds it to. */
const NUMBERS: { readonly [P in Protocol]: readonly number[] } = {
  tcp: [6],
  udp: [17],
  icmp: [1, 58],
  sctp: [132],
  gre: [47],
  esp: [50],
  any: [],
};

/** An expression as it stands in a rule. `open`: it needs parentheses in a conjunction. */
export interface WrittenExpression extends Condition {
  readonly open: boolean;
}

export interface ExpressionContext {
  readonly hooks: readonly Hook[];
  readonly protocol: Protocol;
  readonly lists: Lists;
  readonly tables: PolicyTables;
  readonly report: Report;
}

/**
 * Reads the `expression:` of a rule, the scalar at `place` whose value is `written`. Mistakes are reported where they stand in the file; undefined when there is one.
 */
export function readExpression(written: string, place: Place, context: ExpressionContext): WrittenExpression | undefined {
  const { lists, report } = context;
  const tell = (code: Code, message: string, span: { readonly start: number; readonly end: number }, hint?: string): void =>
    report(code, placeInScalar(place, written, span.start, span.end), message, hint);
  if (written.trim() === '') {
    report('E033', place, 'an expression is expected', 'leave expression out where there is none');
    return undefined;
  }
  const parsed = parse(written, PACKET_SCHEME);
  if ('problem' in parsed) {
    tell('E033', parsed.problem.message, parsed.problem.span);
    return undefined;
  }
  const { tree } = parsed;
  const named = listUses(tree.root);
  for (const { name, start, end } of named) {
    if (!lists.find(name)) lists.reportUnknown(name, placeInScalar(place, written, start, end), report);
  }
  const constants = named.filter(({ name }) => lists.find(name)?.kind === 'constant');
  const guarded = NUMBERS[context.protocol];
  const tables = { asnum: context.tables.named.has('asnum'), country: context.tables.named.has('country') };
  const lowered = lower(tree, PACKET_SCHEME, { lists: lists.definitions, hooks: context.hooks, guarded, tables });
  const { warnings, problems } = lowered;
  for (const { code, message, span } of problems) {
    if (code !== 'unknown-list')
      tell(PROBLEMS[code], message, span, code === 'needs-table' ? TABLE_HINT : code === 'hook' ? hookHint(message, context) : undefined);
  }
  for (const { code, message, span } of warnings) tell(WARNINGS[code], message, span);
  const { root } = tree;
  const expr = lowered.expr && applyTables(lowered.expr, context.tables.usable, PACKET_SCHEME);
  if (expr?.kind === 'constant' && lowered.expr?.kind !== 'constant') {
    tell('W011', `the whole expression is ${expr.value ? 'always' : 'never'} true with these tables`, root.span);
  }
  return expr && { expr, text: onOneLine(inline(tree, constants, lists)), open: root.kind === 'combine' && root.op !== 'and' };
}

/** What to ask for instead of a source where a process only asks for a connection. */
function hookHint(message: string, { hooks }: ExpressionContext): string | undefined {
  const [, rest] = /^`(?:ip|tcp|udp|sctp)\.src(\S*)`/.exec(message) ?? [];
  if (rest === undefined || !hooks.includes('connect')) return undefined;
  return 'the source is not chosen yet when a process connects: ask for the destination, or judge the packets at output';
}

/** `$name` in a text. */
interface ListUse {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The lists that an expression names, in the order of its text. */
function listUses(node: Expression): readonly ListUse[] {
  const uses: ListUse[] = [];
  visit(node, uses);
  return uses;
}

function visit(node: Expression | Operand | Argument, uses: ListUse[]): void {
  switch (node.kind) {
    case 'combine':
      for (const item of node.items) visit(item, uses);
      return;
    case 'not':
    case 'quantified':
      visit(node.arg, uses);
      return;
    case 'group':
      visit(node.inner, uses);
      return;
    case 'comparison':
      visit(node.left, uses);
      if (node.relation?.kind === 'in-list') {
        const { list } = node.relation;
        uses.push({ name: list, start: node.span.end - list.length - 1, end: node.span.end });
      }
      return;
    case 'call':
      for (const arg of node.args) visit(arg, uses);
      return;
    case 'index':
      visit(node.of, uses);
      return;
    case 'field':
    case 'int':
    case 'ip':
    case 'bytes':
    case 'word':
      return;
  }
}

/** The text of the expression with the members of constant lists in the place of their names. */
function inline({ text, root }: Tree, constants: readonly ListUse[], lists: Lists): string {
  let out = '';
  let at = root.span.start;
  for (const { name, start, end } of constants) {
    const list = lists.find(name);
    if (list?.kind !== 'constant') continue;
    out += `${text.slice(at, start)}{${list.text}}`;
    at = end;
  }
  return out + text.slice(at, root.span.end);
}

/** Line breaks between words become spaces; those in strings stay. */
function onOneLine(text: string): string {
  if (!text.includes('\n')) return text;
  return text.replace(/r(#*)"[\s\S]*?"\1|"(?:[^"\\]|\\.)*"|\s*\n\s*/g, (match) => (match.trim() === '' ? ' ' : match));
}
