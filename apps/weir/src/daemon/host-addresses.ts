import { networkInterfaces } from 'node:os';
import { inNetworkNamespace } from '@weir/sys';
import { type Ip, parseIp } from '@weir/wire/inet';

/**
 * The addresses of this host: those of the namespace of this process, and of the one that is managed where that is another. Deny sets never cover them. Throws SystemError when the
 * namespace cannot be entered.
 */
export function hostAddresses(netns: string | undefined): readonly Ip[] {
  const here = networkInterfaces();
  const there = netns === undefined ? {} : inNetworkNamespace(netns, networkInterfaces);
  const out: Ip[] = [];
  for (const list of [...Object.values(here), ...Object.values(there)]) {
    for (const { address } of list ?? []) {
      const ip = parseIp(address.split('%')[0] ?? '');
      if (ip) out.push(ip);
    }
  }
  return out;
}
