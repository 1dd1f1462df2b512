import type { Family } from '@weir/wire/inet';
import type { MatchProgram } from '../../model/match-program.ts';
import type { FieldName, SliceField } from './fields.ts';

/** A number, or an address as text. */
export type FieldValue = number | string;

/** Both ends included. */
export type FieldRange = readonly [FieldValue, FieldValue];

export type ConnectionState = 'established' | 'related' | 'new' | 'invalid';

/** One condition of a rule. Plain data: an image is saved as JSON and compiled again when it is loaded. */
export type Match =
  /** A trailing `*` matches every name that begins so. */
  | { readonly kind: 'interface'; readonly direction: 'in' | 'out'; readonly name: string; readonly not?: true }
  /** One of several whole names. */
  | { readonly kind: 'interfaces'; readonly direction: 'in' | 'out'; readonly names: readonly string[]; readonly not?: true }
  | {
      readonly kind: 'member';
      readonly family: Family;
      readonly side: 'source' | 'destination';
      readonly set: string;
      /** The address is not in the set. */
      readonly absent?: boolean;
      /** So many bits of the address are looked for, with zeros behind them. */
      readonly bits?: number;
    }
  | { readonly kind: 'connection'; readonly states: readonly ConnectionState[]; readonly not?: true }
  | { readonly kind: 'family'; readonly family: Family }
  /**
   * The value lies in one of the ranges, which are in order and apart; with `not` in none. It implies the family and the protocol that the field has. A packet
   * that is too short for it does not match in either case.
   */
  | { readonly kind: 'field'; readonly field: FieldName | SliceField; readonly ranges: readonly FieldRange[]; readonly not?: true }
  /** The value has one of the bits; with `not` none. */
  | { readonly kind: 'bits'; readonly field: FieldName | SliceField; readonly mask: number; readonly not?: true }
  /**
   * An eBPF program says so: one of the table's by its name, or the user's by the path where it is pinned. `transport`: it looks behind the IP header.
   */
  | { readonly kind: 'program'; readonly program: string; readonly transport?: true };

/** Packets or bytes a second, and how many may come at once. */
export interface LimitImage {
  readonly unit: 'packets' | 'bytes';
  readonly rate: number;
  readonly burst: number;
}

/** What a rule does before its verdict. The first three end the rule for what is over the limit (`over`: under it), or left out. */
export type RuleStatement =
  /** Goes on for one packet in so many. */
  | { readonly kind: 'sample'; readonly every: number }
  | { readonly kind: 'limit'; readonly limit: LimitImage; readonly over?: true }
  /** A limit for each address, or each prefix of `bits` bits. It ends the rule also where the set is full. */
  | {
      readonly kind: 'meter';
      readonly set: string;
      readonly family: Family;
      readonly side: 'source' | 'destination';
      readonly bits?: number;
      readonly limit: LimitImage;
    }
  /** To an nfnetlink_log group. */
  | { readonly kind: 'log'; readonly group: number; readonly prefix: string }
  | { readonly kind: 'mark'; readonly mark: number }
  /** Writes the codepoint of packets of one family, which the rule has to ask for. */
  | { readonly kind: 'dscp'; readonly family: Family; readonly dscp: number };

/** `continue`: goes on with the next rule. */
export type RuleVerdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'reject'; readonly with: 'port-unreachable' | 'admin-prohibited' | 'tcp-reset' }
  /** What the map says for the field; goes on with the next rule when it says nothing. */
  | { readonly kind: 'map'; readonly map: string; readonly field: FieldName }
  /** The same for several fields at once: all of them have to be there. `bits`: so many bits of the one field, an address, with zeros behind them. */
  | { readonly kind: 'lookup'; readonly map: string; readonly keys: readonly MapKey[]; readonly bits?: number };

/** A rule; all its conditions must hold. */
export interface RuleImage {
  /** What counters, `nft list` and errors call it. Rules that do one thing for two families or sets share a name. */
  readonly name: string;
  readonly matches: readonly Match[];
  readonly statements?: readonly RuleStatement[];
  /** Every rule counts that does not only lead to others. */
  readonly count?: false;
  readonly verdict: RuleVerdict;
}

export type ChainHook = 'prerouting' | 'input' | 'forward' | 'output';

export interface ChainImage {
  readonly name: string;
  /** Where packets come in; undefined for a chain that is jumped to. Packets that no rule decides are accepted. */
  readonly hook: ChainHook | undefined;
  /** Of a hook: lower runs earlier; 0 when absent. */
  readonly priority?: number;
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

export interface MapElement {
  readonly from: FieldValue;
  readonly to: FieldValue;
  readonly verdict: { readonly kind: 'jump' | 'goto'; readonly chain: string };
}

/** A map from the values of a field to chains. Its elements belong to the image. */
export interface MapImage {
  readonly name: string;
  readonly field: FieldName;
  /** In order and apart. */
  readonly elements: readonly MapElement[];
}

/** Part of the key of a lookup: a field, or the name of an interface. */
export type MapKey = FieldName | 'iifname' | 'oifname';

export interface LookupElement {
  /** For each part of the key. */
  readonly key: readonly FieldRange[];
  readonly verdict: MapElement['verdict'];
}

/** A map from the values of one field or several to chains. Its elements belong to the image; no packet meets two of them. */
export interface LookupImage {
  readonly name: string;
  readonly keys: readonly MapKey[];
  /** Elements are ranges on each part of the key, and not only single values. */
  readonly ranges: boolean;
  /** In the order of the rules that they lead to; of one part that has ranges, in the order of their keys. */
  readonly elements: readonly LookupElement[];
}

/** A set that the kernel fills: addresses with a limit each. */
export interface MeterImage {
  readonly name: string;
  readonly family: Family;
  readonly size: number;
  /** Seconds that an address is kept after its last packet. */
  readonly timeout: number;
}

/** A whole table of the family inet, as Weir writes it. Chains come before the chains that jump to them. */
export interface TableImage {
  readonly name: string;
  readonly sets: readonly SetImage[];
  readonly meters?: readonly MeterImage[];
  readonly maps?: readonly MapImage[];
  readonly lookups?: readonly LookupImage[];
  /** That rules ask. */
  readonly programs?: readonly MatchProgram[];
  readonly chains: readonly ChainImage[];
}

/** How `nft list` and Weir itself know a table that Weir writes. */
export const TABLE_COMMENT = 'written by weir';
