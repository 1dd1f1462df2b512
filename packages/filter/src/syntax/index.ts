/** Expressions as text. */
export {
  BUILT,
  bytesLiteral,
  call,
  combine,
  comparison,
  field,
  group,
  index,
  intLiteral,
  intRange,
  ipLiteral,
  ipRange,
  not,
  patternLiteral,
  prefixItem,
  quantified,
  wordLiteral,
} from './build.ts';
export { MAX_NESTING } from './context.ts';
export { type Json, printJson, treeToJson } from './json.ts';
export { MAX_LENGTH, type ParseOptions, type ParseResult, parse } from './parse.ts';
export { print, printNode } from './print.ts';
export { position, printProblem } from './problem.ts';
export {
  type AutomatonLimits,
  type ByteRegex,
  compileRegex,
  MATCHED_ALREADY,
  type RegexAutomaton,
  regexAutomaton,
} from './regex/index.ts';
export { replaceNode } from './replace.ts';
export type {
  Argument,
  BytesLiteral,
  Expression,
  IndexKey,
  IntLiteral,
  IpLiteral,
  Literal,
  Node,
  Operand,
  OrderOp,
  Relation,
  SetItem,
  Span,
  Spelling,
  SyntaxProblem,
  Tree,
} from './tree.ts';
export { parseWildcard, type WildcardResult } from './wildcard.ts';
