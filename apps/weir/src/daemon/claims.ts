import type { DirectoryLock } from '@weir/sys';
import { type Backend, ControlServer } from '../api/index.ts';
import { makeDirectory } from '../files/index.ts';
import type { Config } from '../model/config.ts';
import type { Log } from '../observe/index.ts';
import { awaitState } from './state-lock.ts';

/** What only one daemon has. */
export interface Claims {
  readonly server: ControlServer;
  /** Undefined where the file system has no locks. */
  readonly lock: DirectoryLock | undefined;
}

/** The control socket and the state directory, for this daemon alone. @throws SocketError, StateInUseError, or the system's error */
export async function claim({ socket, stateDirectory }: Config, backend: Backend, log: Log): Promise<Claims> {
  makeDirectory(stateDirectory, 0o700);
  const onError = (error: Error): void => log.log('error', `control socket: ${error.message}`);
  const server = await ControlServer.open({ path: socket, backend, onError });
  try {
    return { server, lock: await awaitState(stateDirectory, (text) => log.log('warn', `state directory: ${text}`)) };
  } catch (error) {
    await server.close();
    throw error;
  }
}
