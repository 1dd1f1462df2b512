import type { Socket } from 'node:net';
import type { Family, Ip } from '@weir/wire/inet';
import { printIp } from '@weir/wire/inet';
import { interfaceIndex, isLinkLocal, sockaddr } from './sockaddr.ts';
import { bindSocket, closeFd, openSocket } from './socket.ts';
import { AF_INET, AF_INET6, SOCK_NONBLOCK, SOCK_STREAM } from './socket-constants.ts';
import { bindToDevice, IPV6_V6ONLY, SO_REUSEADDR, setIntOption } from './socket-option.ts';
import { type Md5Key, setFreebind, setMd5Key, setMinTtl, setTos, setTtl } from './tcp-options.ts';

/** What is set on a TCP socket before it connects or listens. */
export interface TcpOptions {
  /** Time to live of what is sent, 1-255. */
  readonly ttl?: number;
  /** Least time to live of what is received (RFC 5082), 1-255. */
  readonly minTtl?: number;
  /** Type of service octet. */
  readonly tos?: number;
  readonly md5?: readonly Md5Key[];
  /** Interface or VRF device. */
  readonly device?: string;
  readonly freebind?: boolean;
}

/** A socket that is to connect. */
export interface TcpConnectOptions extends TcpOptions {
  readonly family: Family;
  /** Local address; link-local ones need `device`. */
  readonly source?: Ip;
}

/** A socket that is to listen. */
export interface TcpListenOptions extends TcpOptions {
  readonly address: Ip;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/**
 * A non-blocking TCP socket with its options set and bound to its source address, ready to connect. The descriptor belongs to the caller:
 * `new net.Socket({ fd, manualStart: true }).connect(...)` takes it over, `closeFd` gives it back. Throws SystemError.
 */
export function openTcp(options: TcpConnectOptions): number {
  return open(options.family, options, (fd) => {
    if (options.source) bindTo(fd, options.source, 0, options.device);
  });
}

/** A non-blocking TCP socket bound to `address` and `port`, for `net.Server.listen({ fd })`. IPv6 ones leave IPv4 alone. Throws SystemError. */
export function openTcpListener(options: TcpListenOptions): number {
  return open(options.address.family, options, (fd) => {
    setIntOption(fd, SO_REUSEADDR, 1);
    if (options.address.family === 6) setIntOption(fd, IPV6_V6ONLY, 1);
    bindTo(fd, options.address, options.port, options.device);
  });
}

function open(family: Family, options: TcpOptions, finish: (fd: number) => void): number {
  const fd = openSocket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
  try {
    if (options.device !== undefined) bindToDevice(fd, options.device);
    if (options.freebind) setFreebind(fd);
    if (options.ttl !== undefined) setTtl(fd, family, options.ttl);
    if (options.minTtl !== undefined) setMinTtl(fd, family, options.minTtl);
    if (options.tos !== undefined) setTos(fd, family, options.tos);
    for (const key of options.md5 ?? []) setMd5Key(fd, key);
    finish(fd);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function bindTo(fd: number, address: Ip, port: number, device: string | undefined): void {
  const scope = device !== undefined && isLinkLocal(address) ? interfaceIndex(device) : 0;
  bindSocket(fd, sockaddr(address, port, scope), `${printIp(address)} port ${port}`);
}

/** The descriptor behind a connected or listening socket of Node, for setting options on accepted sockets; undefined once it is closed. */
export function socketFd(socket: Socket | { readonly listening: boolean }): number | undefined {
  const handle = (socket as { readonly _handle?: { readonly fd?: unknown } | null })._handle;
  const fd = handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
