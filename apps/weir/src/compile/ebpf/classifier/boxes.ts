import { evaluate } from '@weir/filter/eval';
import { conjunctionOf, type Expr, type Literal, operandLeaves, testOperand, toBoxes } from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { TCP_FLAGS } from '../../tcp-flags.ts';
import type { Known } from '../expression.ts';
import {
  addressRegion,
  bitsRegion,
  type Dimension,
  dimensionOf,
  equalRegions,
  intersectRegions,
  isEmptyRegion,
  isWholeRegion,
  numberRegion,
  PORT_FIELDS,
  PROTOCOL_DIMENSION,
  protocolRegion,
  type Region,
  unionRegions,
} from './dimension.ts';

/** What a rule asks of one dimension. */
export interface Part {
  readonly dimension: Dimension;
  readonly region: Region;
  /** What says the same as code, where that is less than the whole rule; a port's says of which protocol as well. */
  readonly literal: Literal | undefined;
}

/** A rule, or one of the cases of a rule: what is asked of dimensions, and what is left to ask of a packet by code. All must hold. */
export interface RuleBox {
  readonly parts: readonly Part[];
  readonly rest: readonly Expr[];
}

/** A rule becomes at most so many boxes; one that would be more is left to code. */
const MOST_BOXES = 8;

/** The cases of an expression, which may overlap; none for one that no packet passes. Exactly the packets that pass the expression are in one of them. */
export function boxesOf(expression: Expr, known: Known | undefined): readonly RuleBox[] {
  const simple = conjunctionOf(expression);
  if (simple) return boxOf(simple, [], known);
  if (expression.kind === 'constant') return [];
  const cases = toBoxes(expression, MOST_BOXES)?.map(({ literals }) => boxOf(literals, [], known));
  if (cases) {
    const boxes = merge(cases.flat());
    // Code for several cases of a rule costs more than code for the rule.
    if (boxes.length === 1 || boxes.every(({ rest }) => rest.length === 0)) return boxes;
  }
  if (expression.kind !== 'and') return [{ parts: [], rest: [expression] }];
  const literals = expression.items.filter((item) => item.kind === 'literal');
  return boxOf(
    literals,
    expression.items.filter((item) => item.kind !== 'literal'),
    known,
  );
}

/** One box or, where the literals contradict one another, none. */
function boxOf(literals: readonly Literal[], others: readonly Expr[], known: Known | undefined): readonly RuleBox[] {
  const parts: Part[] = [];
  const rest: Expr[] = [...others];
  const negatedPorts: Literal[] = [];
  for (const literal of literals) {
    const { test, negated } = literal;
    if (isKnown(literal, known)) {
      if (!evaluate(literal, known.subject)) return [];
      continue;
    }
    const name = 'operand' in test && test.operand.kind === 'field' ? test.operand.name : undefined;
    const port = name !== undefined && test.kind === 'int' ? PORT_FIELDS.get(name) : undefined;
    if (port && negated) {
      // What it says depends on the protocol.
      negatedPorts.push(literal);
      continue;
    }
    if (port && test.kind === 'int') {
      parts.push({ dimension: port.dimension, region: numberRegion(port.dimension, test.set, false), literal });
      parts.push({ dimension: PROTOCOL_DIMENSION, region: protocolRegion(port.protocol), literal });
      continue;
    }
    const part = name === undefined ? undefined : partOf(name, literal);
    if (part) parts.push(part);
    else rest.push(literal);
  }
  const protocol = onlyProtocol(parts);
  for (const literal of negatedPorts) {
    const part = negatedPort(literal, protocol);
    if (part === undefined) rest.push(literal);
    else if (part !== 'always') parts.push(part);
  }
  const joined = join(parts);
  return joined ? [{ parts: joined, rest }] : [];
}

function isKnown({ test }: Literal, known: Known | undefined): known is Known {
  return known !== undefined && operandLeaves(testOperand(test)).every((leaf) => leaf.kind === 'field' && known.fields.has(leaf.name));
}

function partOf(name: string, literal: Literal): Part | undefined {
  const { test, negated } = literal;
  const make = (field: string, region: (dimension: Dimension) => Region | undefined): Part | undefined => {
    const dimension = dimensionOf(field);
    const made = dimension && region(dimension);
    return made && { dimension, region: made, literal };
  };
  switch (test.kind) {
    case 'ip':
      return make(name, (dimension) => (dimension.kind === 'address' ? addressRegion(test.set, negated) : undefined));
    case 'int':
      return make(name, (dimension) => (dimension.kind === 'number' ? numberRegion(dimension, test.set, negated) : undefined));
    case 'bits': {
      const mask = Number(BigInt.asUintN(32, BigInt(test.mask)));
      return make(name, (dimension) => (dimension.max <= 255 ? bitsRegion(dimension, mask, negated) : undefined));
    }
    case 'flag': {
      if (name === 'ip.frag' || name === 'ip6.frag_more') return make(name, (dimension) => bitsRegion(dimension, 1, negated));
      const bit = TCP_FLAGS[name];
      return bit === undefined ? undefined : make('tcp.flags', (dimension) => bitsRegion(dimension, bit, negated));
    }
    case 'bytes': {
      if (name !== 'ip.proto') return undefined;
      const numbers = test.values.map((value) => IP_PROTOCOLS[new TextDecoder().decode(value)]).filter((one) => one !== undefined);
      const set = numbers.sort((a, b) => a - b).map((one) => ({ first: one, last: one }));
      return make('ip.proto.num', (dimension) => numberRegion(dimension, set, negated));
    }
    default:
      return undefined;
  }
}

/** The protocols that are left, when all of what is said of them is taken together. */
function onlyProtocol(parts: readonly Part[]): Region | undefined {
  const regions = parts.filter(({ dimension }) => dimension === PROTOCOL_DIMENSION).map(({ region }) => region);
  return regions.length === 0 ? undefined : regions.reduce(intersectRegions);
}

/** The port is of another value or missing: a part where the packet is of its protocol, nothing where it is of others. */
function negatedPort(literal: Literal, protocols: Region | undefined): Part | 'always' | undefined {
  const { test } = literal;
  if (test.kind !== 'int' || test.operand.kind !== 'field' || !protocols) return undefined;
  const port = PORT_FIELDS.get(test.operand.name);
  if (!port) return undefined;
  const own = protocolRegion(port.protocol);
  if (isEmptyRegion(intersectRegions(protocols, own))) return 'always';
  if (!equalRegions(protocols, own)) return undefined;
  // It holds only together with the protocol, so where it is code, all of the literal is.
  return { dimension: port.dimension, region: numberRegion(port.dimension, test.set, true), literal };
}

/** One part for each dimension, without those that take everything; undefined when a dimension is left without values. */
function join(parts: readonly Part[]): readonly Part[] | undefined {
  const out: Part[] = [];
  for (const part of parts) {
    const at = out.findIndex(({ dimension }) => dimension === part.dimension);
    const before = out[at];
    if (before) out[at] = { dimension: part.dimension, region: intersectRegions(before.region, part.region), literal: undefined };
    else out.push(part);
  }
  if (out.some(({ region }) => isEmptyRegion(region))) return undefined;
  return out.filter(({ dimension, region }) => !isWholeRegion(dimension, region));
}

/** Cases that differ in one dimension only become one: the ports of TCP, UDP and SCTP. */
function merge(boxes: readonly RuleBox[]): readonly RuleBox[] {
  const out: RuleBox[] = [];
  for (const box of boxes) {
    const at = out.findIndex((other) => union(other, box) !== undefined);
    const merged = at < 0 ? undefined : union(out[at] ?? box, box);
    if (merged) out[at] = merged;
    else out.push(box);
  }
  return out;
}

function union(a: RuleBox, b: RuleBox): RuleBox | undefined {
  if (a.rest.length > 0 || b.rest.length > 0 || a.parts.length !== b.parts.length) return undefined;
  let different: Dimension | undefined;
  for (const { dimension, region } of a.parts) {
    const other = b.parts.find((part) => part.dimension === dimension);
    if (!other) return undefined;
    if (equalRegions(region, other.region)) continue;
    if (different) return undefined;
    different = dimension;
  }
  const parts = a.parts.flatMap((part): readonly Part[] => {
    if (part.dimension !== different) return [{ ...part, literal: undefined }];
    const other = b.parts.find(({ dimension }) => dimension === different);
    const region = other ? unionRegions(part.region, other.region) : part.region;
    return isWholeRegion(part.dimension, region) ? [] : [{ dimension: part.dimension, region, literal: undefined }];
  });
  return { parts, rest: [] };
}
