import type { Family, Ip } from '@weir/wire/inet';
import { bitsOf, printIp } from '@weir/wire/inet';
import { bind, check } from './libc.ts';
import { sockaddr } from './sockaddr.ts';
import {
  IP_FREEBIND,
  IP_MINTTL,
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_MINHOPCOUNT,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  SO_BINDTODEVICE,
  SOL_SOCKET,
  TCP_MD5SIG,
  TCP_MD5SIG_EXT,
} from './tcp-constants.ts';

const setsockopt = bind<[number, number, number, Uint8Array, number], number>(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)',
);
const getsockopt = bind<[number, number, number, Uint8Array, Uint8Array], number>(
  'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)',
);

/** Sets an option whose value is an `int`. */
export function setIntOption(fd: number, level: number, name: number, value: number, call: string): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  check(call, setsockopt(fd, level, name, bytes, 4));
}

/** Reads an option whose value is an `int`. */
function getIntOption(fd: number, level: number, name: number, call: string): number {
  const bytes = new Uint8Array(4);
  const length = new Uint8Array([4, 0, 0, 0]);
  check(call, getsockopt(fd, level, name, bytes, length));
  return new DataView(bytes.buffer).getInt32(0, true);
}

/** Time to live, or hop limit, of what the socket sends (1-255). */
export function setTtl(fd: number, family: Family, ttl: number): void {
  if (family === 4) setIntOption(fd, IPPROTO_IP, IP_TTL, ttl, 'setsockopt IP_TTL');
  else setIntOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, 'setsockopt IPV6_UNICAST_HOPS');
}

export function getTtl(fd: number, family: Family): number {
  if (family === 4) return getIntOption(fd, IPPROTO_IP, IP_TTL, 'getsockopt IP_TTL');
  return getIntOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 'getsockopt IPV6_UNICAST_HOPS');
}

/**
 * Packets that arrive with a smaller time to live are dropped by the kernel (RFC 5082): 255 admits only directly connected senders.
 * 0 admits all.
 */
export function setMinTtl(fd: number, family: Family, ttl: number): void {
  if (family === 4) setIntOption(fd, IPPROTO_IP, IP_MINTTL, ttl, 'setsockopt IP_MINTTL');
  else setIntOption(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl, 'setsockopt IPV6_MINHOPCOUNT');
}

export function getMinTtl(fd: number, family: Family): number {
  if (family === 4) return getIntOption(fd, IPPROTO_IP, IP_MINTTL, 'getsockopt IP_MINTTL');
  return getIntOption(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 'getsockopt IPV6_MINHOPCOUNT');
}

/** The whole octet of type of service or traffic class: CS6, which routing protocols use, is 0xc0. */
export function setTos(fd: number, family: Family, tos: number): void {
  if (family === 4) setIntOption(fd, IPPROTO_IP, IP_TOS, tos, 'setsockopt IP_TOS');
  else setIntOption(fd, IPPROTO_IPV6, IPV6_TCLASS, tos, 'setsockopt IPV6_TCLASS');
}

export function getTos(fd: number, family: Family): number {
  if (family === 4) return getIntOption(fd, IPPROTO_IP, IP_TOS, 'getsockopt IP_TOS');
  return getIntOption(fd, IPPROTO_IPV6, IPV6_TCLASS, 'getsockopt IPV6_TCLASS');
}

/** Allows a bind to an address that the machine does not have yet. */
export function setFreebind(fd: number): void {
  setIntOption(fd, IPPROTO_IP, IP_FREEBIND, 1, 'setsockopt IP_FREEBIND');
}

/** Sends and receives through one interface (or VRF device) only. */
export function bindToDevice(fd: number, device: string): void {
  const name = new TextEncoder().encode(device);
  check('setsockopt SO_BINDTODEVICE', setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length), device);
}

/** A key for segments to and from an address, or every address of a range. An empty password removes the key. */
export interface Md5Key {
  readonly address: Ip;
  /** Leading bits of `address` that must match; the whole address when absent. */
  readonly length?: number;
  /** At most 80 bytes of UTF-8. */
  readonly password: string;
}

const MAX_MD5_KEY = 80;
const FLAG_PREFIX = 1;

/**
 * Signs and demands TCP MD5 signatures (RFC 2385) with one peer. On a listener keys may be added and removed at any time; accepted
 * sockets inherit theirs. Removing a key that is not set is a SystemError (ENOENT).
 *
 * ```
 * struct tcp_md5sig { sockaddr_storage addr (128); u8 flags; u8 prefixlen; u16 keylen; int ifindex; u8 key[80]; }
 * ```
 */
export function setMd5Key(fd: number, key: Md5Key): void {
  const secret = new TextEncoder().encode(key.password);
  if (secret.length > MAX_MD5_KEY) throw new RangeError(`TCP MD5 keys have at most ${MAX_MD5_KEY} bytes, not ${secret.length}`);
  const value = new Uint8Array(216);
  const view = new DataView(value.buffer);
  value.set(sockaddr(key.address, 0), 0);
  const range = key.length !== undefined && key.length < bitsOf(key.address.family);
  if (range) {
    view.setUint8(128, FLAG_PREFIX);
    view.setUint8(129, key.length);
  }
  view.setUint16(130, secret.length, true);
  value.set(secret, 136);
  check(
    'setsockopt TCP_MD5SIG',
    setsockopt(fd, IPPROTO_TCP, range ? TCP_MD5SIG_EXT : TCP_MD5SIG, value, value.length),
    printIp(key.address),
  );
}
