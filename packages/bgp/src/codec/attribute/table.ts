import { AS_PATH, AS4_PATH } from './as-path.ts';
import {
  AGGREGATOR,
  AIGP,
  AS4_AGGREGATOR,
  ATOMIC_AGGREGATE,
  CLUSTER_LIST,
  LOCAL_PREF,
  MULTI_EXIT_DISC,
  NEXT_HOP,
  ONLY_TO_CUSTOMER,
  ORIGIN,
  ORIGINATOR_ID,
} from './basic.ts';
import { COMMUNITIES, EXTENDED_COMMUNITIES, IPV6_EXTENDED_COMMUNITIES, LARGE_COMMUNITIES } from './communities.ts';
import type { AttributeDescriptor } from './descriptor.ts';

/** Type codes of the two attributes that carry NLRI and so have their own decoder (RFC 4760). */
export const MP_REACH_NLRI = 14;
export const MP_UNREACH_NLRI = 15;

/** Every attribute that Weir reads, by ascending type code: the order in which they are written (RFC 4271 appendix F.3). */
export const ATTRIBUTES: readonly AttributeDescriptor[] = [
  ORIGIN,
  AS_PATH,
  NEXT_HOP,
  MULTI_EXIT_DISC,
  LOCAL_PREF,
  ATOMIC_AGGREGATE,
  AGGREGATOR,
  COMMUNITIES,
  ORIGINATOR_ID,
  CLUSTER_LIST,
  EXTENDED_COMMUNITIES,
  AS4_PATH,
  AS4_AGGREGATOR,
  IPV6_EXTENDED_COMMUNITIES,
  AIGP,
  LARGE_COMMUNITIES,
  ONLY_TO_CUSTOMER,
];

/** The descriptor of each type code, where there is one. */
export const BY_TYPE: readonly (AttributeDescriptor | undefined)[] = Array.from({ length: 256 }, (_, type) =>
  ATTRIBUTES.find((d) => d.type === type),
);

/** `COMMUNITIES`, or `attribute 99`. */
export function attributeName(type: number): string {
  if (type === MP_REACH_NLRI) return 'MP_REACH_NLRI';
  if (type === MP_UNREACH_NLRI) return 'MP_UNREACH_NLRI';
  return BY_TYPE[type]?.name ?? `attribute ${type}`;
}
