import { openEvent, takeEvent } from './event-descriptor.ts';
import { bind, check, native, SystemError } from './libc.ts';
import { closeFd } from './socket.ts';

const create = bind<[number], number>('int epoll_create1(int flags)');
const control = bind<[number, number, number, Uint8Array], number>('int epoll_ctl(int epoll, int operation, int fd, void *event)');
const waitCall = bind<[number, Uint8Array, number, number], number>('int epoll_wait(int epoll, void *events, int count, int timeout)');

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EINTR = 4;
/** Ready descriptors that one wait reports; the others come with the next. */
const MAX_EVENTS = 64;
/** `struct epoll_event` is packed on x86-64 alone: events u32, data u64 at 4 or at 8. */
const PACKED = process.arch === 'x64';
const EVENT = PACKED ? 12 : 16;
const DATA_AT = PACKED ? 4 : 8;

/**
 * Sleeps until one of some descriptors can be read: epoll(7), level-triggered. `wait` blocks the thread, so it is for worker threads; another thread ends it with `wakeUp` and
 * `wakeDescriptor`. Throws SystemError.
 */
export class Epoll {
  /** To be given to `wakeUp`, in any thread of the process. */
  readonly wakeDescriptor: number;
  readonly #fd: number;
  readonly #events = new Uint8Array(MAX_EVENTS * EVENT);
  #closed = false;

  constructor() {
    this.#fd = check('epoll_create1', create(EPOLL_CLOEXEC));
    try {
      this.wakeDescriptor = openEvent();
    } catch (error) {
      closeFd(this.#fd);
      throw error;
    }
    this.add(this.wakeDescriptor);
  }

  add(fd: number): void {
    check('epoll_ctl', control(this.#open(), EPOLL_CTL_ADD, fd, event(fd)), `descriptor ${fd}`);
  }

  remove(fd: number): void {
    check('epoll_ctl', control(this.#open(), EPOLL_CTL_DEL, fd, event(fd)), `descriptor ${fd}`);
  }

  /** The descriptors that can be read, after at most `timeout` ms. `woken`: somebody called `wakeUp`; it counts once. */
  wait(timeout: number): { readonly ready: readonly number[]; readonly woken: boolean } {
    const count = waitCall(this.#open(), this.#events, MAX_EVENTS, Math.max(0, Math.ceil(timeout)));
    if (count < 0) {
      const errno = native().errno();
      if (errno === EINTR) return { ready: [], woken: false };
      throw new SystemError('epoll_wait', errno);
    }
    const view = new DataView(this.#events.buffer);
    const ready: number[] = [];
    let woken = false;
    for (let i = 0; i < count; i++) {
      const fd = view.getInt32(i * EVENT + DATA_AT, true);
      if (fd !== this.wakeDescriptor) ready.push(fd);
      else {
        woken = true;
        takeEvent(fd);
      }
    }
    return { ready, woken };
  }

  /** Calling it again does nothing. Not while another thread waits: wake that one first. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.wakeDescriptor);
    closeFd(this.#fd);
  }

  #open(): number {
    if (this.#closed) throw new SystemError('epoll', 9, 'it is closed');
    return this.#fd;
  }
}

function event(fd: number): Uint8Array {
  const out = new Uint8Array(EVENT);
  const view = new DataView(out.buffer);
  view.setUint32(0, EPOLLIN, true);
  view.setInt32(DATA_AT, fd, true);
  return out;
}
