import type { Family } from '@weir/wire/inet';
import type { AddressSet, Ranges } from './ranges.ts';

export type Side = 'source' | 'destination';

/** What connection tracking says of a packet: exactly one of these. */
export type State = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

export const STATES: readonly State[] = ['new', 'established', 'related', 'invalid', 'untracked'];

/** One of the things that must hold for a rule to match. */
export type Condition =
  | { readonly kind: 'family'; readonly family: Family }
  | { readonly kind: 'address'; readonly side: Side; readonly set: AddressSet; readonly negated: boolean }
  /** The address is a member of a named set. */
  | { readonly kind: 'member'; readonly side: Side; readonly set: string; readonly negated: boolean }
  /** Numbers of IP protocols. */
  | { readonly kind: 'protocol'; readonly numbers: readonly number[]; readonly negated: boolean }
  /** The port of a packet of one of the protocols is in the ranges. A packet without ports does not match. */
  | { readonly kind: 'port'; readonly side: Side; readonly protocols: readonly number[]; readonly ranges: Ranges }
  /** Names; a `*` at the end is a wildcard. */
  | { readonly kind: 'interface'; readonly way: 'in' | 'out'; readonly names: readonly string[]; readonly negated: boolean }
  | { readonly kind: 'state'; readonly states: readonly State[] }
  /** In the filter language, such that `and` may stand beside it. `mark`: it looks at the packet's mark. `user`: at the user of its socket, which only hook output sees. */
  | { readonly kind: 'text'; readonly text: string; readonly mark?: boolean; readonly user?: boolean };

/** Holds for no packet. */
export const NEVER: Condition = { kind: 'protocol', numbers: [], negated: false };

/** Numbers of IP protocols that the rest speaks of. */
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, gre: 47, esp: 50, icmpv6: 58, sctp: 132 } as const;

/** Protocols whose ports the filter language knows, with its name of them. */
export const PORT_PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.tcp, 'tcp'],
  [PROTOCOL.udp, 'udp'],
  [PROTOCOL.sctp, 'sctp'],
]);

/** `(mark & mask) == value` over a field of `bits` bits, as text that is false where the field is missing. Undefined: never true. */
export function maskedText(field: string, mask: number, value: number, bits: number, mayMiss: boolean): string | undefined {
  const full = 2 ** bits - 1;
  const known = (mask & full) >>> 0;
  const wanted = (value & full) >>> 0;
  if ((wanted & ~known) >>> 0 !== 0) return undefined;
  if (known === full) return `${field} == ${hex(wanted)}`;
  const zero = (known & ~wanted) >>> 0;
  const parts: string[] = [];
  for (let bit = 0; bit < bits; bit++) if ((wanted >>> bit) & 1) parts.push(`${field} & ${hex(2 ** bit)}`);
  if (zero !== 0) {
    // `not x & m` is true of a missing x.
    if (parts.length === 0 && mayMiss) parts.push(`${field} >= 0`);
    parts.push(`not ${field} & ${hex(zero)}`);
  }
  return parts.length === 0 ? (mayMiss ? `${field} >= 0` : '') : parts.join(' and ');
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
