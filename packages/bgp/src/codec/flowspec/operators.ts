import type { Writer } from '@weir/wire/bytes';
import {
  type AnyOf,
  type BitmaskKind,
  type BitmaskTest,
  FragmentBit,
  type NumericKind,
  type NumericOperator,
  type NumericTest,
} from './component.ts';
import { FlowError } from './error.ts';

/**
 * Lists of operators with values. Both kinds of operator have the same first half; the reserved bits are not looked at (RFC 8955 section 4.2.1).
 *
 *       0   1   2   3   4   5   6   7
 *     | e | a |  len  | 0 |lt |gt |eq |    numeric
 *     | e | a |  len  | 0 | 0 |not| m |    bitmask
 *
 * e ends the list, a joins with the test before by AND, the value has 1 << len octets.
 */
const END = 0x80;
const AND = 0x40;
const NOT = 0x02;
const MATCH_ALL = 0x01;

/** By the bits lt, gt, eq (RFC 8955 table 1). */
const NUMERIC: readonly NumericOperator[] = ['false', '==', '>', '>=', '<', '<=', '!=', 'true'];

/** Octets that a value may have, and where that is said, for those components where another number is malformed. */
const WIDTHS: Partial<Readonly<Record<NumericKind | BitmaskKind, readonly [most: number, rfc: string]>>> = {
  'tcp-flags': [2, 'RFC 8955 section 4.2.2.9'],
  dscp: [1, 'RFC 8955 section 4.2.2.11'],
  fragment: [1, 'RFC 8955 section 4.2.2.12'],
};

/** A place in the octets of one flow specification that ends at `end`. */
export interface FlowCursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

interface Operator {
  readonly op: number;
  readonly width: number;
  /** Where the value begins. */
  readonly value: number;
}

function takeOperator(c: FlowCursor, kind: NumericKind | BitmaskKind): Operator {
  if (c.at >= c.end) throw new FlowError(`${kind}: the list of operators does not end`, c.at, 'RFC 8955 section 4.2.1');
  const op = c.bytes[c.at] as number;
  const width = 1 << ((op >> 4) & 3);
  const most = WIDTHS[kind];
  if (most !== undefined && width > most[0]) throw new FlowError(`${kind}: a value of ${width} octets, at most ${most[0]}`, c.at, most[1]);
  if (c.end - c.at - 1 < width) {
    throw new FlowError(`${kind}: a value of ${width} octets, ${c.end - c.at - 1} left`, c.at, 'RFC 8955 section 4.2.1');
  }
  const value = c.at + 1;
  c.at = value + width;
  return { op, width, value };
}

/** An operator list as alternatives; the AND bit of the first operator is not looked at (RFC 8955 section 4.2.1.1). */
function takeList<T>(c: FlowCursor, kind: NumericKind | BitmaskKind, test: (o: Operator) => T): AnyOf<T> {
  const anyOf: T[][] = [];
  let last: T[] | undefined;
  for (;;) {
    const o = takeOperator(c, kind);
    const one = test(o);
    if (last !== undefined && (o.op & AND) !== 0) last.push(one);
    else {
      last = [one];
      anyOf.push(last);
    }
    if ((o.op & END) !== 0) return anyOf;
  }
}

function unsigned(bytes: Uint8Array, at: number, width: number): number | bigint {
  let value = 0;
  if (width < 8) {
    for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
    return value;
  }
  const high = unsigned(bytes, at, 4) as number;
  const low = unsigned(bytes, at + 4, 4) as number;
  return high <= 0x1fffff ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
}

/** Bits of a DSCP; the others count as 0 (RFC 8955 section 4.2.2.11). */
const DSCP_BITS = 0x3f;

/** Reads a numeric operator list; the cursor moves behind it. Throws FlowError. */
export function decodeNumeric(c: FlowCursor, kind: NumericKind): AnyOf<NumericTest> {
  return takeList(c, kind, ({ op, width, value }) => {
    const number = unsigned(c.bytes, value, width);
    return { operator: NUMERIC[op & 7] as NumericOperator, value: kind === 'dscp' ? Number(number) & DSCP_BITS : number };
  });
}

/** Bits of the fragment component that mean something; the others are not looked at (RFC 8955 section 4.2.2.12, RFC 8956 section 3.6). */
export function fragmentBits(address: 4 | 6): number {
  const { dontFragment, isFragment, firstFragment, lastFragment } = FragmentBit;
  return isFragment | firstFragment | lastFragment | (address === 4 ? dontFragment : 0);
}

/** Reads a bitmask operator list; the cursor moves behind it. Throws FlowError. */
export function decodeBitmask(c: FlowCursor, kind: BitmaskKind, address: 4 | 6): AnyOf<BitmaskTest> {
  return takeList(c, kind, ({ op, width, value }) => {
    const mask = unsigned(c.bytes, value, width) as number;
    return {
      match: (op & MATCH_ALL) !== 0 ? 'all' : 'any',
      negated: (op & NOT) !== 0,
      mask: kind === 'fragment' ? mask & fragmentBits(address) : mask,
    };
  });
}

/** Writes the list with `octets` giving operator bits, value and the least width of a test. */
function encodeList<T>(
  w: Writer,
  anyOf: AnyOf<T>,
  octets: (test: T) => readonly [op: number, value: number | bigint, least: number],
): void {
  if (anyOf.length === 0 || anyOf.some((all) => all.length === 0)) throw new RangeError('a component without tests');
  anyOf.forEach((all, i) => {
    all.forEach((test, j) => {
      const [op, value, least] = octets(test);
      const end = i === anyOf.length - 1 && j === all.length - 1 ? END : 0;
      const code = Math.max(widthCode(value), least);
      w.u8(end | (j > 0 ? AND : 0) | (code << 4) | op);
      encodeUnsigned(w, value, 1 << code);
    });
  });
}

/** The shortest of 1, 2, 4 and 8 octets that hold the value, as the operator says it. */
function widthCode(value: number | bigint): number {
  if (value < 0 || (typeof value === 'number' && !Number.isInteger(value)) || value >= 2n ** 64n)
    throw new RangeError(`not a value of a flow specification: ${value}`);
  return value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
}

function encodeUnsigned(w: Writer, value: number | bigint, width: number): void {
  if (width === 8) w.u64(BigInt(value));
  else if (width === 4) w.u32(Number(value));
  else if (width === 2) w.u16(Number(value));
  else w.u8(Number(value));
}

/** A flow label is written in 4 octets (RFC 8956 section 3.7). */
const FLOW_LABEL_WIDTH = 2;

/** Writes a numeric operator list, each value in as few octets as hold it. RangeError for an empty list or a value that none holds. */
export function encodeNumeric(w: Writer, kind: NumericKind, anyOf: AnyOf<NumericTest>): void {
  encodeList(w, anyOf, ({ operator, value }) => {
    if (kind === 'dscp' && value > DSCP_BITS) throw new RangeError(`DSCP ${value} is over 63`);
    return [NUMERIC.indexOf(operator), value, kind === 'flow-label' ? FLOW_LABEL_WIDTH : 0];
  });
}

/** Writes a bitmask operator list. RangeError for an empty list or a mask that the component does not have. */
export function encodeBitmask(w: Writer, kind: BitmaskKind, address: 4 | 6, anyOf: AnyOf<BitmaskTest>): void {
  const bits = kind === 'fragment' ? fragmentBits(address) : 0xffff;
  encodeList(w, anyOf, ({ match, negated, mask }) => {
    if ((mask & ~bits) !== 0 || mask < 0) throw new RangeError(`${kind} has no bits 0x${mask.toString(16)}`);
    return [(negated ? NOT : 0) | (match === 'all' ? MATCH_ALL : 0), mask, 0];
  });
}
