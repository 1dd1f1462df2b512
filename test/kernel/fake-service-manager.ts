import { type ChildProcess, spawn } from 'node:child_process';
import { closeFd, SystemError } from '@weir/sys';
import koffi from 'koffi';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const CLOEXEC_NONBLOCK = 0x80800;
const EAGAIN = 11;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
const iovec = koffi.struct('lab_iovec', { base: 'void *', length: 'size_t' });
const msghdr = koffi.struct('lab_msghdr', {
  name: 'void *',
  nameLength: 'uint32_t',
  parts: koffi.pointer(iovec),
  partCount: 'size_t',
  control: 'void *',
  controlLength: 'size_t',
  flags: 'int',
});
const recvmsg = libc.func('recvmsg', 'intptr_t', ['int', koffi.inout(koffi.pointer(msghdr)), 'int']);

/** As much of a service manager as a service with a descriptor store sees of one: it listens to notifications, holds descriptors, and passes them on. */
export class FakeServiceManager {
  readonly #fd: number;
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  readonly #text = koffi.alloc('uint8_t', 4096);
  readonly #control = koffi.alloc('uint8_t', 64);
  /** Every notification as it came. */
  readonly messages: string[] = [];
  /** Held descriptors by name. */
  readonly store: Map<string, number> = new Map();
  #child: ChildProcess | undefined;
  output = '';

  constructor(path: string) {
    this.#path = path;
    this.#fd = socket(AF_UNIX, SOCK_DGRAM | CLOEXEC_NONBLOCK, 0) as number;
    const name = Buffer.from(`\x01\x00${path}\0`, 'latin1');
    if (bind(this.#fd, name, name.length) < 0) throw new SystemError('bind', koffi.errno(), path);
    this.#timer = setInterval(() => this.#read(), 5);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts a program in a network namespace as the service's main process, with what is held. */
  start(netns: string, command: readonly string[]): void {
    const held = [...this.store];
    const env: NodeJS.ProcessEnv = { ...process.env, NOTIFY_SOCKET: this.#path };
    if (held.length > 0) {
      env['LISTEN_FDS'] = String(held.length);
      env['LISTEN_FDNAMES'] = held.map(([name]) => name).join(':');
    }
    this.messages.length = 0;
    // The process's own number is known to the shell that becomes it.
    const script = held.length > 0 ? 'export LISTEN_PID=$$; exec "$@"' : 'exec "$@"';
    const child = spawn('nsenter', [`--net=${netns}`, 'sh', '-c', script, 'sh', ...command], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', ...held.map(([, fd]) => fd)],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (this.output += String(data)));
    this.#child = child;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  }

  async close(): Promise<void> {
    await this.kill();
    clearInterval(this.#timer);
    for (const fd of this.store.values()) closeFd(fd);
    closeFd(this.#fd);
  }

  #read(): void {
    for (let i = 0; i < 100; i++) {
      const message = {
        name: null,
        nameLength: 0,
        parts: [{ base: this.#text, length: 4096 }],
        partCount: 1,
        control: this.#control,
        controlLength: 64,
        flags: 0,
      };
      const length = Number(recvmsg(this.#fd, message, 0));
      if (length < 0) {
        if (koffi.errno() === EAGAIN) return;
        throw new SystemError('recvmsg', koffi.errno());
      }
      this.#take(koffi.decode(this.#text, 'char', length) as string, Number(message.controlLength));
    }
  }

  #take(text: string, controlLength: number): void {
    this.messages.push(text);
    const name = /^FDNAME=(.*)$/m.exec(text)?.[1] ?? 'stored';
    if (/^FDSTOREREMOVE=1$/m.test(text)) {
      const held = this.store.get(name);
      if (held !== undefined) closeFd(held);
      this.store.delete(name);
    }
    if (controlLength >= 20) {
      const control = Buffer.from(koffi.decode(this.#control, koffi.array('uint8_t', 24)) as Uint8Array);
      const fd = control.readInt32LE(16);
      if (/^FDSTORE=1$/m.test(text)) this.store.set(name, fd);
      else closeFd(fd);
    }
  }
}
