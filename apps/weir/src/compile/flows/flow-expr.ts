import {
  type BitmaskTest,
  type FlowComponent,
  type FlowRule,
  isBitmaskComponent,
  isPrefixComponent,
  type PrefixComponent,
} from '@weir/bgp/flowspec';
import { containsInt, type Expr, familySet, interval, ipSetOfPrefixes, ipToInt, type Operand, packetExpr as x } from '@weir/filter/ir';
import { fragmentExpr } from './fragment-expr.ts';
import { numericSet } from './numeric-set.ts';

/** Where addresses are in an IPv6 header, in bits. */
const IPV6_AT = { source: 64, destination: 192 } as const;
/** `bit_slice` reads so many at most. */
const SLICE_BITS = 32;
/** The flags octet of a TCP header, and with it the four bits before. */
const TCP_FLAGS: Operand = { kind: 'field', name: 'tcp.flags' };
const TCP_FLAGS_12: Operand = { kind: 'slice', protocol: 'tcp', start: 100, end: 112 };

/**
 * The packets that a flow rule is about (RFC 8955 section 4, RFC 8956 section 3). A component about what a packet does not have does not hold.
 * @throws Unsayable for which fragment of an IPv6 packet it is
 */
export function flowExpr({ address, components }: FlowRule): Expr {
  const transports = transportsOf(components);
  return x.and([x.ip('ip.src', familySet(address)), ...components.map((component) => componentExpr(component, address, transports))]);
}

type Transport = 'tcp' | 'udp';

const TRANSPORTS: readonly (readonly [Transport, number])[] = [
  ['tcp', 6],
  ['udp', 17],
];

/** The protocols with ports that packets of a rule can have. */
function transportsOf(components: readonly FlowComponent[]): readonly Transport[] {
  const sets = components.flatMap((one) => (one.kind === 'protocol' ? [numericSet(one.anyOf, 0xff)] : []));
  return TRANSPORTS.filter(([, number]) => sets.every((set) => containsInt(set, number))).map(([name]) => name);
}

function componentExpr(component: FlowComponent, family: 4 | 6, transports: readonly Transport[]): Expr {
  if (isPrefixComponent(component)) return prefixExpr(component);
  if (isBitmaskComponent(component))
    return component.kind === 'fragment'
      ? fragmentExpr(component.anyOf, family)
      : x.or(component.anyOf.map((tests) => x.and(tests.map(flagsExpr))));
  const { anyOf } = component;
  const within = (field: string, most: number): Expr => x.int(field, numericSet(anyOf, most));
  switch (component.kind) {
    case 'protocol':
      return within('ip.proto.num', 0xff);
    case 'port':
      return x.or(transports.flatMap((protocol) => ['src', 'dst'].map((side) => within(`${protocol}.${side}port`, 0xffff))));
    case 'destination-port':
      return x.or(transports.map((protocol) => within(`${protocol}.dstport`, 0xffff)));
    case 'source-port':
      return x.or(transports.map((protocol) => within(`${protocol}.srcport`, 0xffff)));
    case 'icmp-type':
      return within(family === 4 ? 'icmp.type' : 'icmpv6.type', 0xff);
    case 'icmp-code':
      return within(family === 4 ? 'icmp.code' : 'icmpv6.code', 0xff);
    case 'packet-length':
      return within('ip.len', 0xffff + (family === 6 ? 40 : 0));
    case 'dscp':
      return within('ip.dscp', 0x3f);
    case 'flow-label':
      return within('ip6.flow_label', 0xfffff);
  }
}

function prefixExpr({ kind, prefix, offset }: PrefixComponent): Expr {
  if (offset === 0) return x.ip(kind === 'source' ? 'ip.src' : 'ip.dst', ipSetOfPrefixes([prefix]));
  const value = BigInt(ipToInt(prefix));
  const parts: Expr[] = [];
  for (let from = offset; from < prefix.length; from += SLICE_BITS) {
    const to = Math.min(from + SLICE_BITS, prefix.length);
    const wanted = Number((value >> BigInt(128 - to)) & ((1n << BigInt(to - from)) - 1n));
    parts.push(x.int({ kind: 'slice', protocol: 'ip6', start: IPV6_AT[kind] + from, end: IPV6_AT[kind] + to }, interval(wanted, wanted)));
  }
  return x.and(parts);
}

/** Of the 16 bits of a mask the upper four are the data offset, which is passed over (RFC 8955 section 4.2.2.9). */
function flagsExpr({ match, negated, mask }: BitmaskTest): Expr {
  const bits = mask & 0xfff;
  const [operand, most] = bits > 0xff ? [TCP_FLAGS_12, 0xfff] : [TCP_FLAGS, 0xff];
  const there = x.int(operand, interval(0, most));
  const each = Array.from({ length: 12 }, (_, i) => 1 << i).filter((flag) => (bits & flag) !== 0);
  const holds = match === 'any' ? x.bits(operand, bits) : x.and(each.map((flag) => x.bits(operand, flag)));
  return x.and([there, negated ? x.not(holds) : holds]);
}
