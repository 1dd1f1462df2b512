import { cutToLength } from '../../apps/weir/src/cli/replay/rewrite.ts';

/** The IP packet in a frame, without VLAN tags and without what follows its end. */
export function networkOf(frame: Uint8Array): Uint8Array {
  let at = 12;
  for (let type = wordAt(frame, at); type === 0x8100 || type === 0x88a8; type = wordAt(frame, at)) at += 4;
  return cutToLength(frame.subarray(at + 2));
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** The first VLAN of a frame that is not 0; 0 when there is none. */
export function vlanOf(frame: Uint8Array): number {
  for (let at = 12; wordAt(frame, at) === 0x8100 || wordAt(frame, at) === 0x88a8; at += 4) {
    const tag = wordAt(frame, at + 2) & 0xfff;
    if (tag !== 0) return tag;
  }
  return 0;
}

const HOPS_AND_FRAGMENT: ReadonlySet<number> = new Set([0, 43, 44, 51, 60, 135, 139, 140]);

/** Whether an IPv6 packet has a fragment header among its extension headers. */
export function hasFragmentHeader(packet: Uint8Array): boolean {
  if ((packet[0] ?? 0) >> 4 !== 6) return false;
  let next = packet[6] ?? 59;
  for (let at = 40; at < packet.length && HOPS_AND_FRAGMENT.has(next); ) {
    if (next === 44) return true;
    const length = packet[at + 1] ?? 0;
    const step = next === 51 ? (length + 2) * 4 : (length + 1) * 8;
    next = packet[at] ?? 59;
    at += step;
  }
  return next === 44;
}
