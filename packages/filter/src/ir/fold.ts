import { IP_PROTOCOLS, PACKET_SCHEME, type Scheme } from '../scheme/index.ts';
import type { Expr, IrSpan, Operand, Test } from './expr.ts';
import { andInt } from './int.ts';
import { ALL_IPS, complementIpSet, equalIpSets, isEmptyIpSet, uncutIpSet } from './ip-set.ts';
import { compareOctets, keyOctets, octetSet } from './octets.ts';
import { type OctetsTest, octetsPass } from './octets-test.ts';
import { field, isOperand, type OperandInfo, operandInfo } from './operand.ts';
import { clampSet, complementSet, interval, intSet, isInterval } from './range-set.ts';

/** A leaf of an expression. */
export type Literal = Extract<Expr, { kind: 'literal' }>;

const TRUE: Expr = { kind: 'constant', value: true };
const FALSE: Expr = { kind: 'constant', value: false };

export function constant(value: boolean, span?: IrSpan): Expr {
  if (span === undefined) return value ? TRUE : FALSE;
  return { kind: 'constant', value, span };
}

/** A test, or `never` for one that no value passes. */
export type Folded = Test | 'never';

/**
 * One literal in normal form: sets cut to what the operand can be, tests that another kind says more simply turned into it, `negated` gone where the operand is
 * never missing and the complement can be written, and constants found.
 */
export function literal(test: Test, negated: boolean, scheme: Scheme, span?: IrSpan): Expr {
  const folded = fold(test, scheme);
  if (folded === 'never') return constant(negated, span);
  const optional = testOptional(folded, scheme);
  if (!optional && isPresence(folded, scheme)) return constant(!negated, span);
  if (negated && !optional) {
    const complement = complementTest(folded, scheme);
    if (complement) return make(complement, false, span);
  }
  return make(folded, negated, span);
}

function make(test: Test, negated: boolean, span: IrSpan | undefined): Literal {
  return span === undefined ? { kind: 'literal', test, negated } : { kind: 'literal', test, negated, span };
}

/** Whether the test can be false because its operand is missing. */
function testOptional(test: Test, scheme: Scheme): boolean {
  return test.kind === 'quantified' || operandInfo(test.operand, scheme).optional;
}

/** The test that is true exactly when `test` is false, of an operand that is there; undefined when no test says it. */
function complementTest(test: Test, scheme: Scheme): Test | undefined {
  if (test.kind === 'int') {
    const { min, max } = operandInfo(test.operand, scheme);
    return { ...test, set: complementSet(test.set, min, max) };
  }
  if (test.kind === 'ip') return { ...test, set: complementIpSet(test.set) };
  return undefined;
}

/** Whether every value passes. */
function isPresence(test: Test, scheme: Scheme): boolean {
  switch (test.kind) {
    case 'int': {
      const { min, max } = operandInfo(test.operand, scheme);
      return isInterval(test.set, min, max);
    }
    case 'ip':
      return equalIpSets(test.set, ALL_IPS);
    case 'bytes-range':
      return test.above === undefined && test.below === undefined;
    default:
      return false;
  }
}

/** The test that is true when the operand has a value; undefined for a Bool, Array or Map. */
export function presenceTest(operand: Operand, scheme: Scheme): Test | undefined {
  const info = operandInfo(operand, scheme);
  switch (info.type?.kind) {
    case 'Int':
      return { kind: 'int', operand, set: interval(info.min, info.max) };
    case 'Ip':
      return { kind: 'ip', operand, set: ALL_IPS };
    case 'Bytes':
      return { kind: 'bytes-range', operand, above: undefined, below: undefined };
    default:
      return undefined;
  }
}

/** The test in its simplest form; `never` when no value passes it. */
export function fold(test: Test, scheme: Scheme): Folded {
  switch (test.kind) {
    case 'int':
      return foldInt(test, operandInfo(test.operand, scheme));
    case 'bits':
      return foldBits(test, operandInfo(test.operand, scheme));
    case 'ip':
      return foldIp(test);
    case 'bytes': {
      const values = octetSet(test.values).filter((value) => canBe(test.operand, value));
      return values.length === 0 ? 'never' : foldProtocol({ ...test, values }, scheme);
    }
    case 'bytes-range': {
      const folded = foldBytesRange(test);
      return folded === 'never' ? folded : foldProtocol(folded, scheme);
    }
    case 'contains':
      if (test.needle.length > 0) return foldProtocol(test, scheme);
      return foldProtocol({ kind: 'bytes-range', operand: test.operand, above: undefined, below: undefined }, scheme);
    case 'matches':
    case 'wildcard':
      return foldProtocol(test, scheme);
    case 'quantified':
      return foldQuantified(test, scheme);
    case 'flag':
    case 'list':
      return test;
  }
}

function foldInt(test: Extract<Test, { kind: 'int' }>, info: OperandInfo): Folded {
  const set = clampSet(test.set, info.min, info.max);
  return set.length === 0 ? 'never' : set === test.set ? test : { ...test, set };
}

/** Bits that no value has are dropped; the mask of all bits asks for anything but zero. */
function foldBits(test: Extract<Test, { kind: 'bits' }>, { min, max }: OperandInfo): Folded {
  if (test.mask === 0) return 'never';
  if (min < 0) return test;
  const all = (1n << BigInt(BigInt(max).toString(2).length)) - 1n;
  const mask = andInt(test.mask, all);
  if (mask === 0) return 'never';
  if (BigInt(mask) === all) return { kind: 'int', operand: test.operand, set: interval(1, max) };
  return mask === test.mask ? test : { ...test, mask };
}

/** `cidr(x, n4, n6)` asks for ranges of x. */
function foldIp(test: Extract<Test, { kind: 'ip' }>): Folded {
  let { operand, set } = test;
  while (operand.kind === 'call' && operand.name === 'cidr') {
    const [inner, bits4, bits6] = operand.args;
    if (!inner || !isOperand(inner) || bits4?.kind !== 'int' || bits6?.kind !== 'int') break;
    set = uncutIpSet(set, Number(bits4.value), Number(bits6.value));
    operand = inner;
  }
  if (isEmptyIpSet(set)) return 'never';
  return operand === test.operand ? test : { kind: 'ip', operand, set };
}

/** Whether a call can give the value: `lower` gives no capitals. */
function canBe(operand: Operand, value: Uint8Array): boolean {
  if (operand.kind !== 'call') return true;
  if (operand.name === 'lower') return !value.some((c) => c >= 0x41 && c <= 0x5a);
  if (operand.name === 'upper') return !value.some((c) => c >= 0x61 && c <= 0x7a);
  return true;
}

function foldBytesRange(test: Extract<Test, { kind: 'bytes-range' }>): OctetsTest | 'never' {
  const { operand, below } = test;
  // Every value comes after the empty one or is it.
  const above = test.above?.included && test.above.value.length === 0 ? undefined : test.above;
  if (below && !below.included && below.value.length === 0) return 'never';
  const lowest = above ?? { value: new Uint8Array(0), included: true };
  if (below) {
    const order = compareOctets(lowest.value, below.value);
    if (order > 0 || (order === 0 && !(lowest.included && below.included))) return 'never';
    if (order === 0) return canBe(operand, below.value) ? { kind: 'bytes', operand, values: [below.value] } : 'never';
  }
  return above === test.above ? test : { ...test, above };
}

const PROTOCOLS = Object.entries(IP_PROTOCOLS).map(([name, number]) => ({ name: keyOctets(name), number }));
const PROTOCOL_NUMBER = field('ip.proto.num');

/** Names of protocols are their numbers: `ip.proto == "tcp"` asks for `ip.proto.num == 6`, and so does any other question about its octets. */
function foldProtocol(test: OctetsTest, scheme: Scheme): Folded {
  if (test.operand.kind !== 'field' || test.operand.name !== 'ip.proto') return test;
  if (scheme.fields.get('ip.proto') !== PACKET_SCHEME.fields.get('ip.proto')) return test;
  const numbers = PROTOCOLS.filter(({ name }) => octetsPass(test, name)).map(({ number }) => number);
  return numbers.length === 0 ? 'never' : { kind: 'int', operand: PROTOCOL_NUMBER, set: intSet(...numbers) };
}

/** The values that a quantified test goes through are there, so its own negation is folded as of an operand that is never missing. */
function foldQuantified(test: Extract<Test, { kind: 'quantified' }>, scheme: Scheme): Folded {
  const inner = literal(test.test, test.negated, scheme);
  if (inner.kind !== 'literal') {
    // Some of no values: false. All of them: whatever there is passes, or none may be there; both need to look.
    if (inner.kind === 'constant' && test.quantifier === 'any' && !inner.value) return 'never';
    return test;
  }
  if (inner.test === test.test && inner.negated === test.negated) return test;
  return { ...test, test: inner.test, negated: inner.negated };
}
