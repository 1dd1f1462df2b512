import { bind, check } from './libc.ts';
import { SOL_SOCKET } from './socket-constants.ts';

const setsockopt = bind<[number, number, number, Uint8Array, number], number>(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)',
);
const getsockopt = bind<[number, number, number, Uint8Array, Uint8Array], number>(
  'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)',
);

/** An option of sockets: its level, its number there, and its name for errors. */
export interface SocketOption {
  readonly level: number;
  readonly number: number;
  readonly name: string;
}

const LEVELS = { SO: SOL_SOCKET, IP: 0, TCP: 6, IPV6: 41, PACKET: 263, NETLINK: 270 } as const;

function option(name: `${keyof typeof LEVELS}_${string}`, number: number): SocketOption {
  return { level: LEVELS[name.slice(0, name.indexOf('_')) as keyof typeof LEVELS], number, name };
}

export const SO_REUSEADDR: SocketOption = option('SO_REUSEADDR', 2);
export const SO_BROADCAST: SocketOption = option('SO_BROADCAST', 6);
export const SO_SNDBUF: SocketOption = option('SO_SNDBUF', 7);
export const SO_RCVBUF: SocketOption = option('SO_RCVBUF', 8);
export const SO_PEERCRED: SocketOption = option('SO_PEERCRED', 17);
const SO_BINDTODEVICE = option('SO_BINDTODEVICE', 25);
export const SO_DETACH_FILTER: SocketOption = option('SO_DETACH_FILTER', 27);
export const SO_SNDBUFFORCE: SocketOption = option('SO_SNDBUFFORCE', 32);
export const SO_RCVBUFFORCE: SocketOption = option('SO_RCVBUFFORCE', 33);
export const SO_MARK: SocketOption = option('SO_MARK', 36);
export const SO_PROTOCOL: SocketOption = option('SO_PROTOCOL', 38);
export const SO_DOMAIN: SocketOption = option('SO_DOMAIN', 39);
export const SO_ATTACH_BPF: SocketOption = option('SO_ATTACH_BPF', 50);
export const IP_TOS: SocketOption = option('IP_TOS', 1);
export const IP_TTL: SocketOption = option('IP_TTL', 2);
export const IP_FREEBIND: SocketOption = option('IP_FREEBIND', 15);
export const IP_MINTTL: SocketOption = option('IP_MINTTL', 21);
export const IPV6_UNICAST_HOPS: SocketOption = option('IPV6_UNICAST_HOPS', 16);
export const IPV6_V6ONLY: SocketOption = option('IPV6_V6ONLY', 26);
export const IPV6_HDRINCL: SocketOption = option('IPV6_HDRINCL', 36);
export const IPV6_TCLASS: SocketOption = option('IPV6_TCLASS', 67);
export const IPV6_MINHOPCOUNT: SocketOption = option('IPV6_MINHOPCOUNT', 73);
export const TCP_MD5SIG: SocketOption = option('TCP_MD5SIG', 14);
export const TCP_MD5SIG_EXT: SocketOption = option('TCP_MD5SIG_EXT', 32);
export const PACKET_QDISC_BYPASS: SocketOption = option('PACKET_QDISC_BYPASS', 20);
export const PACKET_IGNORE_OUTGOING: SocketOption = option('PACKET_IGNORE_OUTGOING', 23);
export const NETLINK_ADD_MEMBERSHIP: SocketOption = option('NETLINK_ADD_MEMBERSHIP', 1);
export const NETLINK_DROP_MEMBERSHIP: SocketOption = option('NETLINK_DROP_MEMBERSHIP', 2);
export const NETLINK_CAP_ACK: SocketOption = option('NETLINK_CAP_ACK', 10);
export const NETLINK_EXT_ACK: SocketOption = option('NETLINK_EXT_ACK', 11);
export const NETLINK_GET_STRICT_CHK: SocketOption = option('NETLINK_GET_STRICT_CHK', 12);

/** Sets an option. Throws SystemError. */
export function setOption(fd: number, { level, number, name }: SocketOption, value: Uint8Array, detail = ''): void {
  check(`setsockopt ${name}`, setsockopt(fd, level, number, value, value.length), detail);
}

/** Sets an option whose value is a number of 32 bits, signed or not. */
export function setIntOption(fd: number, option: SocketOption, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  setOption(fd, option, bytes, `value ${value}`);
}

/** Reads an option of so many bytes. Throws SystemError. */
export function getOption(fd: number, { level, number, name }: SocketOption, length: number): DataView {
  const bytes = new Uint8Array(length);
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, length, true);
  check(`getsockopt ${name}`, getsockopt(fd, level, number, bytes, size));
  return new DataView(bytes.buffer);
}

/** Reads an option whose value is an `int`. */
export function getIntOption(fd: number, option: SocketOption): number {
  return getOption(fd, option, 4).getInt32(0, true);
}

/** Sends and receives through one interface (or VRF device) only. */
export function bindToDevice(fd: number, device: string): void {
  setOption(fd, SO_BINDTODEVICE, new TextEncoder().encode(device), device);
}

/** Octets for a buffer of a socket, within what the kernel's `int` can double. */
export function bufferSize(bytes: number): number {
  return Math.min(Math.max(Math.floor(bytes), 0), 0x3fffffff);
}
