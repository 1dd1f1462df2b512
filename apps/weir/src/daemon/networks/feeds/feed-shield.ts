import { bitsOf, type Ip, makePrefix, type Prefix, PrefixTrie, printIp, printPrefix } from '@weir/wire/inet';
import type { Config } from '../../../model/config.ts';
import type { FeedReason } from '../../../model/feed.ts';

/** What no feed may add to a table without `allow_protected`: what is protected, the addresses of this host, and its BGP peers. */
export class FeedShield {
  /** The same for what shields the same. */
  readonly key: string;
  readonly #parts: readonly { readonly reason: FeedReason; readonly tries: Readonly<Record<4 | 6, PrefixTrie>> }[];

  constructor(config: Config, hostAddresses: readonly Ip[]) {
    const peers = config.bgp.peers.map(({ address }) => address);
    this.#parts = [
      { reason: 'protected', tries: triesOf(config.protected) },
      { reason: 'own-address', tries: triesOf(hostAddresses.map(host)) },
      { reason: 'peer', tries: triesOf(peers.map(host)) },
    ];
    this.key = JSON.stringify(
      [config.protected.map(printPrefix), hostAddresses.map(printIp), peers.map(printIp)].map((texts) => [...new Set(texts)].sort()),
    );
  }

  /** Why a prefix may not be added. */
  reason({ family, w0, w1, w2, w3, length }: Prefix): FeedReason | undefined {
    return this.#parts.find(({ tries }) => tries[family].overlaps(w0, w1, w2, w3, length))?.reason;
  }
}

function host(ip: Ip): Prefix {
  return makePrefix(ip, bitsOf(ip.family));
}

function triesOf(prefixes: readonly Prefix[]): Readonly<Record<4 | 6, PrefixTrie>> {
  const tries = { 4: new PrefixTrie(4, 16), 6: new PrefixTrie(6, 16) };
  for (const { family, w0, w1, w2, w3, length } of prefixes) tries[family].intern(w0, w1, w2, w3, length);
  return tries;
}
