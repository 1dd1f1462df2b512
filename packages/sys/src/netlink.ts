import { endianness } from 'node:os';
import { closeOnExec, isSocketOf } from './descriptor-store.ts';
import { bind, check, native, SystemError } from './libc.ts';
import { inNetworkNamespace } from './netns.ts';

/** Netlink families (`linux/netlink.h`). */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const POLLERR = 8;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** Datagrams that an adopted socket may have waiting: more than its buffer holds. */
const MAX_LEFT_OVER = 1_000_000;

const EINTR = 4;
const EAGAIN = 11;
const EPERM = 1;
const ENOBUFS = 105;

/** `struct sockaddr_nl`: family u16, padding u16, port id u32, groups u32, in host order. */
const SOCKADDR_NL = 12;

const socket = bind<[number, number, number], number>('int socket(int domain, int type, int protocol)');
const close = bind<[number], number>('int close(int fd)');
const bindSocket = bind<[number, Uint8Array, number], number>('int bind(int fd, void *address, uint32_t length)');
const getsockname = bind<[number, Uint8Array, Uint8Array], number>('int getsockname(int fd, void *address, void *length)');
const setsockopt = bind<[number, number, number, Uint8Array, number], number>(
  'int setsockopt(int fd, int level, int name, void *value, uint32_t length)',
);
const getsockopt = bind<[number, number, number, Uint8Array, Uint8Array], number>(
  'int getsockopt(int fd, int level, int name, void *value, void *length)',
);
const sendto = bind<[number, Uint8Array, number, number, Uint8Array, number], number>(
  'intptr_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t addressLength)',
);
const recvfrom = bind<[number, Uint8Array, number, number, Uint8Array, Uint8Array], number>(
  'intptr_t recvfrom(int fd, void *data, size_t length, int flags, void *address, void *addressLength)',
);
type Poll = ((fds: Uint8Array, count: number, timeout: number) => number) & {
  async(fds: Uint8Array, count: number, timeout: number, done: (error: Error | null, result: number) => void): void;
};
const eventfd = bind<[number, number], number>('int eventfd(unsigned int value, int flags)');
const write = bind<[number, Uint8Array, number], number>('intptr_t write(int fd, void *data, size_t length)');

let pollFunction: Poll | undefined;
function poll(): Poll {
  pollFunction ??= native().load('libc.so.6').func('int poll(void *fds, unsigned long count, int timeout)') as unknown as Poll;
  return pollFunction;
}

export interface NetlinkOptions {
  /** Multicast groups to join. */
  readonly groups?: readonly number[];
  /** Network namespace to open the socket in: a name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** Bytes; forced past the system's maximum where the process may. */
  readonly sendBuffer?: number;
  /** Bytes; forced past the system's maximum where the process may. */
  readonly receiveBuffer?: number;
  /** Acknowledgements carry only the header of the message they answer. */
  readonly capAck?: boolean;
  /** Errors carry the kernel's text and the offset of what it refused. */
  readonly extAck?: boolean;
}

/**
 * What one receive gave. `data`: `length` bytes are in the buffer. `empty`: nothing waits. `overrun`: the kernel dropped messages
 * because this socket's receive buffer was full (ENOBUFS); what is read next starts after a gap. `truncated`: a datagram of `needed` bytes did
 * not fit; its first `length` bytes are in the buffer and the rest is lost.
 */
export type Received =
  | { readonly kind: 'data'; readonly length: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'overrun' }
  | { readonly kind: 'truncated'; readonly length: number; readonly needed: number };

const EMPTY: Received = { kind: 'empty' };
const OVERRUN: Received = { kind: 'overrun' };

/**
 * An AF_NETLINK socket that talks to the kernel only: datagrams from other processes are dropped. Calls are synchronous and do not block, but for `wait`;
 * `waitReadable` sleeps in the thread pool (it takes one of its threads for that time). Throws SystemError.
 */
export class NetlinkSocket {
  readonly #fd: number;
  /** This socket's address among netlink sockets; the kernel sends replies to it. */
  readonly portId: number;
  readonly #kernel: Uint8Array = sockaddr(0);
  readonly #from = new Uint8Array(SOCKADDR_NL);
  readonly #fromLength = u32(SOCKADDR_NL);
  #closed = false;
  /** Calls of `waitReadable` in the thread pool; the descriptors are closed when they have come back. */
  #sleepers = 0;
  #waker = -1;

  private constructor(fd: number, portId: number) {
    this.#fd = fd;
    this.portId = portId;
  }

  /** Opens and binds a socket of a netlink family, inside `netns` where given. */
  static open(protocol: number, options: NetlinkOptions = {}): NetlinkSocket {
    if (endianness() !== 'LE') throw new SystemError('socket', 97, 'netlink is supported on little-endian machines only');
    const make = (): number => check('socket', socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    const fd = options.netns === undefined ? make() : inNetworkNamespace(options.netns, make);
    try {
      check('bind', bindSocket(fd, sockaddr(0), SOCKADDR_NL));
      const opened = new NetlinkSocket(fd, portIdOf(fd));
      opened.#configure(options);
      return opened;
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /**
   * Takes over a socket that is open already, as one that a service manager held. Undefined, and the descriptor is left alone, when it is no netlink socket of
   * that family in that namespace. Answers that nobody has read are dropped. Multicast groups of `options` are joined; buffers are set.
   */
  static adopt(fd: number, protocol: number, options: NetlinkOptions = {}): NetlinkSocket | undefined {
    if (!isNetlink(fd, protocol) || !isSocketOf(fd, options.netns)) return undefined;
    closeOnExec(fd);
    const adopted = new NetlinkSocket(fd, portIdOf(fd));
    adopted.#configure(options);
    const scratch = new Uint8Array(65_536);
    for (let i = 0; i < MAX_LEFT_OVER && adopted.receive(scratch).kind !== 'empty'; i++);
    return adopted;
  }

  #configure(options: NetlinkOptions): void {
    if (options.capAck) setOption(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    if (options.extAck) setOption(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    if (options.sendBuffer !== undefined) this.setSendBuffer(options.sendBuffer);
    if (options.receiveBuffer !== undefined) this.setReceiveBuffer(options.receiveBuffer);
    for (const group of options.groups ?? []) this.join(group);
  }

  /** The descriptor, for what can be done with it beside sending and receiving. It stays this object's. */
  get descriptor(): number {
    return this.#open();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Asks for a send buffer of `bytes`; returns what the kernel now counts as this socket's limit, which includes its own overhead. */
  setSendBuffer(bytes: number): number {
    return this.#setBuffer(SO_SNDBUFFORCE, SO_SNDBUF, bytes);
  }

  /** As `setSendBuffer`, for what may wait to be received. */
  setReceiveBuffer(bytes: number): number {
    return this.#setBuffer(SO_RCVBUFFORCE, SO_RCVBUF, bytes);
  }

  #setBuffer(forced: number, plain: number, bytes: number): number {
    const fd = this.#open();
    const value = u32(Math.min(Math.max(Math.floor(bytes), 0), 0x3fffffff));
    if (setsockopt(fd, SOL_SOCKET, forced, value, 4) < 0) {
      const errno = native().errno();
      if (errno !== EPERM) throw new SystemError('setsockopt', errno);
      check('setsockopt', setsockopt(fd, SOL_SOCKET, plain, value, 4));
    }
    const actual = u32(0);
    check('getsockopt', getsockopt(fd, SOL_SOCKET, plain, actual, u32(4)));
    return new DataView(actual.buffer).getUint32(0, true);
  }

  join(group: number): void {
    setOption(this.#open(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  leave(group: number): void {
    setOption(this.#open(), SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  /**
   * Sends one datagram to the kernel, which handles it before this returns: its answers wait to be received. SystemError with EMSGSIZE when it does not
   * fit the send buffer.
   */
  send(bytes: Uint8Array): void {
    const fd = this.#open();
    for (let tries = 0; ; tries++) {
      const sent = sendto(fd, bytes, bytes.length, 0, this.#kernel, SOCKADDR_NL);
      if (sent >= 0) return;
      const errno = native().errno();
      if (errno !== EINTR || tries >= 100) throw new SystemError('sendto', errno, `${bytes.length} bytes`);
    }
  }

  /** Receives one datagram into `buffer` without waiting. */
  receive(buffer: Uint8Array): Received {
    const fd = this.#open();
    for (let tries = 0; tries < 1000; tries++) {
      new DataView(this.#fromLength.buffer).setUint32(0, SOCKADDR_NL, true);
      const length = recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC, this.#from, this.#fromLength);
      if (length < 0) {
        const errno = native().errno();
        if (errno === EAGAIN) return EMPTY;
        if (errno === ENOBUFS) return OVERRUN;
        if (errno === EINTR) continue;
        throw new SystemError('recvfrom', errno);
      }
      if (new DataView(this.#from.buffer).getUint32(4, true) !== 0) continue;
      if (length > buffer.length) return { kind: 'truncated', length: buffer.length, needed: length };
      return { kind: 'data', length };
    }
    return EMPTY;
  }

  /** Blocks this thread until a datagram (or an overrun) waits, at most `timeout` ms. False when the time is over. */
  wait(timeout: number): boolean {
    const fds = pollfds(this.#open(), -1);
    const ready = poll()(fds, 1, Math.max(0, Math.ceil(timeout)));
    if (ready < 0) {
      const errno = native().errno();
      if (errno === EINTR) return false;
      throw new SystemError('poll', errno);
    }
    return readable(fds);
  }

  /**
   * Resolves to true when a datagram (or an overrun) waits, to false after `timeout` ms or when the socket is closed meanwhile. The event loop of
   * this thread stays free.
   */
  async waitReadable(timeout: number): Promise<boolean> {
    if (this.wait(0)) return true;
    if (this.#waker < 0) this.#waker = check('eventfd', eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const fds = pollfds(this.#fd, this.#waker);
    this.#sleepers++;
    try {
      // errno is the thread's own and lost here; the only failure of poll on open descriptors is EINTR, which reads as "nothing yet".
      await new Promise<void>((resolve, reject) => {
        poll().async(fds, 2, Math.max(0, Math.ceil(timeout)), (error) => (error ? reject(error) : resolve()));
      });
      return !this.#closed && readable(fds);
    } finally {
      this.#sleepers--;
      if (this.#closed && this.#sleepers === 0) this.#release();
    }
  }

  /** Closes the socket and wakes whoever sleeps in `waitReadable`. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#sleepers === 0) this.#release();
    else check('write', write(this.#waker, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), 8), 'eventfd');
  }

  #release(): void {
    close(this.#fd);
    if (this.#waker >= 0) close(this.#waker);
    this.#waker = -1;
  }

  #open(): number {
    if (this.#closed) throw new SystemError('netlink', 9, 'the socket is closed');
    return this.#fd;
  }
}

function portIdOf(fd: number): number {
  const own = new Uint8Array(SOCKADDR_NL);
  check('getsockname', getsockname(fd, own, u32(SOCKADDR_NL)));
  return new DataView(own.buffer).getUint32(4, true);
}

/** Whether a descriptor is a netlink socket of a family, whatever else it may be. */
function isNetlink(fd: number, protocol: number): boolean {
  const option = (name: number): number => {
    const value = u32(0);
    return getsockopt(fd, SOL_SOCKET, name, value, u32(4)) < 0 ? -1 : new DataView(value.buffer).getInt32(0, true);
  };
  return option(SO_DOMAIN) === AF_NETLINK && option(SO_PROTOCOL) === protocol;
}

function setOption(fd: number, level: number, name: number, value: number): void {
  check('setsockopt', setsockopt(fd, level, name, u32(value), 4), `level ${level} option ${name} value ${value}`);
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

function sockaddr(portId: number): Uint8Array {
  const out = new Uint8Array(SOCKADDR_NL);
  const view = new DataView(out.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(4, portId, true);
  return out;
}

/** Two `struct pollfd`: descriptor i32, events i16, revents i16; a negative descriptor is skipped by the kernel. */
function pollfds(first: number, second: number): Uint8Array {
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  view.setInt32(0, first, true);
  view.setInt16(4, POLLIN, true);
  view.setInt32(8, second, true);
  view.setInt16(12, POLLIN, true);
  return out;
}

function readable(fds: Uint8Array): boolean {
  return ((fds[6] ?? 0) & (POLLIN | POLLERR)) !== 0;
}
