import type { Headers } from './headers.ts';

/** Protocol numbers by the word that `bit_slice` uses, and the family that the word implies. */
const TRANSPORTS: Readonly<Record<string, { readonly protocol: number; readonly family?: 4 | 6 }>> = {
  icmp: { protocol: 1, family: 4 },
  tcp: { protocol: 6 },
  udp: { protocol: 17 },
  gre: { protocol: 47 },
  esp: { protocol: 50 },
  icmpv6: { protocol: 58, family: 6 },
  sctp: { protocol: 132 },
};

/** Where the header that a word of `bit_slice` names begins; undefined when the packet has none. */
export function sliceStart(headers: Headers, word: string): number | undefined {
  if (word === 'ip') return headers.family === 4 ? headers.network : undefined;
  if (word === 'ip6') return headers.family === 6 ? headers.network : undefined;
  const wanted = Object.hasOwn(TRANSPORTS, word) ? TRANSPORTS[word] : undefined;
  if (wanted === undefined || headers.protocol !== wanted.protocol) return undefined;
  return wanted.family === undefined || wanted.family === headers.family ? headers.transport : undefined;
}
