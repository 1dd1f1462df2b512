import type { Family } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';

/** One condition of a rule. Plain data: an image is saved as JSON and compiled again when it is loaded. */
export type Match =
  /** A trailing `*` matches every name that begins so. */
  | { readonly kind: 'interface'; readonly direction: 'in' | 'out'; readonly name: string }
  | {
      readonly kind: 'member';
      readonly family: Family;
      readonly side: 'source' | 'destination';
      readonly set: string;
      /** The address is not in the set. */
      readonly absent?: boolean;
    }
  /** `prefix` as text; a host has its full length. */
  | { readonly kind: 'address'; readonly family: Family; readonly side: 'source' | 'destination'; readonly prefix: string }
  | { readonly kind: 'protocol'; readonly protocol: 'tcp' | 'udp' | 'icmp' | 'icmpv6' }
  /** Implies its protocol. At least one range. */
  | {
      readonly kind: 'port';
      readonly protocol: 'tcp' | 'udp';
      readonly side: 'source' | 'destination';
      readonly ranges: readonly PortRange[];
    }
  /** ICMP of the family: one of the types, and the code where given. */
  | { readonly kind: 'icmp'; readonly family: Family; readonly types: readonly number[]; readonly code?: number }
  /** IPv6 hop limit. */
  | { readonly kind: 'hop-limit'; readonly value: number }
  /** A TCP segment that does not ask for a new connection. */
  | { readonly kind: 'tcp-not-first' }
  | { readonly kind: 'connection'; readonly states: readonly ('established' | 'related' | 'new')[] };

export type RuleVerdict = { readonly kind: 'accept' | 'drop' } | { readonly kind: 'jump'; readonly chain: string };

/** A rule; all its conditions must hold. Every rule counts. */
export interface RuleImage {
  /** What counters, `nft list` and errors call it. Rules that do one thing for two families or sets share a name. */
  readonly name: string;
  readonly matches: readonly Match[];
  readonly verdict: RuleVerdict;
}

export interface ChainImage {
  readonly name: string;
  /** Where packets come in; undefined for a chain that is jumped to. Packets that no rule decides are accepted. */
  readonly hook: 'input' | 'forward' | 'output' | undefined;
  readonly rules: readonly RuleImage[];
}

export interface SetImage {
  readonly name: string;
  readonly family: Family;
  /** Holds ranges, else single addresses. */
  readonly interval: boolean;
  /** Elements that a hash set is made for; undefined for interval sets. */
  readonly size: number | undefined;
  readonly comment: string;
}

/** A whole table of the family inet, as Weir writes it. Chains come before the chains that jump to them. */
export interface TableImage {
  readonly name: string;
  readonly sets: readonly SetImage[];
  readonly chains: readonly ChainImage[];
}

/** How `nft list` and Weir itself know a table that Weir writes. */
export const TABLE_COMMENT = 'written by weir';
