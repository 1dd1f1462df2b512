import type { Asn, Ip } from '@weir/wire/inet';

/** One side of a peering, as far as collisions go. */
export interface Identity {
  readonly routerId: Ip;
  readonly as: Asn;
}

/**
 * Which of two colliding connections stays: the one that the speaker with the higher BGP identifier opened (RFC 4271 section 6.8), or with the
 * higher AS number where the identifiers are equal (RFC 6286 section 2.3).
 */
export function survivor(local: Identity, peer: Identity): 'outgoing' | 'incoming' {
  const order = local.routerId.w0 - peer.routerId.w0 || local.as - peer.as;
  return order > 0 ? 'outgoing' : 'incoming';
}
