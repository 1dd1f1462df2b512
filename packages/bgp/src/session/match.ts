import { equalIp, type Ip } from '@weir/wire/inet';
import type { PeerConfig } from './config.ts';

/**
 * Which configured peer an incoming connection is from: the one with its address. Where several share it (link-local addresses on several
 * interfaces), the one whose source address the connection came to.
 */
export function matchPeer<T extends { readonly config: PeerConfig }>(peers: Iterable<T>, remote: Ip, local: Ip | undefined): T | undefined {
  let found: T | undefined;
  for (const peer of peers) {
    const { address, source } = peer.config;
    if (!equalIp(address, remote)) continue;
    if (source && local && equalIp(source, local)) return peer;
    found ??= peer;
  }
  return found;
}
