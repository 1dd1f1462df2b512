/** Names of ICMP types as nft writes them (RFC 792, RFC 950, RFC 1256). */
const ICMP: Readonly<Record<number, string>> = {
  0: 'echo-reply',
  3: 'destination-unreachable',
  4: 'source-quench',
  5: 'redirect',
  8: 'echo-request',
  9: 'router-advertisement',
  10: 'router-solicitation',
  11: 'time-exceeded',
  12: 'parameter-problem',
  13: 'timestamp-request',
  14: 'timestamp-reply',
  15: 'info-request',
  16: 'info-reply',
  17: 'address-mask-request',
  18: 'address-mask-reply',
};

/** The same for ICMPv6 (RFC 4443, RFC 4861, RFC 2710, RFC 3810). */
const ICMPV6: Readonly<Record<number, string>> = {
  1: 'destination-unreachable',
  2: 'packet-too-big',
  3: 'time-exceeded',
  4: 'parameter-problem',
  128: 'echo-request',
  129: 'echo-reply',
  130: 'mld-listener-query',
  131: 'mld-listener-report',
  132: 'mld-listener-done',
  133: 'nd-router-solicit',
  134: 'nd-router-advert',
  135: 'nd-neighbor-solicit',
  136: 'nd-neighbor-advert',
  137: 'nd-redirect',
  143: 'mld2-listener-report',
};

/** The name of an ICMP (4) or ICMPv6 (6) type; undefined for one without. */
export function icmpTypeName(family: 4 | 6, type: number): string | undefined {
  return (family === 4 ? ICMP : ICMPV6)[type];
}

/** The type that a name means. */
export function icmpTypeNumber(family: 4 | 6, name: string): number | undefined {
  const found = Object.entries(family === 4 ? ICMP : ICMPV6).find(([, one]) => one === name);
  return found === undefined ? undefined : Number(found[0]);
}
