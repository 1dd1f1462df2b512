import type { Asn } from '@weir/wire/inet';
import { asn } from '@weir/wire/inet';
import type { SessionContext } from './types.ts';

const PRIVATE_AS: Asn = asn(64512);

/**
 * A context with everything stated that is not given: an external session between AS 64512 and AS 64513, 4-octet AS numbers, both unicast families, 4,096-octet
 * messages, no add-path. For tools that look at messages without the OPENs before them.
 */
export function sessionContext(given: Partial<SessionContext> = {}): SessionContext {
  const peerKind = given.peerKind ?? 'ebgp';
  return {
    peerKind,
    localAs: PRIVATE_AS,
    peerAs: peerKind === 'ibgp' ? (given.localAs ?? PRIVATE_AS) : asn(64513),
    fourOctetAs: true,
    extendedMessage: false,
    families: ['ipv4 unicast', 'ipv6 unicast'],
    addPath: [],
    extendedNextHop: false,
    ...given,
  };
}
