import { fixIpv4Checksum } from './generate/checksum.ts';

/** The IP packet in a frame, without VLAN tags and without what follows its end. */
export function networkOf(frame: Uint8Array): Uint8Array {
  let at = 12;
  for (let type = wordAt(frame, at); type === 0x8100 || type === 0x88a8; type = wordAt(frame, at)) at += 4;
  return cutToLength(frame.subarray(at + 2));
}

/** The kernel cuts off what follows the length that a packet tells. */
export function cutToLength(packet: Uint8Array): Uint8Array {
  const version = (packet[0] ?? 0) >> 4;
  const told = version === 4 ? wordAt(packet, 2) : wordAt(packet, 4) + 40;
  return told < packet.length && told >= (version === 4 ? 20 : 41) ? packet.subarray(0, told) : packet;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** A packet as the forward hook sees it: one hop further. */
export function forwarded(packet: Uint8Array): Uint8Array {
  const out = packet.slice();
  const v4 = (out[0] ?? 0) >> 4 === 4;
  const at = v4 ? 8 : 7;
  out[at] = (out[at] ?? 0) - 1;
  if (v4) fixIpv4Checksum(out, 0);
  return out;
}

/** A packet as this machine sends them: with the length that it has, and with neither a source nor an identification that the kernel would choose. */
export function locallySent(packet: Uint8Array): Uint8Array {
  const out = packet.slice();
  if ((out[0] ?? 0) >> 4 !== 4) {
    const payload = Math.max(0, out.length - 40);
    out.set([payload >>> 8, payload & 0xff], 4);
    return out;
  }
  out.set([out.length >>> 8, out.length & 0xff], 2);
  if (wordAt(out, 4) === 0) out[5] = 1;
  if (wordAt(out, 12) === 0 && wordAt(out, 14) === 0) out.set([192, 0, 2, 1], 12);
  fixIpv4Checksum(out, 0);
  return out;
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
