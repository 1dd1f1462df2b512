import { BYTES, type Field, type Hook, INT, printType, type Scheme, type Type } from '../scheme/index.ts';
import type { Argument, Operand as TreeOperand } from '../syntax/tree.ts';
import type { Constant, IrSpan, Operand } from './expr.ts';
import { type Finding, nearest, type ProblemCode } from './finding.ts';
import { hasEach } from './operand.ts';

/** What lowering needs to know of operands, and where it says what is wrong. */
export interface OperandContext {
  readonly scheme: Scheme;
  readonly hooks: readonly Hook[];
  readonly tables: { readonly asnum: boolean; readonly country: boolean };
  readonly problems: Finding<ProblemCode>[];
}

export interface TypedOperand {
  readonly operand: Operand;
  /** Of one value, where the operand has `[*]`. */
  readonly type: Type;
}

/** Hooks at which there is a packet to take bits from. */
const PACKET_HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc'];
const MAX_SLICE_BITS = 32;
const MAX_SLICE_OFFSET = 2040;

/** Undefined when something is wrong with it, which is then among the problems. */
export function lowerOperand(node: TreeOperand, context: OperandContext): TypedOperand | undefined {
  switch (node.kind) {
    case 'field':
      return lowerField(node.name, node.span, context);
    case 'call':
      return node.name === 'bit_slice' ? lowerSlice(node, context) : lowerCall(node, context);
    case 'index':
      return lowerIndex(node, context);
  }
}

function problem(context: OperandContext, code: ProblemCode, span: IrSpan, message: string): undefined {
  context.problems.push({ code, message, span: { start: span.start, end: span.end } });
  return undefined;
}

function lowerField(name: string, span: IrSpan, context: OperandContext): TypedOperand | undefined {
  const { scheme, tables } = context;
  const found = scheme.fields.get(name);
  if (!found) {
    const near = nearest(name, scheme.fields.keys());
    return problem(
      context,
      'unknown-field',
      span,
      `there is no field \`${name}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`,
    );
  }
  checkHooks(`\`${name}\``, found.hooks, span, context);
  const table = neededTable(found);
  if (table !== undefined && !tables[table]) {
    const what = table === 'asnum' ? 'AS numbers' : 'countries';
    problem(context, 'needs-table', span, `\`${name}\` needs a table of addresses and ${what}, and none is configured`);
  }
  return { operand: { kind: 'field', name }, type: found.type };
}

function neededTable(found: Field): 'asnum' | 'country' | undefined {
  if (/^ip\.(src|dst)\.asnum$/.test(found.name)) return 'asnum';
  return /^ip\.(src|dst)\.country$/.test(found.name) ? 'country' : undefined;
}

function checkHooks(what: string, seenAt: readonly Hook[] | undefined, span: IrSpan, context: OperandContext): void {
  if (!seenAt) return;
  const blind = context.hooks.filter((hook) => !seenAt.includes(hook));
  if (blind.length > 0)
    problem(context, 'hook', span, `${what} cannot be seen at ${listed(blind, 'or')}; it can be at ${listed(seenAt, 'and')}`);
}

function listed(words: readonly string[], last: 'and' | 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

function lowerIndex(node: Extract<TreeOperand, { kind: 'index' }>, context: OperandContext): TypedOperand | undefined {
  const of = lowerOperand(node.of, context);
  if (!of) return undefined;
  const { key } = node;
  const wanted = key.kind === 'array-index' ? 'Array' : key.kind === 'map-key' ? 'Map' : undefined;
  const { type } = of;
  if ((type.kind !== 'Array' && type.kind !== 'Map') || (wanted !== undefined && type.kind !== wanted)) {
    const how = wanted === 'Array' ? 'by number' : wanted === 'Map' ? 'by key' : 'with [*]';
    return problem(context, 'type', node.span, `${printType(type)} has no elements to take ${how}`);
  }
  return { operand: { kind: 'index', of: of.operand, key: key.kind === 'each' ? 'each' : key.value }, type: type.of };
}

type Call = Extract<TreeOperand, { kind: 'call' }>;

function lowerSlice(node: Call, context: OperandContext): TypedOperand | undefined {
  const [word, from, to] = node.args;
  const words = context.scheme.functions.get('bit_slice')?.parameters[0]?.words ?? [];
  if (word?.kind !== 'word' || !words.includes(word.value) || from?.kind !== 'int' || to?.kind !== 'int') {
    return problem(context, 'type', node.span, `bit_slice takes one of ${words.join(', ')} and two numbers`);
  }
  const start = Number(from.value);
  const end = Number(to.value);
  if (start < 0 || start > MAX_SLICE_OFFSET)
    return problem(context, 'bounds', from.span, `bit_slice starts at bit 0 to ${MAX_SLICE_OFFSET}`);
  if (end <= start || end - start > MAX_SLICE_BITS)
    return problem(context, 'bounds', to.span, `bit_slice takes 1 to ${MAX_SLICE_BITS} bits`);
  checkHooks('`bit_slice`', PACKET_HOOKS, node.span, context);
  return { operand: { kind: 'slice', protocol: word.value, start, end }, type: INT };
}

function lowerCall(node: Call, context: OperandContext): TypedOperand | undefined {
  const definition = context.scheme.functions.get(node.name);
  if (!definition) return problem(context, 'unknown-field', node.span, `there is no function \`${node.name}\``);
  const { parameters } = definition;
  if (node.args.length !== parameters.length) {
    return problem(context, 'type', node.span, `${node.name} takes ${parameters.length} argument${parameters.length === 1 ? '' : 's'}`);
  }
  const args: (Operand | Constant)[] = [];
  let many = false;
  for (const [i, arg] of node.args.entries()) {
    const parameter = parameters[i];
    const made = lowerArgument(arg, context);
    if (!made || !parameter) return undefined;
    const literal = made.constant !== undefined;
    if (
      made.type.kind !== parameter.type.kind ||
      (parameter.accepts === 'literal' && !literal) ||
      (parameter.accepts === 'value' && literal)
    ) {
      const what = parameter.accepts === 'literal' ? ' literal' : parameter.accepts === 'value' ? ' field or call' : '';
      return problem(context, 'type', arg.span, `argument ${i + 1} of ${node.name} is ${printType(parameter.type)}${what}`);
    }
    if (made.operand && hasEach(made.operand)) {
      if (i > 0) return problem(context, 'type', arg.span, `only the first argument of ${node.name} can have [*]`);
      many = true;
    }
    const value = made.constant ?? made.operand;
    if (value) args.push(value);
  }
  if (node.name === 'cidr' && !cidrFits(args)) {
    return problem(context, 'bounds', node.span, 'cidr takes a length of 0 to 32 for IPv4 and one of 0 to 128 for IPv6');
  }
  const type: Type = many ? { kind: 'Array', of: definition.returns } : definition.returns;
  return { operand: { kind: 'call', name: node.name, args }, type };
}

function cidrFits([, bits4, bits6]: readonly (Operand | Constant)[]): boolean {
  const fits = (bits: Operand | Constant | undefined, max: number): boolean => bits?.kind === 'int' && bits.value >= 0 && bits.value <= max;
  return fits(bits4, 32) && fits(bits6, 128);
}

interface TypedArgument {
  readonly type: Type;
  readonly constant?: Constant;
  readonly operand?: Operand;
}

function lowerArgument(arg: Argument, context: OperandContext): TypedArgument | undefined {
  switch (arg.kind) {
    case 'field':
    case 'call':
    case 'index':
      return lowerOperand(arg, context);
    case 'int':
      return { type: INT, constant: { kind: 'int', value: arg.value } };
    case 'bytes':
      return { type: BYTES, constant: { kind: 'bytes', value: arg.value } };
    case 'word':
      return { type: BYTES, constant: { kind: 'word', value: arg.value } };
    case 'group':
      return lowerArgument(arg.inner, context);
    case 'comparison':
      if (arg.relation === undefined) return lowerOperand(arg.left, context);
      return problem(context, 'type', arg.span, 'no function takes a comparison');
    case 'combine':
    case 'not':
    case 'quantified':
    case 'ip':
      return problem(context, 'type', arg.span, 'no function takes this as an argument');
  }
}
