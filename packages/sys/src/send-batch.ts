import { endianness } from 'node:os';
import { bind, native, SystemError } from './libc.ts';
import { MSG_DONTWAIT } from './socket-constants.ts';

/** Packets of one system call: the kernel takes no more (UIO_MAXIOV). */
const BATCH_PACKETS = 1024;
/** Octets of one system call. */
const BATCH_BYTES: number = 1 << 20;
/** Room for a `struct sockaddr_in6`, rounded up. */
const ADDRESS_BYTES = 32;

/** `struct msghdr` (56 octets) and what was sent (u32), padded to 8. */
const MMSGHDR = 64;
/** `struct iovec`: base u64, length u64. */
const IOVEC = 16;

const EINTR = 4;
const EAGAIN = 11;
const ENOBUFS = 105;

const sendmmsg = bind<[number, unknown, number, number], number>(
  'int sendmmsg(int fd, void *messages, unsigned int count, unsigned int flags)',
);

/**
 * Memory for sendmmsg(2), laid out once: headers, parts, addresses, then the octets of the packets one after the other. Generic ABI of 64 bits. Several batches may
 * be filled and sent in turn; what was filled stays until `clear`.
 */
export class SendBatch {
  readonly #memory: unknown;
  readonly #base: bigint;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #count = 0;
  #used = 0;

  constructor() {
    if (endianness() !== 'LE') throw new SystemError('sendmmsg', 97, 'supported on little-endian machines only');
    const size = DATA + BATCH_BYTES;
    this.#memory = native().alloc('uint8_t', size);
    this.#base = native().address(this.#memory);
    const buffer = native().view(this.#memory, size);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
    this.#used = 0;
  }

  /** Copies a packet in, with the address it goes to where the socket is not bound to one. False, and nothing is added, when the batch is full. */
  add(packet: Uint8Array, address?: Uint8Array): boolean {
    if (this.#count >= BATCH_PACKETS || packet.length > BATCH_BYTES - this.#used) return false;
    if (address && address.length > ADDRESS_BYTES) throw new RangeError(`an address of ${address.length} bytes: at most ${ADDRESS_BYTES}`);
    const data = DATA + this.#used;
    const part = PARTS + this.#count * IOVEC;
    const name = NAMES + this.#count * ADDRESS_BYTES;
    const message = this.#count * MMSGHDR;
    const view = this.#view;
    this.#bytes.set(packet, data);
    view.setBigUint64(part, this.#base + BigInt(data), true);
    view.setBigUint64(part + 8, BigInt(packet.length), true);
    this.#bytes.fill(0, message, message + MMSGHDR);
    if (address) {
      this.#bytes.set(address, name);
      view.setBigUint64(message, this.#base + BigInt(name), true);
      view.setUint32(message + 8, address.length, true);
    }
    view.setBigUint64(message + 16, this.#base + BigInt(part), true);
    view.setBigUint64(message + 24, 1n, true);
    this.#used += packet.length;
    this.#count++;
    return true;
  }

  /**
   * Sends what was added from `from` on, without waiting; returns how many of them the kernel took, which is fewer when a queue is full or when one is refused. SystemError when the first of them
   * is refused.
   */
  send(fd: number, from: number): number {
    if (from >= this.#count) return 0;
    const messages = from === 0 ? this.#memory : this.#base + BigInt(from * MMSGHDR);
    for (let tries = 0; ; tries++) {
      const sent = sendmmsg(fd, messages, this.#count - from, MSG_DONTWAIT);
      if (sent >= 0) return sent;
      const errno = native().errno();
      if (errno === EAGAIN || errno === ENOBUFS) return 0;
      if (errno !== EINTR || tries >= 100) throw new SystemError('sendmmsg', errno, `packet ${from}`);
    }
  }

  /** Gives the memory back; the batch is of no use afterwards. */
  release(): void {
    this.clear();
    native().free(this.#memory);
  }
}

const PARTS = BATCH_PACKETS * MMSGHDR;
const NAMES = PARTS + BATCH_PACKETS * IOVEC;
const DATA = NAMES + BATCH_PACKETS * ADDRESS_BYTES;
