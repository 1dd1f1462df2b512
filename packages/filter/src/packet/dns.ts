import { u16At } from './octets.ts';

const HEADER = 12;
const MAX_LABEL = 63;
/** With the length octets and the root. */
const MAX_NAME = 255;
/** Type and class of the question. */
const AFTER_NAME = 4;

/**
 * Whether a UDP payload is one well-formed DNS query (RFC 1035 section 4.1): QR 0, Z 0, one question, no answers, its name of labels of at most 63 octets and at most
 * 255 in all without compression, type and class after it. Additional records (EDNS) may follow.
 */
export function isDnsQuery(payload: Uint8Array): boolean {
  const end = payload.length;
  if (end < HEADER) return false;
  const flags = u16At(payload, 2, end) ?? 0;
  // QR 1 · opcode 4 · AA TC RD RA 4 · Z 1 · AD CD 2 (RFC 4035) · rcode 4.
  const response = (flags & 0x8000) !== 0;
  const reserved = (flags & 0x0040) !== 0;
  if (response || reserved || u16At(payload, 4, end) !== 1 || u16At(payload, 6, end) !== 0) return false;
  const after = skipName(payload, HEADER);
  return after !== undefined && after + AFTER_NAME <= end;
}

/** Where the name's last octet was, plus one; undefined when it is cut short, too long or compressed. */
function skipName(payload: Uint8Array, start: number): number | undefined {
  let at = start;
  while (at < payload.length) {
    const length = payload[at] ?? 0;
    if (length > MAX_LABEL) return undefined;
    at += 1 + length;
    if (at - start > MAX_NAME) return undefined;
    if (length === 0) return at;
  }
  return undefined;
}
