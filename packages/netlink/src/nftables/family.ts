/** Families of nf_tables (`NFPROTO_*`), by the names that nft gives them. */
export type NftFamily = 'inet' | 'ip' | 'arp' | 'netdev' | 'bridge' | 'ip6';

const NUMBERS: Readonly<Record<NftFamily, number>> = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 };
const NAMES = new Map<number, NftFamily>(Object.entries(NUMBERS).map(([name, number]) => [number, name as NftFamily]));

export function familyNumber(family: NftFamily): number {
  return NUMBERS[family];
}

export function familyName(number: number): NftFamily | undefined {
  return NAMES.get(number);
}
