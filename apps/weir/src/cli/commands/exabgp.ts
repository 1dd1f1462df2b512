import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionError } from '../../api/client.ts';
import { ApiError, FeedClient } from '../../api/index.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';

/** Octets of lines that wait for the daemon. Beyond it they are dropped, and the daemon learns again what the sessions have. */
export const MAX_WAITING: number = 64 * 1024 * 1024;
const RETRY_MS = 1000;
/** The same failure is told again after so many attempts. */
const TELL_EVERY = 60;
/** How long the end waits for the daemon to take what is left. */
const LAST_LINES_MS = 2000;
const NEWLINE = 10;

/**
 * Hands over what ExaBGP prints to a daemon, and the daemon's commands to ExaBGP, until ExaBGP closes its end or SIGTERM comes. Stdin is always read: while no daemon
 * listens, or it is slow, lines wait in memory, 64 MiB at most. When there are more, or the daemon goes away, the connection begins anew:
 * the daemon then asks ExaBGP which sessions are up, and these for their routes.
 */
export async function handOver(socket: string, io: Io): Promise<ExitCode> {
  const lines = new WaitingLines();
  let client: FeedClient | undefined;
  let stopped = false;
  let failures = 0;
  const tell = (message: string): void => io.err(`weir exabgp: ${message}\n`);

  const again = async (): Promise<void> => {
    await sleep(RETRY_MS, undefined, { ref: false });
    if (!stopped) await connect();
  };
  const lost = (error: Error): void => {
    client = undefined;
    if (stopped) return;
    tell(error.message);
    void again();
  };
  const connect = async (): Promise<void> => {
    try {
      const next = await FeedClient.connect({ path: socket, onCommand: (command) => void io.out(`${command}\n`), onEnd: lost });
      failures = 0;
      for (const bytes of lines.take()) next.write(bytes);
      client = next;
      tell(`handing over to ${socket}`);
    } catch (error) {
      if (!(error instanceof ConnectionError || error instanceof ApiError)) throw error;
      if (failures++ % TELL_EVERY === 0) tell(`${error.message}; trying again`);
      void again();
    }
  };

  const ended = new Promise<void>((resolve) => {
    io.stdin.once('end', resolve);
    io.stdin.once('error', () => resolve());
    process.once('SIGTERM', () => resolve());
    io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  io.stdin.on('data', (chunk: Buffer | string) => {
    const whole = lines.cut(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    if (whole.length === 0) return;
    if (!client) {
      if (!lines.keep(whole)) tell('no daemon listens and 64 MiB of lines wait: they are dropped');
      return;
    }
    client.write(whole);
    if (client.waiting <= MAX_WAITING) return;
    tell('the daemon takes nothing and 64 MiB of lines wait: they are dropped');
    client.close();
    client = undefined;
    void again();
  });
  void connect();
  await ended;
  stopped = true;
  await Promise.race([client?.end(), sleep(LAST_LINES_MS, undefined, { ref: false })]);
  client?.close();
  io.stdin.destroy();
  return EXIT.ok;
}

/** Whole lines that wait for a connection, and the beginning of the next one. */
class WaitingLines {
  #kept: Uint8Array[] = [];
  #length = 0;
  #rest: Uint8Array[] = [];
  #restLength = 0;

  /** The whole lines that a chunk makes. What comes of a line longer than all that may wait is dropped: it is none. */
  cut(chunk: Uint8Array): Uint8Array {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const whole = end === 0 ? new Uint8Array(0) : Buffer.concat([...this.#rest, chunk.subarray(0, end)]);
    if (end > 0) {
      this.#rest = [];
      this.#restLength = 0;
    }
    const rest = chunk.subarray(end);
    if (rest.length === 0) return whole;
    if (this.#restLength + rest.length > MAX_WAITING) {
      this.#rest = [];
      this.#restLength = 0;
    }
    this.#rest.push(rest.slice());
    this.#restLength += rest.length;
    return whole;
  }

  /** False when there were too many: all of them are gone then, since routes may be missing between them. */
  keep(lines: Uint8Array): boolean {
    const fits = this.#length + lines.length <= MAX_WAITING;
    if (!fits) this.take();
    this.#kept.push(lines);
    this.#length += lines.length;
    return fits;
  }

  take(): readonly Uint8Array[] {
    const taken = this.#kept;
    this.#kept = [];
    this.#length = 0;
    return taken;
  }
}
