import { type Ip, ipBytes } from '@weir/wire/inet';
import { bind, check } from './libc.ts';
import { AF_INET, AF_INET6 } from './socket-constants.ts';

const ifNameToIndex = bind<[string], number>('uint32_t if_nametoindex(const char *ifname)');

const ifIndexToName = bind<[number, Uint8Array], number | bigint>('intptr_t if_indextoname(unsigned int index, void *name)');
/** IF_NAMESIZE. */
const NAME_OCTETS = 16;

/** The name of an interface in the calling thread's network namespace; undefined when there is none with that index. */
export function interfaceName(index: number): string | undefined {
  const name = new Uint8Array(NAME_OCTETS);
  if (Number(ifIndexToName(index, name)) === 0) return undefined;
  const end = name.indexOf(0);
  return new TextDecoder().decode(name.subarray(0, end < 0 ? NAME_OCTETS : end));
}

/** The index of an interface in the calling thread's network namespace; SystemError (ENODEV) when there is none. */
export function interfaceIndex(name: string): number {
  const index = ifNameToIndex(name);
  if (index === 0) check('if_nametoindex', -1, name);
  return index;
}

/**
 * `struct sockaddr_in` (16 bytes) or `struct sockaddr_in6` (28 bytes). `scope` is the interface index that a link-local IPv6 address needs.
 */
export function sockaddr(address: Ip, port: number, scope = 0): Uint8Array {
  const out = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(out.buffer);
  view.setUint16(0, address.family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  if (address.family === 4) out.set(ipBytes(address), 4);
  else {
    out.set(ipBytes(address), 8);
    view.setUint32(24, scope, true);
  }
  return out;
}

/** `fe80::/10`: an address that means nothing without its interface. */
export function isLinkLocal(address: Ip): boolean {
  return address.family === 6 && address.w0 >>> 22 === 0x3fa;
}
