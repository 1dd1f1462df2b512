import type { Family } from '@weir/wire/inet';
import { u16At } from './octets.ts';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_8021AD = 0x88a8;
const TAGS: ReadonlySet<number> = new Set([ETHERTYPE_8021Q, ETHERTYPE_8021AD, 0x9100]);

/** Tags that are stepped over; a frame with more is not IP. */
export const MAX_VLAN_TAGS = 4;

/** Where a frame's network header begins and of which family it is. */
export interface Link {
  readonly network: number;
  /** Undefined: not IP. */
  readonly family: Family | undefined;
  /** Undefined where the frame is too short to say. */
  readonly type: number | undefined;
  /** VLAN numbers, outermost first. */
  readonly vlans: readonly number[];
}

const NO_VLANS: readonly number[] = [];

/** Of bytes that begin with an IP header, whose version says the family. */
export function readNetwork(bytes: Uint8Array, at = 0): Link {
  const version = (bytes[at] ?? 0) >> 4;
  const family = version === 4 || version === 6 ? version : undefined;
  return { network: Math.min(at, bytes.length), family, type: undefined, vlans: NO_VLANS };
}

/** Ethernet: destination 6 · source 6 · any number of { tag 2 · VLAN 2 } · type 2. A type below 1536 is a length (IEEE 802.3): not IP. */
export function readEthernet(bytes: Uint8Array): Link {
  return readType(bytes, 12);
}

/** The type field at `at`, after which tags may follow. */
export function readType(bytes: Uint8Array, at: number): Link {
  const end = bytes.length;
  let next = at;
  let type = u16At(bytes, next, end);
  let vlans = NO_VLANS;
  while (type !== undefined && TAGS.has(type) && vlans.length < MAX_VLAN_TAGS) {
    const tag = u16At(bytes, next + 2, end);
    if (tag !== undefined) vlans = [...vlans, tag & 0xfff];
    next += 4;
    type = u16At(bytes, next, end);
  }
  return { network: Math.min(next + 2, end), family: familyOf(type), type, vlans };
}

export function familyOf(ethertype: number | undefined): Family | undefined {
  if (ethertype === ETHERTYPE_IPV4) return 4;
  return ethertype === ETHERTYPE_IPV6 ? 6 : undefined;
}
