import { getOption, SO_PEERCRED } from './socket-option.ts';

/** Who is at the other end of a Unix socket, as the kernel knows it since it was connected (unix(7), SO_PEERCRED). */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Throws SystemError. */
export function peerCredentials(fd: number): PeerCredentials {
  // struct ucred: pid_t pid, uid_t uid, gid_t gid.
  const view = getOption(fd, SO_PEERCRED, 12);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true), gid: view.getUint32(8, true) };
}
