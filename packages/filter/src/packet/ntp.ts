const HEADER = 48;

/** Whether a UDP payload is an NTP packet (RFC 5905 section 7.3): leap 2 · version 3 · mode 3 bits, version 1-4, mode 1-5, 48 octets or more. */
export function isNtp(payload: Uint8Array): boolean {
  const first = payload[0] ?? 0;
  const version = (first >> 3) & 7;
  const mode = first & 7;
  return payload.length >= HEADER && version >= 1 && version <= 4 && mode >= 1 && mode <= 5;
}
