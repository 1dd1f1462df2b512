import type { Prefix } from '@weir/wire/inet';

/**
 * What a number is compared with (RFC 8955 section 4.2.1.1). `true` and `false` are the two combinations of the operator's bits that
 * look at no value; the value is kept with them.
 */
export type NumericOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'true' | 'false';

/** One comparison. The value is a bigint only above 2^53 - 1, where it is beyond every field of a packet. */
export interface NumericTest {
  readonly operator: NumericOperator;
  readonly value: number | bigint;
}

/**
 * One test of bits (RFC 8955 section 4.2.1.2): `any` holds when at least one bit of the mask is set in the packet, `all` when every one is;
 * `negated` turns the outcome round. With a mask of 0 `any` is false and `all` is true.
 */
export interface BitmaskTest {
  readonly match: 'any' | 'all';
  readonly negated: boolean;
  /** 0-255 for fragments, 0-65535 for TCP flags. */
  readonly mask: number;
}

/** Alternatives, each a list of tests that all hold: AND binds closer than OR (RFC 8955 section 4.2.1.1). None of the lists is empty. */
export type AnyOf<T> = readonly (readonly T[])[];

/** Components that hold a prefix: types 1 and 2. */
export type PrefixKind = 'destination' | 'source';

/** Components that compare a number: types 3 to 8, 10, 11 and 13. */
export type NumericKind =
  | 'protocol'
  | 'port'
  | 'destination-port'
  | 'source-port'
  | 'icmp-type'
  | 'icmp-code'
  | 'packet-length'
  | 'dscp'
  | 'flow-label';

/** Components that look at bits: types 9 and 12. */
export type BitmaskKind = 'tcp-flags' | 'fragment';

export type ComponentKind = PrefixKind | NumericKind | BitmaskKind;

export interface PrefixComponent {
  readonly kind: PrefixKind;
  /** Its bits from `offset` to its length are compared; those before `offset` are zero. */
  readonly prefix: Prefix;
  /** Bits of the address that are passed over (RFC 8956 section 3.1); 0 for IPv4. Below the prefix's length unless both are 0. */
  readonly offset: number;
}

export interface NumericComponent {
  readonly kind: NumericKind;
  readonly anyOf: AnyOf<NumericTest>;
}

export interface BitmaskComponent {
  readonly kind: BitmaskKind;
  readonly anyOf: AnyOf<BitmaskTest>;
}

/**
 * One condition of a rule. `port` holds when the source or the destination port does; `packet-length` is that of the IP packet with its header
 * (IPv6: payload length and 40); `protocol` is the IPv6 upper-layer protocol behind the extension headers; `tcp-flags` are octets 13 and 14 of the TCP header without the data offset: the 12 low bits.
 */
export type FlowComponent = PrefixComponent | NumericComponent | BitmaskComponent;

/** Type codes (IANA Flow Spec Component Types), in the order in which a rule has them. */
export const COMPONENT_TYPES: Readonly<Record<ComponentKind, number>> = {
  destination: 1,
  source: 2,
  protocol: 3,
  port: 4,
  'destination-port': 5,
  'source-port': 6,
  'icmp-type': 7,
  'icmp-code': 8,
  'tcp-flags': 9,
  'packet-length': 10,
  dscp: 11,
  fragment: 12,
  'flow-label': 13,
};

/** Bits of the fragment component (RFC 8955 section 4.2.2.12, RFC 8956 section 3.6). IPv6 has no `dontFragment`. */
export const FragmentBit = { dontFragment: 1, isFragment: 2, firstFragment: 4, lastFragment: 8 } as const;

const KINDS = Object.keys(COMPONENT_TYPES) as readonly ComponentKind[];

/** The kind of a type code in rules of that address family, or undefined: the flow label is IPv6 alone. */
export function componentKind(type: number, family: 4 | 6): ComponentKind | undefined {
  return family === 4 && type === COMPONENT_TYPES['flow-label'] ? undefined : KINDS[type - 1];
}

export function isPrefixKind(kind: ComponentKind): kind is PrefixKind {
  return kind === 'destination' || kind === 'source';
}

export function isBitmaskKind(kind: ComponentKind): kind is BitmaskKind {
  return kind === 'tcp-flags' || kind === 'fragment';
}

export function isPrefixComponent(c: FlowComponent): c is PrefixComponent {
  return isPrefixKind(c.kind);
}

export function isBitmaskComponent(c: FlowComponent): c is BitmaskComponent {
  return isBitmaskKind(c.kind);
}
