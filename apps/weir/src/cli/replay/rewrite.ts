import { finishChecksum, sumWords } from '@weir/filter/packet';

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Without the padding that a link layer adds. */
export function cutToLength(packet: Uint8Array): Uint8Array {
  const version = (packet[0] ?? 0) >> 4;
  const told = version === 4 ? u16(packet, 2) : u16(packet, 4) + 40;
  const least = version === 4 ? 20 : 41;
  return told >= least && told < packet.length ? packet.subarray(0, told) : packet;
}

/** One hop further. */
export function forwarded(packet: Uint8Array): Uint8Array {
  const out = packet.slice();
  const v4 = (out[0] ?? 0) >> 4 === 4;
  const at = v4 ? 8 : 7;
  if (at >= out.length) return out;
  out[at] = Math.max(0, (out[at] ?? 0) - 1);
  return v4 ? withChecksum(out) : out;
}

/** With the length that it has, and with an identification and a source, which the kernel would choose otherwise. */
export function locallySent(packet: Uint8Array): Uint8Array {
  const out = packet.slice();
  if ((out[0] ?? 0) >> 4 !== 4) {
    const payload = Math.max(0, out.length - 40);
    if (out.length >= 40) out.set([payload >>> 8, payload & 0xff], 4);
    return out;
  }
  if (out.length < 20) return out;
  out.set([out.length >>> 8, out.length & 0xff], 2);
  if (u16(out, 4) === 0) out[5] = 1;
  if (u16(out, 12) === 0 && u16(out, 14) === 0) out.set([192, 0, 2, 1], 12);
  return withChecksum(out);
}

function withChecksum(packet: Uint8Array): Uint8Array {
  const length = Math.min(((packet[0] ?? 0) & 15) * 4, packet.length);
  if (length < 20) return packet;
  packet.fill(0, 10, 12);
  const sum = finishChecksum(sumWords(packet.subarray(0, length)));
  packet.set([sum >>> 8, sum & 0xff], 10);
  return packet;
}
