import { type FamilyName, parseFamily, type SessionContext, sessionContext } from '@weir/bgp/codec';
import { asn } from '@weir/wire/inet';
import { array, isObject, type JsonValue, object } from './json.ts';
import type { Agreement, Neighbor } from './line.ts';

/** `negotiated` of a line. Throws LineError. */
export function readAgreement(value: JsonValue | undefined): Agreement {
  const given = object(value, 'negotiated');
  const addPath = isObject(given['add_path']) ? given['add_path']['receive'] : undefined;
  const holdTime = given['hold_time'];
  return {
    families: families(given['families']),
    fourOctetAs: given['asn4'] === true,
    addPath: addPath === undefined ? [] : families(addPath),
    extendedNextHop: given['nexthop'] !== undefined && array(given['nexthop'], 'nexthop').some((v) => v === 'ipv4 unicast ipv6'),
    holdTime: typeof holdTime === 'number' ? holdTime : 0,
    routeRefresh: given['refresh'] === 'normal' || given['refresh'] === 'enhanced',
  };
}

/** Those that Weir has a name for. */
function families(value: JsonValue | undefined): readonly FamilyName[] {
  return array(value, 'families').flatMap((v) => (typeof v === 'string' ? (parseFamily(v) ?? []) : []));
}

/** How the messages of a session are read. Without `agreement` as ExaBGP prints them: with AS numbers of four octets. */
export function contextOf({ localAs, peerAs }: Neighbor, agreement?: Agreement): SessionContext {
  const context = sessionContext({
    peerKind: localAs === peerAs ? 'ibgp' : 'ebgp',
    localAs: asn(localAs),
    peerAs: asn(peerAs),
    extendedMessage: true,
  });
  if (!agreement) return context;
  const { fourOctetAs, families: inUse, addPath, extendedNextHop } = agreement;
  return { ...context, fourOctetAs, families: inUse, addPath, extendedNextHop };
}
