import { closeFd, passedDescriptors, SystemError, storeDescriptor } from '@weir/sys';

/** Under this name the service manager holds the netlink socket that owns Weir's table. */
const NAME = 'weir-table';
const PASSED = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'];

/**
 * The socket that the service manager has held for this process, and takes what says so out of the environment: processes that this one starts are not meant.
 * A table with an owner (OWNER|PERSIST) is without one once its socket is closed, and then any process may flush it. The manager's copy keeps the socket
 * open while Weir is down.
 */
export function takeHeldSocket(env: { [name: string]: string | undefined }, pid: number): number | undefined {
  const held = passedDescriptors(env, pid).find(({ name }) => name === NAME);
  for (const name of PASSED) delete env[name];
  return held?.fd;
}

/** What is held of: the connection whose socket owns the table. */
export interface Holdable {
  readonly descriptor: number;
  /** The socket is the one that was held. */
  readonly adopted: boolean;
}

/**
 * Lets the service manager hold the socket. One that it held and that is not the right one is closed, here and there. Gives what went wrong, if
 * anything did: Weir works without, as it does without a service manager.
 */
export function holdSocket({ descriptor, adopted }: Holdable, held: number | undefined): Error | undefined {
  if (adopted) return undefined;
  try {
    if (held !== undefined) closeFd(held);
    storeDescriptor(descriptor, NAME, held !== undefined);
    return undefined;
  } catch (error) {
    if (error instanceof SystemError || error instanceof RangeError) return error;
    throw error;
  }
}
