import { fstatSync, statSync } from 'node:fs';
import { bind, check, SystemError } from './libc.ts';
import { messageCalls } from './message-header.ts';
import { networkNamespacePath } from './netns.ts';
import { notificationAddress } from './notify.ts';
import { closeFd, openSocket } from './socket.ts';
import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_DGRAM, SOL_SOCKET } from './socket-constants.ts';

const ioctlCall = bind<[number, number, number], number>('int ioctl(int fd, unsigned long request, intptr_t argument)');

const SCM_RIGHTS = 1;
/** Descriptors that a service manager passes begin here (sd_listen_fds(3)). */
const FIRST_PASSED = 3;
/** More descriptors than anyone passes. */
const MAX_PASSED = 1024;
const FIOCLEX = 0x5451;
const SIOCGSKNS = 0x894c;

type Environment = { readonly [name: string]: string | undefined };

/** Descriptors that the service manager passed to this process, with the names that they were stored under (sd_listen_fds_with_names(3)). */
export function passedDescriptors(env: Environment, pid: number): readonly { readonly fd: number; readonly name: string }[] {
  if (env['LISTEN_PID'] !== String(pid)) return [];
  const text = env['LISTEN_FDS'] ?? '';
  const count = /^\d{1,4}$/.test(text) ? Math.min(Number(text), MAX_PASSED) : 0;
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':');
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST_PASSED + i, name: names[i] ?? '' }));
}

/**
 * Gives a descriptor to the service manager to hold: it is passed again to the next process of the service, and stays open meanwhile whatever becomes of
 * this one (`FDSTORE=1`, sd_notify(3)). `replace` removes what is held under the name before. False when no manager asked for notifications. Never blocks;
 * SystemError when it could not be sent.
 */
export function storeDescriptor(
  fd: number,
  name: string,
  replace: boolean,
  address: string | undefined = process.env['NOTIFY_SOCKET'],
): boolean {
  if (!address) return false;
  const sockaddr = notificationAddress(address);
  const socket = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    if (replace) send(socket, sockaddr, `FDSTOREREMOVE=1\nFDNAME=${name}`, undefined);
    // FDPOLL=0: an overrun of the socket is an error condition, for which the manager would close it.
    send(socket, sockaddr, `FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`, fd);
    return true;
  } finally {
    closeFd(socket);
  }
}

function send(socket: number, name: Uint8Array, text: string, fd: number | undefined): void {
  const bytes = new TextEncoder().encode(text);
  const control = new Uint8Array(fd === undefined ? 0 : 24);
  if (fd !== undefined) {
    // `struct cmsghdr`: length u64, level i32, type i32, then the descriptor, padded to 8.
    const view = new DataView(control.buffer);
    view.setBigUint64(0, 20n, true);
    view.setInt32(8, SOL_SOCKET, true);
    view.setInt32(12, SCM_RIGHTS, true);
    view.setInt32(16, fd, true);
  }
  const message = {
    name,
    nameLength: name.length,
    parts: [{ base: bytes, length: bytes.length }],
    partCount: 1,
    control: fd === undefined ? null : control,
    controlLength: control.length,
    flags: 0,
  };
  const sent = check('sendmsg', messageCalls().sendmsg(socket, message, MSG_DONTWAIT | MSG_NOSIGNAL), text.split('\n')[0] ?? '');
  if (sent !== bytes.length) throw new SystemError('sendmsg', 0, `${sent} of ${bytes.length} bytes sent`);
}

/** Makes a descriptor close when another program is started. */
export function closeOnExec(fd: number): void {
  check('ioctl', ioctlCall(fd, FIOCLEX, 0), 'FIOCLEX');
}

/** Whether a socket is known to belong to a network namespace: a name or path, or that of this thread. Needs CAP_NET_ADMIN in the socket's. */
export function isSocketOf(fd: number, netns: string | undefined): boolean {
  const there = ioctlCall(fd, SIOCGSKNS, 0);
  if (there < 0) return false;
  try {
    const have = fstatSync(there, { bigint: true });
    const want = statSync(netns === undefined ? '/proc/thread-self/ns/net' : networkNamespacePath(netns), { bigint: true });
    return have.dev === want.dev && have.ino === want.ino;
  } finally {
    closeFd(there);
  }
}
