import type { Family } from '../inet/index.ts';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_8021AD = 0x88a8;
const TAGS: ReadonlySet<number> = new Set([ETHERTYPE_8021Q, ETHERTYPE_8021AD, 0x9100]);

/** Tags that are stepped over; a frame with more is not IP. */
const MAX_VLAN_TAGS = 4;

/** Link types (tcpdump.org/linktypes.html) that are written. */
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW = 101;

/** Where a frame's network header begins and of which family it is. */
export interface Link {
  /** At most the frame's length. */
  readonly network: number;
  /** Undefined: not IP. */
  readonly family: Family | undefined;
  /** The Ethernet type; undefined where the link layer has none, and where the frame is too short to say. */
  readonly type: number | undefined;
  /** VLAN numbers, outermost first. */
  readonly vlans: readonly number[];
}

const NO_VLANS: readonly number[] = [];

/** What begins with an IP header at `at`; its version says the family. */
export function readNetwork(bytes: Uint8Array, at = 0): Link {
  const version = (bytes[at] ?? 0) >> 4;
  const family = version === 4 || version === 6 ? version : undefined;
  return { network: Math.min(at, bytes.length), family, type: undefined, vlans: NO_VLANS };
}

/** Ethernet: destination 6 · source 6 · any number of { tag 2 · VLAN 2 } · type 2. A type below 1536 is a length (IEEE 802.3): not IP. */
export function readEthernet(bytes: Uint8Array): Link {
  return readType(bytes, 12, 14);
}

/** The Ethernet type at `at`; what it names, or { VLAN 2 · type 2 } for a tag, begins at `next`. */
function readType(bytes: Uint8Array, at: number, next: number): Link {
  let type = u16(bytes, at);
  let network = next;
  let vlans = NO_VLANS;
  while (type !== undefined && TAGS.has(type) && vlans.length < MAX_VLAN_TAGS) {
    const tag = u16(bytes, network);
    if (tag !== undefined) vlans = [...vlans, tag & 0xfff];
    type = u16(bytes, network + 2);
    network += 4;
  }
  const family = type === ETHERTYPE_IPV4 ? 4 : type === ETHERTYPE_IPV6 ? 6 : undefined;
  return { network: Math.min(network, bytes.length), family, type, vlans };
}

function u16(bytes: Uint8Array, at: number): number | undefined {
  const low = bytes[at + 1];
  return low === undefined ? undefined : ((bytes[at] ?? 0) << 8) | low;
}

const NFLOG_PAYLOAD = 9;

/** NFLOG: family 1 · version 1 · group 2, then { length 2 · type 2 · value, filled up to four } in the capturing machine's order, taken to be little-endian. */
function readNflog(bytes: Uint8Array): Link {
  for (let at = 4; at + 4 <= bytes.length; ) {
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    const type = (bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8);
    if (type === NFLOG_PAYLOAD) return readNetwork(bytes, at + 4);
    if (length < 4) break;
    at += (length + 3) & ~3;
  }
  return readNetwork(bytes, bytes.length);
}

const LINK_LAYERS: ReadonlyMap<number, (bytes: Uint8Array) => Link> = new Map([
  // BSD loopback: an address family in the capturing machine's order. The version of what follows says as much.
  [0, (bytes) => readNetwork(bytes, 4)],
  [LINKTYPE_ETHERNET, readEthernet],
  [12, (bytes) => readNetwork(bytes)],
  [14, (bytes) => readNetwork(bytes)],
  [LINKTYPE_RAW, (bytes) => readNetwork(bytes)],
  [108, (bytes) => readNetwork(bytes, 4)],
  // Linux cooked v1: type 2 · hardware 2 · length 2 · address 8 · protocol 2.
  [113, (bytes) => readType(bytes, 14, 16)],
  [228, (bytes) => readNetwork(bytes)],
  [229, (bytes) => readNetwork(bytes)],
  [239, readNflog],
  // Linux cooked v2: protocol 2 · reserved 2 · interface 4 · hardware 2 · type 1 · length 1 · address 8.
  [276, (bytes) => readType(bytes, 0, 20)],
]);

/** Whether frames of this link type can be read. */
export function readsLinkType(linkType: number): boolean {
  return LINK_LAYERS.has(linkType);
}

/** The link header of a captured frame; undefined for a link type that is not read. Never throws. */
export function readLink(bytes: Uint8Array, linkType: number): Link | undefined {
  return LINK_LAYERS.get(linkType)?.(bytes);
}
