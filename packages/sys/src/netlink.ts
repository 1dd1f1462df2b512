import { endianness } from 'node:os';
import { closeOnExec, isSocketOf } from './descriptor-store.ts';
import { openEvent, wakeUp } from './event-descriptor.ts';
import { bind, check, native, SystemError } from './libc.ts';
import { inNetworkNamespace } from './netns.ts';
import { bindSocket, closeFd, openSocket } from './socket.ts';
import { AF_NETLINK, MSG_DONTWAIT, MSG_TRUNC, SOCK_RAW } from './socket-constants.ts';
import {
  bufferSize,
  getIntOption,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  SO_DOMAIN,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  type SocketOption,
  setIntOption,
} from './socket-option.ts';

/** Netlink families (`linux/netlink.h`). */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const POLLIN = 1;
const POLLERR = 8;

/** Datagrams that an adopted socket may have waiting: more than its buffer holds. */
const MAX_LEFT_OVER = 1_000_000;

const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;

/** `struct sockaddr_nl`: family u16, padding u16, port id u32, groups u32, in host order. */
const SOCKADDR_NL = 12;

const getsockname = bind<[number, Uint8Array, Uint8Array], number>('int getsockname(int fd, void *address, void *length)');
const sendto = bind<[number, Uint8Array, number, number, Uint8Array, number], number>(
  'intptr_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t addressLength)',
);
const recvfrom = bind<[number, Uint8Array, number, number, Uint8Array, Uint8Array], number>(
  'intptr_t recvfrom(int fd, void *data, size_t length, int flags, void *address, void *addressLength)',
);
type Poll = ((fds: Uint8Array, count: number, timeout: number) => number) & {
  async(fds: Uint8Array, count: number, timeout: number, done: (error: Error | null, result: number) => void): void;
};

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
  /** Requests of NETLINK_ROUTE are looked at closely: the kernel leaves out of a list what its header and attributes do not ask for (Linux 4.20). */
  readonly strictCheck?: boolean;
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
    const make = (): number => openSocket(AF_NETLINK, SOCK_RAW, protocol);
    const fd = options.netns === undefined ? make() : inNetworkNamespace(options.netns, make);
    try {
      bindSocket(fd, sockaddr(0));
      const opened = new NetlinkSocket(fd, portIdOf(fd));
      opened.#configure(options);
      return opened;
    } catch (error) {
      closeFd(fd);
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
    if (options.capAck) setIntOption(this.#fd, NETLINK_CAP_ACK, 1);
    if (options.extAck) setIntOption(this.#fd, NETLINK_EXT_ACK, 1);
    if (options.strictCheck) setIntOption(this.#fd, NETLINK_GET_STRICT_CHK, 1);
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

  #setBuffer(forced: SocketOption, plain: SocketOption, bytes: number): number {
    const fd = this.#open();
    const size = bufferSize(bytes);
    try {
      setIntOption(fd, forced, size);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'EPERM') throw error;
      setIntOption(fd, plain, size);
    }
    return getIntOption(fd, plain);
  }

  join(group: number): void {
    setIntOption(this.#open(), NETLINK_ADD_MEMBERSHIP, group);
  }

  leave(group: number): void {
    setIntOption(this.#open(), NETLINK_DROP_MEMBERSHIP, group);
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
    if (this.#waker < 0) this.#waker = openEvent();
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
    else wakeUp(this.#waker);
  }

  #release(): void {
    closeFd(this.#fd);
    if (this.#waker >= 0) closeFd(this.#waker);
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
  try {
    return getIntOption(fd, SO_DOMAIN) === AF_NETLINK && getIntOption(fd, SO_PROTOCOL) === protocol;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
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
