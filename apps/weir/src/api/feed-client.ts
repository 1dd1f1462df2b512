import { Socket } from 'node:net';
import { ApiError } from './backend.ts';
import { ConnectionError } from './client.ts';
import { LineSplitter } from './line-splitter.ts';
import { parseResponse } from './response.ts';
import type { Response } from './schema.ts';

/** Octets of one answer. */
const MAX_ANSWER = 65_536;

export interface FeedClientOptions {
  readonly path: string;
  /** A command for ExaBGP. */
  readonly onCommand: (command: string) => void;
  /** The connection is over; called once, and not for what `connect` rejects with. */
  readonly onEnd: (error: Error) => void;
}

/** A connection on which what ExaBGP prints is handed over to the daemon. */
export class FeedClient {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Resolves when the daemon listens. Throws ConnectionError, or ApiError where it does not take anything from this user. */
  static connect({ path, onCommand, onEnd }: FeedClientOptions): Promise<FeedClient> {
    return new Promise((resolve, reject) => {
      const socket = new Socket();
      const lines = new LineSplitter(MAX_ANSWER);
      let ready = false;
      const end = (error: Error): void => {
        if (ready) onEnd(error);
        else reject(error);
        ready = true;
        socket.removeAllListeners();
        socket.on('error', () => undefined);
        socket.destroy();
      };
      const take = (response: Response | undefined): void => {
        if (!response?.ok) {
          end(
            response
              ? new ApiError(response.error.code, response.error.message)
              : new ConnectionError('BAD_ANSWER', 'the daemon does not speak the protocol'),
          );
          return;
        }
        if (!ready) {
          ready = true;
          resolve(new FeedClient(socket));
        }
        for (const command of commandsOf(response.result)) onCommand(command);
      };
      socket.on('error', (error: NodeJS.ErrnoException) => end(new ConnectionError(error.code ?? 'UNKNOWN', `${path}: ${error.message}`)));
      socket.on('close', () => end(new ConnectionError('CONNECTION_LOST', 'the daemon closed the connection')));
      socket.on('data', (chunk: Buffer) => {
        const said = lines.push(chunk);
        if (said) for (const line of said) take(parseResponse(line));
        else end(new ConnectionError('TOO_LARGE', 'an answer of the daemon is too large'));
      });
      socket.connect(path, () => socket.write(`${JSON.stringify({ id: 1, method: 'exabgp' })}\n`));
    });
  }

  /** Octets that the daemon has not taken yet. */
  get waiting(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Ends the connection when everything is written. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.removeAllListeners('close');
      this.#socket.on('close', () => resolve());
      this.#socket.end(() => this.#socket.destroy());
    });
  }

  close(): void {
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
  }
}

function commandsOf(result: unknown): readonly string[] {
  const commands = typeof result === 'object' && result !== null && 'commands' in result ? result.commands : undefined;
  // One line each, whatever the daemon says.
  return Array.isArray(commands) ? commands.filter((c): c is string => typeof c === 'string' && !/[\r\n]/.test(c)) : [];
}
