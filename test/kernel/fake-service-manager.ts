import { type ChildProcess, spawn } from 'node:child_process';
import { closeFd, NotificationListener, type ServiceNotification } from '@weir/sys';

/** As much of a service manager as a service with a descriptor store sees of one: it listens to notifications, holds descriptors, and passes them on. */
export class FakeServiceManager {
  readonly #listener: NotificationListener;
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  /** Every notification as it came. */
  readonly messages: string[] = [];
  /** Held descriptors by name. */
  readonly store: Map<string, number> = new Map();
  #child: ChildProcess | undefined;
  output = '';

  constructor(path: string) {
    this.#path = path;
    this.#listener = new NotificationListener(path);
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
    this.#listener.close();
  }

  #read(): void {
    for (let next = this.#listener.receive(); next; next = this.#listener.receive()) this.#take(next);
  }

  #take({ text, fd }: ServiceNotification): void {
    this.messages.push(text);
    const name = /^FDNAME=(.*)$/m.exec(text)?.[1] ?? 'stored';
    const held = this.store.get(name);
    if (held !== undefined && /^FDSTOREREMOVE=1$/m.test(text)) {
      closeFd(held);
      this.store.delete(name);
    }
    if (fd === undefined) return;
    if (/^FDSTORE=1$/m.test(text) && !this.store.has(name)) this.store.set(name, fd);
    else closeFd(fd);
  }
}
