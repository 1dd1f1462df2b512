/** The internet checksum (RFC 1071) of octets [from, to), on top of a sum of 16-bit words. */
export function checksum(bytes: Uint8Array, from: number, to: number, sum = 0): number {
  let total = sum;
  for (let at = from; at < to; at += 2) total += ((bytes[at] ?? 0) << 8) | (at + 1 < to ? (bytes[at + 1] ?? 0) : 0);
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return ~total & 0xffff;
}

/** The sum of the octets as 16-bit words, for a pseudo header. */
export function wordSum(bytes: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let at = from; at + 1 < to; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return total;
}

/** Writes the checksum of the IPv4 header that begins at `at`, where it is all there. */
export function fixIpv4Checksum(bytes: Uint8Array, at: number): void {
  const length = ((bytes[at] ?? 0) & 15) * 4;
  if (length < 20 || at + length > bytes.length) return;
  bytes[at + 10] = 0;
  bytes[at + 11] = 0;
  const value = checksum(bytes, at, at + length);
  bytes[at + 10] = value >>> 8;
  bytes[at + 11] = value & 0xff;
}
