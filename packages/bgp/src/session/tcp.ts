import { Socket, type SocketConstructorOpts } from 'node:net';
import { closeFd, inNetworkNamespace, openTcp, setMinTtl, setTos, setTtl, socketFd } from '@weir/sys';
import { type Asn, type Ip, parseIp, printIp } from '@weir/wire/inet';
import { BGP_PORT, type PeerConfig } from './config.ts';

/** Internetwork control, which routing protocols use (RFC 4594): class selector 6. */
export const TOS_CS6 = 0xc0;
export const MAX_TTL = 255;

/** Runs `action` inside the namespace, where one is given. */
export function inside(namespace: string | undefined, action: () => number): number {
  return namespace === undefined ? action() : inNetworkNamespace<number>(namespace, action);
}

/** Time to live of what is sent to a peer, and the least accepted from it (RFC 5082 section 3); undefined leaves the system's default. */
export function timeToLive(config: PeerConfig, localAs: Asn): { readonly ttl: number | undefined; readonly minTtl: number | undefined } {
  if (config.ttlSecurity !== undefined) return { ttl: MAX_TTL, minTtl: MAX_TTL + 1 - config.ttlSecurity };
  if (config.multihop !== undefined) return { ttl: config.multihop, minTtl: undefined };
  const internal = config.peerAs === 'internal' || config.peerAs === localAs;
  return { ttl: internal ? undefined : 1, minTtl: undefined };
}

/** Begins to connect to a peer; `connect`, `error` and `close` tell how it went. Throws SystemError when there can be no such socket. */
export function dial(config: PeerConfig, localAs: Asn, namespace: string | undefined): Socket {
  const { ttl, minTtl } = timeToLive(config, localAs);
  const fd = inside(namespace, () =>
    openTcp({
      family: config.address.family,
      tos: TOS_CS6,
      ...(ttl === undefined ? {} : { ttl }),
      ...(minTtl === undefined ? {} : { minTtl }),
      ...(config.source ? { source: config.source } : {}),
      ...(config.device === undefined ? {} : { device: config.device }),
      ...(config.password === undefined ? {} : { md5: [{ address: config.address, password: config.password }] }),
    }),
  );
  // Node's types do not know manualStart, which keeps it from reading before the socket is connected.
  const options: SocketConstructorOpts & { readonly manualStart: boolean } = { fd, manualStart: true, allowHalfOpen: true };
  let socket: Socket;
  try {
    socket = new Socket(options);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  // A link-local address needs no zone here: the socket is bound to the peer's device.
  return socket.connect({ host: printIp(config.address), port: config.port ?? BGP_PORT });
}

/** Gives an accepted connection the options of its peer; false when it is closed already. Throws SystemError. */
export function prepareAccepted(socket: Socket, config: PeerConfig, localAs: Asn): boolean {
  const fd = socketFd(socket);
  if (fd === undefined) return false;
  const { family } = config.address;
  const { ttl, minTtl } = timeToLive(config, localAs);
  setTos(fd, family, TOS_CS6);
  if (ttl !== undefined) setTtl(fd, family, ttl);
  setMinTtl(fd, family, minTtl ?? 0);
  return true;
}

/** An address as Node gives it, without its zone. */
export function socketAddress(text: string | undefined): Ip | undefined {
  return text === undefined ? undefined : parseIp(text.replace(/%.*$/, ''));
}
