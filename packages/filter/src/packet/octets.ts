/** Big-endian numbers in a window of octets; undefined where they are not all inside it. */
export function u8At(bytes: Uint8Array, at: number, end: number): number | undefined {
  return at + 1 <= end ? bytes[at] : undefined;
}

export function u16At(bytes: Uint8Array, at: number, end: number): number | undefined {
  return at + 2 <= end ? u16(bytes, at) : undefined;
}

export function u32At(bytes: Uint8Array, at: number, end: number): number | undefined {
  return at + 4 <= end ? u16(bytes, at) * 65536 + u16(bytes, at + 2) : undefined;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/**
 * Bits [start, end) counted from the highest bit of the octet at `at`, as an unsigned number; undefined when the octets that hold them are not all before `limit`,
 * and for fewer than 1 or more than 32 bits.
 */
export function bitsAt(bytes: Uint8Array, at: number, limit: number, start: number, end: number): number | undefined {
  const width = end - start;
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || width < 1 || width > 32) return undefined;
  const first = at + (start >> 3);
  const last = at + ((end - 1) >> 3);
  if (last >= limit) return undefined;
  // Up to five octets: more than 32 bits, so by multiplication.
  let value = 0;
  for (let i = first; i <= last; i++) value = value * 256 + (bytes[i] ?? 0);
  return Math.floor(value / 2 ** (7 - ((end - 1) & 7))) % 2 ** width;
}
