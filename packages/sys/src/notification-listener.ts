import { closeOnExec } from './descriptor-store.ts';
import { native, SystemError } from './libc.ts';
import { messageCalls } from './message-header.ts';
import { notificationAddress } from './notify.ts';
import { bindSocket, closeFd, openSocket } from './socket.ts';
import { AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK } from './socket-constants.ts';

const EAGAIN = 11;
const TEXT = 4096;
const CONTROL = 64;
/** Of a `struct cmsghdr` with one descriptor. */
const ONE_DESCRIPTOR = 20;

/** A notification as the service manager gets it. The descriptor, if there is one, is the receiver's to close. */
export interface ServiceNotification {
  readonly text: string;
  readonly fd: number | undefined;
}

/** The service manager's side of sd_notify(3): what services send to NOTIFY_SOCKET. Throws SystemError. */
export class NotificationListener {
  readonly #fd: number;
  readonly #text: unknown = native().alloc('uint8_t', TEXT);
  readonly #control: unknown = native().alloc('uint8_t', CONTROL);
  #closed = false;

  /** `address` as in NOTIFY_SOCKET. */
  constructor(address: string) {
    const name = notificationAddress(address);
    this.#fd = openSocket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    try {
      bindSocket(this.#fd, name, address);
    } catch (error) {
      closeFd(this.#fd);
      throw error;
    }
  }

  /** The next notification; undefined when none waits. */
  receive(): ServiceNotification | undefined {
    const message = {
      name: null,
      nameLength: 0,
      parts: [{ base: this.#text, length: TEXT }],
      partCount: 1,
      control: this.#control,
      controlLength: CONTROL,
      flags: 0,
    };
    const length = Number(messageCalls().recvmsg(this.#fd, message, 0));
    if (length < 0) {
      const errno = native().errno();
      if (errno === EAGAIN) return undefined;
      throw new SystemError('recvmsg', errno);
    }
    const text = new TextDecoder().decode(this.#copy(this.#text, length));
    if (Number(message.controlLength) < ONE_DESCRIPTOR) return { text, fd: undefined };
    const fd = new DataView(this.#copy(this.#control, ONE_DESCRIPTOR).buffer).getInt32(16, true);
    closeOnExec(fd);
    return { text, fd };
  }

  #copy(memory: unknown, length: number): Uint8Array {
    const koffi = native();
    return Uint8Array.from(koffi.decode(memory, koffi.array('uint8_t', length)) as ArrayLike<number>);
  }

  /** Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.#fd);
  }
}
