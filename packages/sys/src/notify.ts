import { bind, check, SystemError } from './libc.ts';
import { closeFd, openSocket } from './socket.ts';
import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_DGRAM } from './socket-constants.ts';

const sendtoCall = bind<[number, Uint8Array, number, number, Uint8Array, number], number>(
  'intptr_t sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
);

/** Longest path in `struct sockaddr_un`. */
const MAX_PATH = 108;

/**
 * Sends one datagram of `KEY=VALUE` lines to the service manager, as sd_notify(3) does: `READY=1`, `STATUS=...`, `RELOADING=1`, `STOPPING=1`, `WATCHDOG=1`.
 * Returns false when no manager asked for it. A name that starts with `@` is in the abstract namespace. Never blocks; throws SystemError when it
 * could not be sent, RangeError when the address is none.
 */
export function notifyServiceManager(state: string, address: string | undefined = process.env['NOTIFY_SOCKET']): boolean {
  if (!address) return false;
  const sockaddr = notificationAddress(address);
  const message = new TextEncoder().encode(state);
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    const sent = check('sendto', sendtoCall(fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL, sockaddr, sockaddr.length), address);
    if (sent !== message.length) throw new SystemError('sendto', 0, `${sent} of ${message.length} bytes sent`);
    return true;
  } finally {
    closeFd(fd);
  }
}

/** `struct sockaddr_un` of NOTIFY_SOCKET: a path, or with `@` a name in the abstract namespace. RangeError when it is neither. */
export function notificationAddress(address: string): Uint8Array {
  const name = new TextEncoder().encode(address);
  const abstract = name[0] === 0x40;
  if ((!abstract && name[0] !== 0x2f) || name.length < 2 || name.length >= MAX_PATH)
    throw new RangeError(`not a notification socket: ${address}`);
  const sockaddr = new Uint8Array(2 + name.length + (abstract ? 0 : 1));
  new DataView(sockaddr.buffer).setUint16(0, AF_UNIX, true);
  sockaddr.set(name, 2);
  if (abstract) sockaddr[2] = 0;
  return sockaddr;
}
