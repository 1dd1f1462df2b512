import { lstatSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';

/** The socket cannot be opened. `code` is `SOCKET_PATH` or `SOCKET_IN_USE`, or that of the system. */
export class SocketError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'SocketError';
    this.code = code;
  }
}

/** Removes the socket that a daemon left behind. Throws SocketError where one answers on it, or where it is something else. */
export async function removeStale(path: string): Promise<void> {
  let kind: 'socket' | 'other' | 'none' = 'none';
  try {
    kind = lstatSync(path).isSocket() ? 'socket' : 'other';
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  if (kind === 'none') return;
  if (kind === 'other') throw new SocketError('SOCKET_PATH', `${path} exists and is not a socket`);
  if (await answers(path)) throw new SocketError('SOCKET_IN_USE', `another daemon answers on ${path}`);
  unlinkSync(path);
}

/** Whether somebody listens. Anything but a plain refusal counts as yes, so that a socket in use is never taken away. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = new Socket();
    const end = (answer: boolean): void => {
      probe.destroy();
      resolve(answer);
    };
    probe.setTimeout(2000, () => end(true));
    probe.once('connect', () => end(true));
    probe.once('error', (error: NodeJS.ErrnoException) => end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
    probe.connect(path);
  });
}
