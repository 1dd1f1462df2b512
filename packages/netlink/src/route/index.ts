/** Routing rules and routes (NETLINK_ROUTE): codecs, and a client for one network namespace. */
export { RoutingClient } from './client.ts';
export type { OtherAttribute } from './family.ts';
export { decodeRoute, encodeRoute, ONLINK, type Route, RTN } from './route.ts';
export { decodeRoutingRule, encodeRoutingRule, FR_ACT, type RoutingRule } from './rule.ts';
