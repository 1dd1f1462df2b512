import { type AnyOf, type BitmaskTest, FragmentBit } from '@weir/bgp/flowspec';
import { type Expr, interval, packetExpr as x } from '@weir/filter/ir';
import { Unsayable } from '../refusal.ts';

/** A kind of packet as the fragment component tells them apart, with its bits (RFC 8955 section 4.2.2.12, RFC 8956 section 3.6). */
interface FragmentClass {
  readonly bits: number;
  readonly expr: Expr;
}

const bit = (at: number): Expr => x.int({ kind: 'slice', protocol: 'ip', start: at, end: at + 1 }, interval(1, 1));
const DONT_FRAGMENT = bit(49);
const MORE = bit(50);
const OFFSET_0 = x.int('ip.frag_offset', interval(0, 0));
const LATER = x.int('ip.frag_offset', interval(1, 0x1fff));

const PLACES: readonly FragmentClass[] = [
  { bits: 0, expr: x.and([OFFSET_0, x.not(MORE)]) },
  { bits: FragmentBit.firstFragment, expr: x.and([OFFSET_0, MORE]) },
  { bits: FragmentBit.isFragment, expr: x.and([LATER, MORE]) },
  { bits: FragmentBit.isFragment | FragmentBit.lastFragment, expr: x.and([LATER, x.not(MORE)]) },
];

/**
 * The fragment component.
 * @throws Unsayable where IPv6 fragments have to be told apart: no field says where in its packet one begins
 */
export function fragmentExpr(anyOf: AnyOf<BitmaskTest>, family: 4 | 6): Expr {
  const holds = (bits: number): boolean => anyOf.some((tests) => tests.every((test) => bitmaskHolds(test, bits)));
  if (family === 4) {
    const sides = [
      { bits: 0, expr: x.not(DONT_FRAGMENT) },
      { bits: FragmentBit.dontFragment, expr: DONT_FRAGMENT },
    ];
    return x.or(
      sides.map((side) => x.and([side.expr, x.or(PLACES.filter((place) => holds(place.bits | side.bits)).map(({ expr }) => expr))])),
    );
  }
  const [whole, ...parts] = PLACES.map(({ bits }) => holds(bits));
  if (parts.some((part) => part !== parts[0])) throw new Unsayable('a flow rule', 'which fragment of an IPv6 packet it is');
  return x.or([whole ? x.not(x.flag('ip.frag')) : x.constant(false), parts[0] ? x.flag('ip.frag') : x.constant(false)]);
}

/** Whether a test of bits holds: RFC 8955 section 4.2.1.2. */
export function bitmaskHolds({ match, negated, mask }: BitmaskTest, bits: number): boolean {
  const holds = match === 'all' ? (bits & mask) === mask : (bits & mask) !== 0;
  return holds !== negated;
}
