/** Sum of 16-bit words (an odd last octet is the high half of one), folded, to go on from `sum` (RFC 1071). */
export function sumWords(bytes: Uint8Array, sum = 0): number {
  let total = sum;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 65536);
  return total;
}

/** The Internet checksum of a sum. */
export function finishChecksum(sum: number): number {
  return ~sum & 0xffff;
}

const CRC32C_TABLE = new Uint32Array(256).map((_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C (RFC 9260 appendix A), the checksum of SCTP. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const octet of bytes) crc = (crc >>> 8) ^ (CRC32C_TABLE[(crc ^ octet) & 255] ?? 0);
  return ~crc >>> 0;
}
