import type { Asn } from '@weir/wire/inet';
import type { Peer } from '../model/config.ts';

/** What the role of a peering says of a received route. */
export interface OnlyToCustomer {
  /** The route is a leak: not eligible. */
  readonly leak: boolean;
  /** The value that the route is to carry and does not. */
  readonly add: Asn | undefined;
}

const NEITHER: OnlyToCustomer = { leak: false, add: undefined };
const LEAK: OnlyToCustomer = { leak: true, add: undefined };

/**
 * The ingress procedure of RFC 9234 section 5 for a route with ONLY_TO_CUSTOMER `otc`, or without it. It goes by the configured role, which holds
 * also where the peer states none (section 4.2), and by nothing on internal sessions:
 *
 * | our role | the peer is | with the attribute | without |
 * |---|---|---|---|
 * | provider, rs | customer, rs-client | leak | |
 * | peer | peer | leak unless it is the peer's AS | added |
 * | customer, rs-client | provider, rs | | added |
 */
export function checkOnlyToCustomer(peer: Peer, otc: Asn | undefined): OnlyToCustomer {
  if (peer.as === peer.localAs) return NEITHER;
  switch (peer.role) {
    case undefined:
      return NEITHER;
    case 'provider':
    case 'rs':
      return otc === undefined ? NEITHER : LEAK;
    case 'peer':
      if (otc !== undefined) return otc === peer.as ? NEITHER : LEAK;
      return { leak: false, add: peer.as };
    case 'customer':
    case 'rs-client':
      return otc === undefined ? { leak: false, add: peer.as } : NEITHER;
  }
}
