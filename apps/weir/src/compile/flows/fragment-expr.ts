import { type AnyOf, type BitmaskTest, FragmentBit } from '@weir/bgp/flowspec';
import { type Expr, interval, packetExpr as x } from '@weir/filter/ir';

/** A kind of packet as the fragment component tells them apart, with its bits (RFC 8955 section 4.2.2.12, RFC 8956 section 3.6). */
interface FragmentClass {
  readonly bits: number;
  readonly expr: Expr;
}

const bit = (at: number): Expr => x.int({ kind: 'slice', protocol: 'ip', start: at, end: at + 1 }, interval(1, 1));
const DONT_FRAGMENT = bit(49);
const MORE = { 4: bit(50), 6: x.flag('ip6.frag_more') } as const;
const LATER = { 4: x.int('ip.frag_offset', interval(1, 0x1fff)), 6: x.int('ip6.frag_offset', interval(1, 0x1fff)) } as const;

/** The places of a packet in the packet that it is a part of. Of IPv6 what has no fragment header is whole, and so is an atomic fragment (RFC 6946). */
const PLACES: Readonly<Record<4 | 6, readonly FragmentClass[]>> = { 4: placesOf(4), 6: placesOf(6) };

function placesOf(family: 4 | 6): readonly FragmentClass[] {
  const [more, later] = [MORE[family], LATER[family]];
  const first = family === 4 ? x.int('ip.frag_offset', interval(0, 0)) : x.not(later);
  return [
    { bits: 0, expr: x.and([first, x.not(more)]) },
    { bits: FragmentBit.firstFragment, expr: x.and([first, more]) },
    { bits: FragmentBit.isFragment, expr: x.and([later, more]) },
    { bits: FragmentBit.isFragment | FragmentBit.lastFragment, expr: x.and([later, x.not(more)]) },
  ];
}

/** The fragment component. */
export function fragmentExpr(anyOf: AnyOf<BitmaskTest>, family: 4 | 6): Expr {
  const holds = (bits: number): boolean => anyOf.some((tests) => tests.every((test) => bitmaskHolds(test, bits)));
  const places = (bits: number): Expr => x.or(PLACES[family].filter((place) => holds(place.bits | bits)).map(({ expr }) => expr));
  // Nothing says of an IPv6 packet that routers may not fragment it: the bit is never set (RFC 8956 section 3.6).
  if (family === 6) return places(0);
  return x.or([x.and([x.not(DONT_FRAGMENT), places(0)]), x.and([DONT_FRAGMENT, places(FragmentBit.dontFragment)])]);
}

/** Whether a test of bits holds: RFC 8955 section 4.2.1.2. */
function bitmaskHolds({ match, negated, mask }: BitmaskTest, bits: number): boolean {
  const holds = match === 'all' ? (bits & mask) === mask : (bits & mask) !== 0;
  return holds !== negated;
}
