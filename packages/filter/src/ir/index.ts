/** The typed form of expressions. */
export { type ExprBuilder, exprBuilder, packetExpr } from './build.ts';
export { type Box, boxOf, conjunctionOf, toBoxes } from './conjunction.ts';
export { cost, MAX_COST } from './cost.ts';
export { decodeExpr } from './decode-json.ts';
export { encodeExpr, encodeIpRange, type Json } from './encode-json.ts';
export type { Constant, Expr, IpSet, IrSpan, Operand, Range, RangeSet, Test } from './expr.ts';
export type { Finding, ProblemCode, WarningCode } from './finding.ts';
export type { Literal } from './fold.ts';
export { canonicalInt, compareInt, MAX_INT, MIN_INT, maxInt, minInt, nextInt, previousInt } from './int.ts';
export {
  ALL_IPS,
  complementIpSet,
  containsIp,
  EMPTY_IP_SET,
  equalIpSets,
  familySet,
  includesIpSet,
  intersectIpSets,
  intToIp,
  ipRanges,
  ipSet,
  ipSetOfPrefixes,
  ipSetPrefixes,
  ipToInt,
  isEmptyIpSet,
  MAX_IP4,
  MAX_IP6,
  subtractIpSet,
  unionIpSets,
} from './ip-set.ts';
export { ExprFormatError } from './json-shape.ts';
export type { ListDefinition, ListDefinitions, ListValues } from './lists.ts';
export { type Lowered, type LowerOptions, lower } from './lower.ts';
export type { Conflict } from './merge.ts';
export { compareOctets, equalOctets, keyOctets, octetSet, octetsKey } from './octets.ts';
export {
  field,
  hasEach,
  isOperand,
  type OperandInfo,
  operandInfo,
  operandKey,
  operandLeaves,
  type Presence,
  presence,
  rootField,
  testOperand,
} from './operand.ts';
export {
  clampSet,
  complementSet,
  containsInt,
  countMembers,
  EMPTY_SET,
  equalSets,
  includesSet,
  intersectSets,
  interval,
  intSet,
  onlyMember,
  overlapsSet,
  rangeSet,
  subtractSet,
  unionSets,
} from './range-set.ts';
export { exprToTree, printExpr } from './text.ts';
