import { chmodSync, chownSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { peerCredentials, socketFd } from '@weir/sys';
import { makeDirectory } from '../files/index.ts';
import { ApiError, type Backend, type Caller, type Feed } from './backend.ts';
import { summarizeEvent } from './event-summary.ts';
import { LineSplitter } from './line-splitter.ts';
import { type ApiErrorBody, FORMAT_VERSION, type Method, parseRequest, type Request, type Response } from './schema.ts';
import { removeStale, SocketError } from './stale-socket.ts';

/** Bounds of the socket: clients at a time, bytes of one request, requests of one client in flight, bytes that wait for a slow client. */
export const MAX_CLIENTS = 32;
export const MAX_REQUEST = 65_536;
const MAX_IN_FLIGHT = 16;
const MAX_WAITING = 8 * 1024 * 1024;
/** Longest path that fits `struct sockaddr_un`. */
const MAX_SOCKET_PATH = 107;

export interface ControlServerOptions {
  readonly path: string;
  readonly backend: Backend;
  /** The one method that is answered, and the user whom the socket is for; everything, and whoever may open it, when absent. */
  readonly only?: { readonly method: Method; readonly user: number };
  /** Told of errors that are nobody's answer. */
  readonly onError: (error: Error) => void;
}

/** The daemon's control socket: a line of JSON asks, a line of JSON answers. Made by `ControlServer.open`. */
export class ControlServer {
  readonly #server: Server;
  readonly #backend: Backend;
  readonly #onError: (error: Error) => void;
  readonly #only: Method | undefined;
  readonly #clients = new Set<Client>();
  /** Connections that are only told that there are too many. */
  readonly #refused = new Set<Socket>();
  #closed = false;

  private constructor(options: ControlServerOptions) {
    this.#backend = options.backend;
    this.#onError = options.onError;
    this.#only = options.only?.method;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = 2 * MAX_CLIENTS;
  }

  /**
   * Listens, with mode 0660. What a daemon left behind is replaced when nobody answers on it; a file that is not a socket is not touched.
   * Throws SocketError.
   */
  static async open(options: ControlServerOptions): Promise<ControlServer> {
    const { path } = options;
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
      throw new SocketError('SOCKET_PATH', `the path of the control socket is longer than ${MAX_SOCKET_PATH} bytes: ${path}`);
    }
    makeDirectory(dirname(path), 0o755);
    await removeStale(path);
    const control = new ControlServer(options);
    await new Promise<void>((resolve, reject) => {
      control.#server.once('error', reject);
      // The socket is made inside `listen`, before it returns: with this mask it is never open to others, not even for a moment.
      const mask = process.umask(0o117);
      control.#server.listen(path, () => {
        control.#server.off('error', reject);
        resolve();
      });
      process.umask(mask);
    });
    chmodSync(path, 0o660);
    if (options.only) chownSync(path, options.only.user, process.getegid?.() ?? 0);
    control.#server.on('error', options.onError);
    return control;
  }

  get clients(): number {
    return this.#clients.size;
  }

  #accept(socket: Socket): void {
    if (this.#closed || this.#clients.size >= MAX_CLIENTS) {
      const full: Response = { id: null, ok: false, error: { code: 'busy', message: `more than ${MAX_CLIENTS} clients` } };
      this.#refused.add(socket);
      socket.once('close', () => this.#refused.delete(socket));
      socket.on('error', () => socket.destroy());
      socket.setTimeout(1000, () => socket.destroy());
      socket.resume();
      socket.end(`${JSON.stringify(full)}\n`);
      return;
    }
    const client = new Client(socket, this.#backend, this.#onError, this.#only);
    this.#clients.add(client);
    socket.once('close', () => {
      client.close();
      this.#clients.delete(client);
    });
  }

  /** Ends every connection and removes the socket. Calling it again does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const client of [...this.#clients]) client.close();
    for (const socket of this.#refused) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** What is sent of a stream: first, for each part, and at the end. */
interface Answering<T> {
  readonly first: object;
  readonly nothing: object;
  readonly answer: (part: T) => object;
}

interface Streamed<T> {
  next(): Promise<T | undefined>;
  close(): void;
}

/** One connection. */
class Client {
  readonly #socket: Socket;
  readonly #backend: Backend;
  readonly #onError: (error: Error) => void;
  readonly #lines = new LineSplitter(MAX_REQUEST);
  readonly #watches = new Map<number, { close(): void }>();
  readonly #caller: Caller;
  readonly #only: Method | undefined;
  /** From then on everything that comes is handed over to it. */
  #feed: Feed | undefined;
  #inFlight = 0;
  #closed = false;

  constructor(socket: Socket, backend: Backend, onError: (error: Error) => void, only: Method | undefined) {
    this.#socket = socket;
    this.#only = only;
    this.#caller = callerOf(socket);
    this.#backend = backend;
    this.#onError = onError;
    socket.on('error', () => this.close());
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#feed?.close('the process that handed it over is gone');
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#feed) {
      this.#feed.push(chunk);
      return;
    }
    const lines = this.#lines.push(chunk);
    if (!lines) {
      this.#send({ id: null, ok: false, error: { code: 'too-large', message: `a request is longer than ${MAX_REQUEST} bytes` } });
      this.#socket.pause();
      this.#socket.end(() => this.close());
      return;
    }
    for (const line of lines) {
      if (this.#closed) return;
      if (line.trim() === '') continue;
      const parsed = parseRequest(line);
      if (!parsed.ok) {
        this.#send({ id: parsed.id, ok: false, error: parsed.error });
        continue;
      }
      if (this.#inFlight >= MAX_IN_FLIGHT) {
        this.#send({ id: parsed.request.id, ok: false, error: { code: 'busy', message: `more than ${MAX_IN_FLIGHT} requests in flight` } });
        continue;
      }
      this.#inFlight++;
      this.#serve(parsed.request)
        .catch((error: unknown) => this.#fail(parsed.request.id, error))
        .finally(() => {
          this.#inFlight--;
        });
    }
  }

  async #serve(request: Request): Promise<void> {
    const { id } = request;
    if (this.#only !== undefined && request.method !== this.#only)
      throw new ApiError('refused', `only ${this.#only} is answered on this socket`);
    if (request.method === 'watch') return this.#watch(id, request.params);
    if (request.method === 'observe') return this.#observe(id, request.params);
    if (request.method === 'exabgp') return this.#hear(id);
    if (request.method === 'cancel') {
      this.#watches.get(request.params.request)?.close();
      this.#send({ id, ok: true, result: { format_version: FORMAT_VERSION } });
      return;
    }
    this.#send({ id, ok: true, result: await this.#call(request) });
  }

  #call(request: Exclude<Request, { method: 'watch' | 'observe' | 'exabgp' | 'cancel' }>): Promise<unknown> {
    const backend = this.#backend;
    switch (request.method) {
      case 'status':
        return backend.status();
      case 'peers':
        return backend.peers();
      case 'routes':
        return backend.routes(request.params);
      case 'sets':
        return backend.sets();
      case 'members':
        return backend.members(request.params);
      case 'refused':
        return backend.refused(request.params);
      case 'flows':
        return backend.flows(request.params);
      case 'flow-plan':
        return backend.flowPlan(request.params);
      case 'flow-add':
        return backend.flowAdd(request.params, this.#caller);
      case 'flow-delete':
        return backend.flowDelete(request.params);
      case 'networks':
        return backend.networks(request.params);
      case 'network-client':
        return backend.networkClient(request.params);
      case 'network-add':
        return backend.networkAdd(request.params, this.#caller);
      case 'network-replace':
        return backend.networkReplace(request.params, this.#caller);
      case 'network-delete':
        return backend.networkDelete(request.params, this.#caller);
      case 'network-dump':
        return backend.networkDump(request.params);
      case 'network-history':
        return backend.networkHistory(request.params);
      case 'network-load':
        return backend.networkLoad(request.params);
      case 'network-load-page':
        return backend.networkLoadPage(request.params);
      case 'network-load-commit':
        return backend.networkLoadCommit(request.params, this.#caller);
      case 'feeds':
        return backend.feeds();
      case 'feed-refresh':
        return backend.feedRefresh(request.params, this.#caller);
      case 'feed-accept':
        return backend.feedAccept(request.params, this.#caller);
      case 'blackholes':
        return backend.blackholes();
      case 'blackhole-add':
        return backend.blackholeAdd(request.params, this.#caller);
      case 'blackhole-delete':
        return backend.blackholeDelete(request.params);
      case 'lookup':
        return backend.lookup(request.params);
      case 'events':
        return backend.events(request.params);
      case 'reload':
        return backend.reload(this.#caller);
      case 'apply':
        return backend.apply(request.params, this.#caller);
      case 'confirm':
        return backend.confirm(this.#caller);
      case 'rollback':
        return backend.rollback(request.params, this.#caller);
      case 'history':
        return backend.history();
      case 'generation':
        return backend.generation(request.params);
    }
  }

  async #watch(id: number, params: Extract<Request, { method: 'watch' }>['params']): Promise<void> {
    this.#checkStream(id);
    const watch = this.#backend.watch(params);
    if (!watch) throw new ApiError('busy', 'too many watchers');
    const nothing = { events: [], lost: 0 };
    await this.#stream(id, watch, {
      first: nothing,
      nothing,
      answer: ({ events, lost }) => ({ events: events.map(summarizeEvent), lost }),
    });
  }

  async #observe(id: number, params: Extract<Request, { method: 'observe' }>['params']): Promise<void> {
    this.#checkStream(id);
    const { last, follow } = await this.#backend.observe(params);
    const first = { verdicts: last, lost: 0 };
    if (follow) await this.#stream(id, follow, { first, nothing: { verdicts: [], lost: 0 }, answer: (part) => part });
    else this.#send({ id, ok: true, result: { format_version: FORMAT_VERSION, ...first } });
  }

  async #hear(id: number): Promise<void> {
    const send = (command: string): void =>
      this.#send({ id, ok: true, result: { format_version: FORMAT_VERSION, commands: [command] }, more: true });
    const feed = await this.#backend.feed(uidOf(this.#socket), send);
    if (this.#closed) feed.close('the process that handed it over is gone');
    else this.#feed = feed;
  }

  #checkStream(id: number): void {
    if (this.#watches.has(id)) throw new ApiError('bad-request', `request ${id} is a watch already`);
  }

  /** Answers with `first`, and then with what comes, until the stream or the connection ends. */
  async #stream<T>(id: number, watch: Streamed<T>, { first, nothing, answer }: Answering<T>): Promise<void> {
    if (this.#closed) {
      watch.close();
      return;
    }
    this.#watches.set(id, watch);
    this.#send({ id, ok: true, result: { format_version: FORMAT_VERSION, ...first }, more: true });
    try {
      for (let part = await watch.next(); part && !this.#closed; part = await watch.next()) {
        this.#send({ id, ok: true, result: { format_version: FORMAT_VERSION, ...answer(part) }, more: true });
        await this.#drained();
      }
      this.#send({ id, ok: true, result: { format_version: FORMAT_VERSION, ...nothing } });
    } finally {
      watch.close();
      this.#watches.delete(id);
    }
  }

  #fail(id: number, error: unknown): void {
    if (error instanceof ApiError) {
      this.#refuse(id, error.body);
      return;
    }
    const cause = error instanceof Error ? error : new Error(String(error));
    this.#onError(cause);
    this.#refuse(id, { code: 'failed', message: cause.message });
  }

  #refuse(id: number, error: ApiErrorBody): void {
    this.#send({ id, ok: false, error });
  }

  #send(response: Response): void {
    if (this.#closed || !this.#socket.writable) return;
    if (this.#socket.writableLength > MAX_WAITING) this.close();
    else this.#socket.write(`${JSON.stringify(response)}\n`);
  }

  /** Waits until a slow client has read most of what was sent; events gather (and are dropped) in the watch's own queue meanwhile. */
  async #drained(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }
}

/** Who is at the other end, as the kernel says. */
function uidOf(socket: Socket): number | undefined {
  const fd = socketFd(socket);
  return fd === undefined ? undefined : peerCredentials(fd).uid;
}

function callerOf(socket: Socket): Caller {
  const fd = socketFd(socket);
  if (fd === undefined) return 'unknown';
  const { uid, pid } = peerCredentials(fd);
  return `uid ${uid}, pid ${pid}`;
}
