import { bind, check } from './libc.ts';
import { closeFd } from './socket.ts';

const openCall = bind<[string, number], number>('int open(const char *path, int flags)');
const setnsCall = bind<[number, number], number>('int setns(int fd, int type)');
const unshareCall = bind<[number], number>('int unshare(int flags)');

const O_CLOEXEC = 0x80000;
const CLONE_NEWNET = 0x40000000;

/** `/var/run/netns/NAME` for a name as `ip netns` uses it; a text with a slash is a path already. */
export function networkNamespacePath(nameOrPath: string): string {
  return nameOrPath.includes('/') ? nameOrPath : `/var/run/netns/${nameOrPath}`;
}

/**
 * Runs `action` with the calling thread inside another network namespace and returns what it returns. Sockets opened by `action` belong to that
 * namespace for good. `action` must be synchronous: the thread is back before anything else runs on it. Needs CAP_SYS_ADMIN.
 * Throws SystemError when the namespace cannot be entered; when the way back fails the process ends, since everything it did from then on would
 * happen in the wrong namespace.
 */
export function inNetworkNamespace<T>(nameOrPath: string, action: () => T extends PromiseLike<unknown> ? never : T): T {
  const path = networkNamespacePath(nameOrPath);
  const home = check('open', openCall('/proc/thread-self/ns/net', O_CLOEXEC), '/proc/thread-self/ns/net');
  try {
    const there = check('open', openCall(path, O_CLOEXEC), path);
    try {
      check('setns', setnsCall(there, CLONE_NEWNET), path);
    } finally {
      closeFd(there);
    }
    try {
      return action();
    } finally {
      if (setnsCall(home, CLONE_NEWNET) < 0) process.abort();
    }
  } finally {
    closeFd(home);
  }
}

/**
 * A network namespace of this process's own, without a name: it is gone when it is closed and nothing of it is open any more, and with the process. `path` is what
 * options called `netns` take. Needs CAP_SYS_ADMIN.
 */
export class NetworkNamespace {
  readonly path: string;
  readonly #fd: number;
  #closed = false;

  private constructor(fd: number) {
    this.#fd = fd;
    this.path = `/proc/self/fd/${fd}`;
  }

  /** Makes an empty namespace; the calling thread stays in its own. SystemError when it may not; when the way back fails the process ends, as in `inNetworkNamespace`. */
  static make(): NetworkNamespace {
    const own = '/proc/thread-self/ns/net';
    const home = check('open', openCall(own, O_CLOEXEC), own);
    try {
      check('unshare', unshareCall(CLONE_NEWNET), 'a network namespace');
      try {
        return new NetworkNamespace(check('open', openCall(own, O_CLOEXEC), own));
      } finally {
        if (setnsCall(home, CLONE_NEWNET) < 0) process.abort();
      }
    } finally {
      closeFd(home);
    }
  }

  /** Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.#fd);
  }
}
