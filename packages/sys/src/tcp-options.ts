import type { Family, Ip } from '@weir/wire/inet';
import { bitsOf, printIp } from '@weir/wire/inet';
import { sockaddr } from './sockaddr.ts';
import {
  getIntOption,
  IP_FREEBIND,
  IP_MINTTL,
  IP_TOS,
  IP_TTL,
  IPV6_MINHOPCOUNT,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  setIntOption,
  setOption,
  TCP_MD5SIG,
  TCP_MD5SIG_EXT,
} from './socket-option.ts';

/** Time to live, or hop limit, of what the socket sends (1-255). */
export function setTtl(fd: number, family: Family, ttl: number): void {
  setIntOption(fd, family === 4 ? IP_TTL : IPV6_UNICAST_HOPS, ttl);
}

export function getTtl(fd: number, family: Family): number {
  return getIntOption(fd, family === 4 ? IP_TTL : IPV6_UNICAST_HOPS);
}

/**
 * Packets that arrive with a smaller time to live are dropped by the kernel (RFC 5082): 255 admits only directly connected senders.
 * 0 admits all.
 */
export function setMinTtl(fd: number, family: Family, ttl: number): void {
  setIntOption(fd, family === 4 ? IP_MINTTL : IPV6_MINHOPCOUNT, ttl);
}

export function getMinTtl(fd: number, family: Family): number {
  return getIntOption(fd, family === 4 ? IP_MINTTL : IPV6_MINHOPCOUNT);
}

/** The whole octet of type of service or traffic class: CS6, which routing protocols use, is 0xc0. */
export function setTos(fd: number, family: Family, tos: number): void {
  setIntOption(fd, family === 4 ? IP_TOS : IPV6_TCLASS, tos);
}

export function getTos(fd: number, family: Family): number {
  return getIntOption(fd, family === 4 ? IP_TOS : IPV6_TCLASS);
}

/** Allows a bind to an address that the machine does not have yet. */
export function setFreebind(fd: number): void {
  setIntOption(fd, IP_FREEBIND, 1);
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
  setOption(fd, range ? TCP_MD5SIG_EXT : TCP_MD5SIG, value, printIp(key.address));
}
