import type { FamilyName, UpdateMessage } from '@weir/bgp/codec';
import type { Ip } from '@weir/wire/inet';

/** A session of ExaBGP's, as each of its lines names it. */
export interface Neighbor {
  readonly peer: Ip;
  /** As it is written: ExaBGP also has words for addresses that it chooses itself. */
  readonly local: string;
  readonly peerAs: number;
  readonly localAs: number;
}

/** What ExaBGP and its peer agreed on, as far as it says so. */
export interface Agreement {
  readonly families: readonly FamilyName[];
  readonly fourOctetAs: boolean;
  /** Families in which the peer sends path identifiers. */
  readonly addPath: readonly FamilyName[];
  readonly extendedNextHop: boolean;
  readonly holdTime: number;
  readonly routeRefresh: boolean;
}

/** Why a session ended, with the NOTIFICATION where the text names one. */
export interface Ending {
  readonly text: string;
  readonly notification: { readonly by: 'peer' | 'exabgp'; readonly code: number; readonly subcode: number } | undefined;
}

/** One line from ExaBGP. */
export type ExabgpLine =
  | { readonly kind: 'connected'; readonly neighbor: Neighbor }
  | { readonly kind: 'up'; readonly neighbor: Neighbor }
  | { readonly kind: 'down'; readonly neighbor: Neighbor; readonly ending: Ending }
  | { readonly kind: 'negotiated'; readonly neighbor: Neighbor; readonly agreement: Agreement }
  | {
      readonly kind: 'update';
      readonly neighbor: Neighbor;
      readonly update: UpdateMessage;
      readonly agreement: Agreement | undefined;
      /** It has the octets of the message, and not what was negotiated, so that they could not be read. */
      readonly octetsUnread?: true;
    }
  /** ROUTE-REFRESH of the peer: the beginning or the end of what it was asked for (RFC 7313). */
  | { readonly kind: 'refresh'; readonly neighbor: Neighbor; readonly family: FamilyName; readonly subtype: 'begin' | 'end' }
  /** ExaBGP ends: every session is gone. */
  | { readonly kind: 'shutdown' }
  /** A row of `show neighbor summary`: a session that was up before. */
  | { readonly kind: 'established'; readonly peer: Ip; readonly peerAs: number }
  /** How a command went. */
  | { readonly kind: 'answer'; readonly ok: boolean }
  /** JSON that says nothing of routes: messages sent, states of the machine, signals. */
  | { readonly kind: 'other' }
  /** No JSON. `routes` where it looks like routes in the encoder that prints text, which cannot be read. */
  | { readonly kind: 'text'; readonly routes: boolean }
  | { readonly kind: 'bad'; readonly message: string };
