import { writeFileSync } from 'node:fs';
import { inNetworkNamespace, interfaceIndex } from '@weir/sys';
import { ip4, ip6 } from '@weir/wire/inet';
import type { ReplayHook } from './observer.ts';
import type { RouteSocket } from './route-socket.ts';

/** Of the interface that packets come in by: where frames are sent to. */
export const RECEIVER: Uint8Array = new Uint8Array([2, 0, 0, 0, 0, 2]);
const SENDER = new Uint8Array([2, 0, 0, 0, 0, 1]);
/** The longest that a packet can be. */
const MTU = 65_535;
const LOOPBACK = 1;
/** Addresses and neighbours that packets do not have: one of the reserved class E, and one of the block that is only discarded. */
const OWN_4 = ip4(0xf0000001);
const OWN_6 = ip6(0x01000000, 0, 0, 1);
const NEIGHBOUR_4 = ip4(0xf0000002);
const NEIGHBOUR_6 = ip6(0xfe800000, 0, 0, 2);
/** Groups that an interface can be in at a time. */
export const MAX_GROUPS = 1000;

export interface NetworkOptions {
  readonly hook: ReplayHook;
  readonly iif: string;
  readonly oif: string;
}

/** What a namespace is to do with packets; those of the second list where the kernel has them. */
const SETTINGS: readonly (readonly [string, number])[] = [
  ['ipv4/conf/all/rp_filter', 0],
  ['ipv4/conf/default/rp_filter', 0],
  ['ipv4/conf/all/accept_local', 1],
  ['ipv4/conf/default/accept_local', 1],
  ['ipv4/conf/all/route_localnet', 1],
  ['ipv4/conf/all/accept_source_route', 1],
  ['ipv4/conf/default/accept_source_route', 1],
  ['ipv4/igmp_max_memberships', MAX_GROUPS],
  ['ipv6/conf/all/accept_ra', 0],
  ['ipv6/conf/default/accept_ra', 0],
  // No addresses of the kernel's own making.
  ['ipv6/conf/default/addr_gen_mode', 1],
];
const FORWARDING: readonly (readonly [string, number])[] = [
  ['ipv4/ip_forward', 1],
  ['ipv6/conf/all/forwarding', 1],
];

/** Of an interface, by its name. */
export interface Indices {
  readonly iif: number;
  readonly oif: number;
}

/**
 * Makes the interfaces of a namespace: what is sent by `oif` comes in by `iif`, as the two are ends of one pair. What comes in is for this machine (prerouting, input) or is
 * forwarded to `oif`; what is sent goes out by `oif`. KernelError and SystemError where that is not possible.
 */
export function buildNetwork(netns: string, routes: RouteSocket, { hook, iif, oif }: NetworkOptions): Indices {
  setAll(netns, hook === 'forward' ? [...SETTINGS, ...FORWARDING] : SETTINGS);
  routes.addVeth({ name: oif, address: SENDER, mtu: MTU }, { name: iif, address: RECEIVER, mtu: MTU });
  const indices = inNetworkNamespace(netns, () => ({ iif: interfaceIndex(iif), oif: interfaceIndex(oif) }));
  routes.setUp(indices.iif);
  // What leaves has the sender's own address, so that it is not taken for something that comes in.
  routes.setUp(indices.oif, false);
  if (hook === 'prerouting' || hook === 'input') {
    routes.setUp(LOOPBACK);
    for (const family of [4, 6] as const) routes.routeToSelf(family, LOOPBACK);
    return indices;
  }
  routes.addAddress(indices.oif, OWN_4, { length: 32 });
  routes.addAddress(indices.oif, OWN_6, { length: 128 });
  for (const neighbour of [NEIGHBOUR_4, NEIGHBOUR_6]) routes.routeTo(neighbour, indices.oif);
  return indices;
}

/**
 * Has connection tracking take the checksums of TCP and UDP for granted: a capture on the sending machine is made before the network card writes them. The setting is there
 * once connections are tracked.
 */
export function trustChecksums(netns: string): void {
  setAll(netns, [['netfilter/nf_conntrack_checksum', 0]]);
}

/** What lies under /proc/sys/net is that of the thread's namespace. */
function setAll(netns: string, settings: readonly (readonly [string, number])[]): void {
  inNetworkNamespace(netns, () => {
    for (const [name, value] of settings) writeFileSync(`/proc/sys/net/${name}`, `${value}\n`);
    return undefined;
  });
}
