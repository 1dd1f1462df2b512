import type { Readable } from 'node:stream';

/** The world of a command: what it reads, writes and sees. Tests pass their own. */
export interface Io {
  /** Data. Resolves when more may be written, so that a slow reader of a pipe bounds memory. */
  out(text: string): Promise<void>;
  /** Diagnostics and messages for a person. */
  err(text: string): void;
  readonly stdin: Readable;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Columns of the terminal; 0 where there is none. */
  readonly columns: number;
  readonly env: { readonly [name: string]: string | undefined };
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
}

/** The process's own streams. A reader that goes away (`| head`) ends the process quietly. */
export function processIo(signal: AbortSignal): Io {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    out: (text) =>
      new Promise((resolve) => {
        if (process.stdout.write(text)) resolve();
        else process.stdout.once('drain', () => resolve());
      }),
    err: (text) => {
      process.stderr.write(text);
    },
    stdin: process.stdin,
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    columns: process.stdout.columns ?? 0,
    env: process.env,
    signal,
  };
}
