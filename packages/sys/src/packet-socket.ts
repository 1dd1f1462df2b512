import { bind, native, SystemError } from './libc.ts';
import { inNetworkNamespace } from './netns.ts';
import { SendBatch } from './send-batch.ts';
import { interfaceIndex } from './sockaddr.ts';
import { bindSocket, closeFd, openSocket } from './socket.ts';
import { AF_PACKET, MSG_DONTWAIT, MSG_TRUNC, SOCK_RAW } from './socket-constants.ts';
import {
  bufferSize,
  PACKET_IGNORE_OUTGOING,
  PACKET_QDISC_BYPASS,
  SO_MARK,
  SO_RCVBUFFORCE,
  SO_SNDBUFFORCE,
  setIntOption,
} from './socket-option.ts';

const ETH_P_ALL = 3;
/** `struct sockaddr_ll`: family u16, protocol u16 (network order), interface index i32, the rest is not needed to bind. */
const SOCKADDR_LL = 20;
/** Octets that may wait in either direction unless told. */
const BUFFER = 4 << 20;
const EINTR = 4;
const EAGAIN = 11;
const ENETDOWN = 100;

const recv = bind<[number, Uint8Array, number, number], number>('intptr_t recv(int fd, void *data, size_t length, int flags)');

export interface PacketSocketOptions {
  /** Frames go out by this interface; it must be Ethernet-like. */
  readonly interface: string;
  /** Network namespace of the interface: a name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** Also receive what comes in by the interface (not what goes out). */
  readonly receive?: boolean;
  /** Octets that may wait to be sent; 4 MiB unless told. */
  readonly sendBuffer?: number;
  /** Octets that may wait to be received; 4 MiB unless told. */
  readonly receiveBuffer?: number;
}

/**
 * An AF_PACKET socket on one interface: whole link-layer frames, sent as they are, many in one system call, past the queueing discipline (packet(7)). Calls are
 * synchronous and do not block. Needs CAP_NET_RAW. Throws SystemError.
 */
export class PacketSocket {
  readonly #fd: number;
  readonly #batch: SendBatch;
  #closed = false;

  private constructor(fd: number) {
    this.#fd = fd;
    this.#batch = new SendBatch();
  }

  /** For what is done to it from outside: a filter, a wait. */
  get descriptor(): number {
    return this.#open();
  }

  /** Opens a socket and binds it to its interface, inside `netns` where given. */
  static open(options: PacketSocketOptions): PacketSocket {
    const make = (): number => {
      const index = interfaceIndex(options.interface);
      // Protocol 0 receives nothing until it is bound to another one.
      const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
      try {
        setIntOption(fd, PACKET_QDISC_BYPASS, 1);
        setIntOption(fd, PACKET_IGNORE_OUTGOING, 1);
        setIntOption(fd, SO_SNDBUFFORCE, bufferSize(options.sendBuffer ?? BUFFER));
        setIntOption(fd, SO_RCVBUFFORCE, bufferSize(options.receiveBuffer ?? BUFFER));
        bindSocket(fd, linkAddress(options.receive ? ETH_P_ALL : 0, index), options.interface);
        return fd;
      } catch (error) {
        closeFd(fd);
        throw error;
      }
    };
    const fd = options.netns === undefined ? make() : inNetworkNamespace(options.netns, make);
    try {
      return new PacketSocket(fd);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** The mark (SO_MARK) of the frames that are sent from now on. It survives a veth pair only where both ends are in one namespace. */
  setMark(mark: number): void {
    setIntOption(this.#open(), SO_MARK, mark);
  }

  /**
   * Sends frames in order, up to 1,024 or 1 MiB a system call, and returns how many were taken: fewer than all when the kernel's queue is full. A frame is at least a
   * link-layer header long and at most the interface's MTU beyond it; SystemError (EINVAL, EMSGSIZE) where the first frame of a call is not, and
   * what follows a bad one is not sent.
   */
  send(frames: readonly Uint8Array[]): number {
    const fd = this.#open();
    const batch = this.#batch;
    let sent = 0;
    for (let next = 0; next < frames.length; ) {
      batch.clear();
      for (let frame = frames[next]; frame && batch.add(frame); frame = frames[next]) next++;
      if (batch.count === 0) throw new RangeError(`a frame of ${frames[next]?.length} bytes`);
      // A call stops early at a frame that is refused; the next call says why.
      for (let done = 0; done < batch.count; ) {
        const taken = batch.send(fd, done);
        if (taken === 0) return sent;
        done += taken;
        sent += taken;
      }
    }
    return sent;
  }

  /** The next frame that came in; undefined when none waits. The view is of `buffer`; a longer frame is cut. */
  receive(buffer: Uint8Array): Uint8Array | undefined {
    const fd = this.#open();
    for (let tries = 0; tries < 100; tries++) {
      const length = recv(fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC);
      if (length >= 0) return buffer.subarray(0, Math.min(length, buffer.length));
      const errno = native().errno();
      if (errno === EAGAIN) return undefined;
      // ENETDOWN is told once when the interface goes down.
      if (errno !== EINTR && errno !== ENETDOWN) throw new SystemError('recv', errno);
    }
    return undefined;
  }

  /** Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#batch.release();
    closeFd(this.#fd);
  }

  #open(): number {
    if (this.#closed) throw new SystemError('packet', 9, 'the socket is closed');
    return this.#fd;
  }
}

function linkAddress(protocol: number, index: number): Uint8Array {
  const out = new Uint8Array(SOCKADDR_LL);
  const view = new DataView(out.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol);
  view.setInt32(4, index, true);
  return out;
}
