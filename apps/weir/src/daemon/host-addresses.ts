import { networkInterfaces } from 'node:os';
import { type Ip, parseIp } from '@weir/wire/inet';

/** The addresses of this host, in the namespace of this process. Deny sets never cover them. */
export function hostAddresses(): readonly Ip[] {
  const out: Ip[] = [];
  for (const list of Object.values(networkInterfaces())) {
    for (const { address } of list ?? []) {
      const ip = parseIp(address.split('%')[0] ?? '');
      if (ip) out.push(ip);
    }
  }
  return out;
}
