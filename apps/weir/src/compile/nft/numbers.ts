/** IP protocol numbers of the protocols that rules name. */
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

/** What nft calls them. */
export const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'ipv6-icmp',
  132: 'sctp',
};

/** What nft calls ICMP types and codes. A type without a name is written as a number. */
export const ICMP_TYPES: Readonly<Record<4 | 6, Readonly<Record<number, string>>>> = {
  4: { 3: 'destination-unreachable', 11: 'time-exceeded', 12: 'parameter-problem' },
  6: {
    2: 'packet-too-big',
    3: 'time-exceeded',
    4: 'parameter-problem',
    130: 'mld-listener-query',
    131: 'mld-listener-report',
    132: 'mld-listener-done',
    133: 'nd-router-solicit',
    134: 'nd-router-advert',
    135: 'nd-neighbor-solicit',
    136: 'nd-neighbor-advert',
    143: 'mld2-listener-report',
  },
};

export const ICMP_CODES: Readonly<Record<number, string>> = { 4: 'frag-needed' };
