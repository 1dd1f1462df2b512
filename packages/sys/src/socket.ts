import { bind, check } from './libc.ts';
import { SOCK_CLOEXEC } from './socket-constants.ts';

const socketCall = bind<[number, number, number], number>('int socket(int domain, int type, int protocol)');
const bindCall = bind<[number, Uint8Array, number], number>('int bind(int fd, const uint8_t *address, uint32_t length)');
const closeCall = bind<[number], number>('int close(int fd)');

/** A socket that programs which this process starts do not inherit. Throws SystemError. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return check('socket', socketCall(domain, type | SOCK_CLOEXEC, protocol));
}

/** Gives a socket its own address. Throws SystemError with `detail`. */
export function bindSocket(fd: number, address: Uint8Array, detail = ''): void {
  check('bind', bindCall(fd, address, address.length), detail);
}

/** Closes a descriptor that nothing else has taken over. */
export function closeFd(fd: number): void {
  check('close', closeCall(fd));
}
