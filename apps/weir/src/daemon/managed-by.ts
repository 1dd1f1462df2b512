import { SystemError } from '@weir/sys';
import { ConnectionError, ControlClient } from '../api/index.ts';
import { checkUnmanaged, EngineBusyError } from '../kernel/ebpf/index.ts';

const DEFAULT_SOCKET = '/run/weir/weir.sock';

/**
 * Who has the state and the kernel's side of it now, as the beginning of a sentence; undefined where nobody has. With another socket in its configuration a daemon may run all the
 * same, which its programs tell.
 */
export async function managedBy(socket: string = DEFAULT_SOCKET, pinDirectory: string): Promise<string | undefined> {
  if (await answers(socket)) return `a daemon answers at ${socket}`;
  try {
    checkUnmanaged(pinDirectory);
    return undefined;
  } catch (error) {
    if (error instanceof EngineBusyError) return error.message;
    // A directory that cannot be asked: whoever goes on to its programs meets that again, and says so.
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

async function answers(socket: string): Promise<boolean> {
  try {
    (await ControlClient.connect(socket)).close();
    return true;
  } catch (error) {
    if (error instanceof ConnectionError) return !error.nobody;
    throw error;
  }
}
