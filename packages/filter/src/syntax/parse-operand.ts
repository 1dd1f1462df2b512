import { equalType, type FunctionDefinition, type Parameter, printType, type Type } from '../scheme/index.ts';
import { type Context, deeper, type TypedOperand } from './context.ts';
import { didYouMean, lexIdentifier, suggest } from './identifier.ts';
import { lexString } from './lex-bytes.ts';
import { lexInt } from './lex-int.ts';
import { lexLiteral } from './parse-comparison.ts';
import { closing, parseValue } from './parse-expression.ts';
import type { Argument, IndexKey, Literal, Operand } from './tree.ts';
import { unexpected } from './unexpected.ts';
import { decodeUtf8 } from './utf8.ts';

const LITERAL_START = /"|r["#]|[0-9A-Fa-f]{2}[:.-][0-9A-Fa-f]{2}/y;
const NUMBER_START = /-?[0-9]/y;
const NAME = /[A-Za-z0-9_.]+/y;
const MAX_INDEX = 2 ** 32 - 1;
const EXPECTED = 'expected a field, a function, not, any, all or (';

/** A field or a call, with indexes right after it. */
export function parseOperand(p: Context, depth: number): TypedOperand {
  const { c, scheme } = p;
  const start = c.at;
  if (c.sees('\t')) c.fail('a tab is no white space here: only space, CR and LF are', start, start + 1);
  const name = lexIdentifier(c, EXPECTED);
  const field = scheme.fields.get(name);
  const definition = scheme.functions.get(name);
  if (field) return parseIndexes(p, { kind: 'field', name, span: c.span(start) }, field.type);
  if (definition) {
    const { node, type } = parseCall(p, depth, definition, start);
    return parseIndexes(p, node, type);
  }
  if (name === 'any' || name === 'all') c.fail(`${name} takes its argument in parentheses: ${name}(...)`, start);
  const hint =
    c.text.slice(Math.max(0, start - 3), start) === 'not'
      ? `; not needs no space after it, so not${name} is read as not ${name}`
      : suggest(scheme, name);
  return c.fail(`unknown identifier ${name}${hint}`, start);
}

/** From behind the function's name on. */
function parseCall(p: Context, depth: number, definition: FunctionDefinition, start: number): { node: Operand; type: Type } {
  const { c } = p;
  const { name, parameters } = definition;
  c.skipSpace();
  const open = c.at;
  const count = `${name} takes ${parameters.length} ${parameters.length === 1 ? 'argument' : 'arguments'}`;
  if (!c.sees('(')) c.fail(`${name} is a function: expected (`, c.at, c.at + 1);
  const inside = deeper(p, depth);
  c.take('(');
  const args: Argument[] = [];
  const spelling: string[] = [];
  let each = false;
  let from = start;
  for (const [index, parameter] of parameters.entries()) {
    c.skipSpace();
    if (c.sees(')')) c.fail(`${count}, here are ${index}`, start, c.at + 1);
    if (index > 0 && !c.take(',')) unexpected(p, c.at, `${count}: expected ,`);
    c.skipSpace();
    spelling.push(c.from(from));
    const argument = parseArgument(p, inside, name, parameter, index);
    args.push(argument.node);
    each ||= argument.each;
    from = c.at;
  }
  c.skipSpace();
  if (c.sees(',')) c.fail(`${count}, here are more`, start, c.at + 1);
  c.at = from;
  spelling.push(closing(p, open, 'expected ) of'));
  const span = c.span(start);
  const literals = args.flatMap((arg) => (arg.kind === 'int' ? [arg.value] : []));
  const problem = definition.check?.(literals);
  if (problem !== undefined) c.fail(`${name}: ${problem}`, start);
  return {
    node: { kind: 'call', name, args, span, spelling },
    type: each ? { kind: 'Array', of: definition.returns } : definition.returns,
  };
}

function parseArgument(p: Context, depth: number, name: string, parameter: Parameter, index: number): { node: Argument; each: boolean } {
  const { c } = p;
  const start = c.at;
  const which = `argument ${index + 1} of ${name}`;
  if (parameter.words) return { node: parseWord(p, parameter.words, which), each: false };
  const type = printType(parameter.type);
  if (parameter.accepts === 'literal') {
    if (parameter.type.kind === 'Int' && c.look(NUMBER_START) === '') c.fail(`${which} is a literal of type ${type}`, start, start + 1);
    return { node: lexLiteral(c, parameter.type), each: false };
  }
  // What looks like a pair of hex digits can be a field as well (`ab.cd`): a field goes first.
  const literal = c.look(LITERAL_START) !== '' && !p.scheme.fields.has(c.look(NAME));
  if (literal && parameter.accepts === 'value') c.fail(`${which} is a field or a call, not a literal`, start, start + 1);
  if (literal) return { node: lexLiteral(c, parameter.type), each: false };
  const value = parseValue(p, depth);
  const { end } = value.node.span;
  const given = 'array' in value ? (value.array ? 'Array(Bool)' : 'Bool') : printType(value.type);
  if ('array' in value || !equalType(value.type, parameter.type))
    return c.fail(`${which} is of type ${type}, here is ${given}`, start, end);
  if (value.each && index > 0) c.fail(`[*] is for the first argument of ${name} only`, start, end);
  return { node: value.node, each: value.each };
}

function parseWord(p: Context, words: readonly string[], which: string): Literal {
  const { c } = p;
  const start = c.at;
  const text = lexIdentifier(c, `${which} is one of ${words.join(' ')}`);
  if (!words.includes(text)) c.fail(`${which} is one of ${words.join(' ')}, not ${text}${didYouMean(text, words)}`, start);
  return { kind: 'word', value: text, text, span: c.span(start) };
}

function parseIndexes(p: Context, operand: Operand, operandType: Type): TypedOperand {
  const { c } = p;
  let node = operand;
  let type = operandType;
  let each = false;
  while (c.sees('[')) {
    const start = c.at;
    c.take('[');
    c.skipSpace();
    const key = parseKey(p);
    c.skipSpace();
    if (!c.take(']')) c.fail('expected ]', c.at, c.at + 1);
    const wanted = key.kind === 'each' ? undefined : key.kind === 'array-index' ? 'Array' : 'Map';
    if ((type.kind !== 'Array' && type.kind !== 'Map') || (wanted !== undefined && type.kind !== wanted)) {
      const has = type.kind === 'Array' ? '[0] or [*]' : type.kind === 'Map' ? '["key"] or [*]' : 'no index';
      return c.fail(`a value of type ${printType(type)} takes ${has}`, start);
    }
    type = type.of;
    each ||= key.kind === 'each';
    node = { kind: 'index', of: node, key, span: c.span(operand.span.start), spelling: ['', c.from(start)] };
  }
  return { node, type, each };
}

function parseKey({ c }: Context): IndexKey {
  const start = c.at;
  if (c.take('*')) return { kind: 'each' };
  if (c.sees('"')) {
    const { value } = lexString(c);
    if (decodeUtf8(value) === undefined) c.fail('a key is UTF-8', start);
    return { kind: 'map-key', value };
  }
  if (c.look(NUMBER_START) === '') c.fail('expected a number, a string or * inside [ ]', start, start + 1);
  const { value } = lexInt(c);
  if (value < 0 || value > MAX_INDEX) c.fail(`an index is from 0 to ${MAX_INDEX}`, start);
  return { kind: 'array-index', value: Number(value) };
}
