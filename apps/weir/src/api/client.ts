import { Socket } from 'node:net';
import { ApiError } from './backend.ts';
import { LineSplitter } from './line-splitter.ts';
import type { Answer, MethodAnswers } from './method-answers.ts';
import { parseResponse } from './response.ts';
import type { Method, Params, Response } from './schema.ts';
import type { VerdictsAnswer } from './verdict-answers.ts';

/** Bytes of one answer. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** The daemon cannot be reached, or went away. `code` is that of the system, or `CONNECTION_LOST`. */
export class ConnectionError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
  }

  /** Whether nobody listens there, and not only nobody who may be asked. */
  get nobody(): boolean {
    return this.code === 'ECONNREFUSED' || this.code === 'ENOENT';
  }
}

interface Waiting {
  readonly resolve: (response: Response) => void;
  readonly reject: (error: Error) => void;
}

/** A connection to the daemon's control socket. */
export class ControlClient {
  readonly #socket: Socket;
  readonly #lines = new LineSplitter(MAX_ANSWER);
  readonly #waiting = new Map<number, Waiting>();
  /** Batches of a watch that came before they were asked for; the socket is paused when there are many. */
  readonly #early = new Map<number, Response[]>();
  #nextId = 1;
  #gone: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#end(
        error instanceof ConnectionError
          ? error
          : new ConnectionError(error.code ?? 'UNKNOWN', `the connection to the daemon: ${error.message}`),
      ),
    );
    socket.on('close', () => this.#end(new ConnectionError('CONNECTION_LOST', 'the daemon closed the connection')));
  }

  /** Throws ConnectionError. */
  static connect(path: string): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = new Socket();
      socket.once('error', (error: NodeJS.ErrnoException) => reject(new ConnectionError(error.code ?? 'UNKNOWN', explain(path, error))));
      socket.connect(path, () => {
        socket.removeAllListeners('error');
        resolve(new ControlClient(socket));
      });
    });
  }

  /** Asks and waits for the answer. Throws ApiError where the daemon refuses, ConnectionError where it is gone. */
  async call<M extends keyof MethodAnswers>(method: M, params: Params<M>): Promise<Answer<M>> {
    const id = this.#nextId++;
    const response = await this.#ask(id, method, params);
    return this.#result(id, response) as Answer<M>;
  }

  /** Events as they come, until `return` is called on the iterator or the daemon ends. */
  watch(params: Params<'watch'>): AsyncGenerator<Answer<'events'>, void, void> {
    return this.#stream<Answer<'events'>>('watch', params);
  }

  /** Verdicts that were, and as they come where that is asked for. */
  observe(params: Params<'observe'>): AsyncGenerator<VerdictsAnswer, void, void> {
    return this.#stream<VerdictsAnswer>('observe', params);
  }

  async *#stream<A>(method: 'watch' | 'observe', params: object): AsyncGenerator<A, void, void> {
    const id = this.#nextId++;
    let next = this.#ask(id, method, params);
    for (;;) {
      const response = await next;
      const result = this.#result(id, response) as A;
      if (response.ok && response.more) {
        next = this.#expect(id);
        // The caller may never ask for it: then its failure is nobody's business.
        next.catch(() => undefined);
      }
      yield result;
      if (!response.ok || !response.more) {
        this.#early.delete(id);
        return;
      }
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(id: number, method: Method, params: object): Promise<Response> {
    const answer = this.#expect(id);
    if (!this.#gone) this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    return answer;
  }

  #expect(id: number): Promise<Response> {
    const early = this.#early.get(id)?.shift();
    if (early) return Promise.resolve(early);
    const gone = this.#gone;
    if (gone) return Promise.reject(gone);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #result(id: number, response: Response): unknown {
    if ((this.#early.get(id)?.length ?? 0) < 16) this.#socket.resume();
    if (response.ok) return response.result;
    throw new ApiError(response.error.code, response.error.message, response.error.details);
  }

  #receive(chunk: Buffer): void {
    const lines = this.#lines.push(chunk);
    if (!lines) {
      this.#socket.destroy(new ConnectionError('TOO_LARGE', 'an answer of the daemon is too large'));
      return;
    }
    for (const line of lines) {
      const response = parseResponse(line);
      if (!response) {
        this.#socket.destroy(new ConnectionError('BAD_ANSWER', 'the daemon does not speak the protocol'));
        return;
      }
      if (response.id === null) {
        this.#end(response.ok ? new Error('an answer without an id') : new ApiError(response.error.code, response.error.message));
        continue;
      }
      const waiting = this.#waiting.get(response.id);
      if (waiting) {
        this.#waiting.delete(response.id);
        waiting.resolve(response);
      } else {
        const early = this.#early.get(response.id) ?? [];
        early.push(response);
        this.#early.set(response.id, early);
        if (early.length >= 64) this.#socket.pause();
      }
    }
  }

  #end(error: Error): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

function explain(path: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return `no daemon answers on ${path}: is \`weir run\` running?`;
  if (error.code === 'EACCES') return `${path}: permission denied; the socket belongs to the daemon's user and group`;
  return `${path}: ${error.message}`;
}

/** One connection for one question. Undefined when no daemon answers; throws ApiError where it refuses. */
export async function askDaemon<T>(socket: string, question: (client: ControlClient) => Promise<T>): Promise<T | undefined> {
  try {
    const client = await ControlClient.connect(socket);
    try {
      return await question(client);
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof ConnectionError) return undefined;
    throw error;
  }
}
