import { bind, check } from './libc.ts';
import { SOL_SOCKET } from './tcp-constants.ts';

const SO_PEERCRED = 17;
const getsockopt = bind<[number, number, number, Uint8Array, Uint8Array], number>(
  'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)',
);

/** Who is at the other end of a Unix socket, as the kernel knows it since it was connected (unix(7), SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Throws SystemError. */
export function peerCredentials(fd: number): PeerCredentials {
  // struct ucred: pid_t pid, uid_t uid, gid_t gid.
  const bytes = new Uint8Array(12);
  check('getsockopt SO_PEERCRED', getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes, new Uint8Array([12, 0, 0, 0])));
  const view = new DataView(bytes.buffer);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
}
