import { setTimeout as sleep } from 'node:timers/promises';
import { DirectoryLock, SystemError } from '@weir/sys';
import type { ExitCode, Io } from '../cli/index.ts';
import { explainFailure } from './failure.ts';

/** Milliseconds that another process has to end: one that was told to may be writing down what it leaves. */
const PATIENCE_MS = 5000;
const STEP_MS = 50;

/** Another process has the state directory. */
export class StateInUseError extends Error {
  readonly code = 'STATE_IN_USE';
  readonly holder: number | undefined;

  constructor(directory: string, holder: number | undefined) {
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    super(`${directory} is in use by ${who}: two must not keep one state; end that one, or name another directory (state_directory)`);
    this.name = 'StateInUseError';
    this.holder = holder;
  }
}

/**
 * The ledgers, the saved plan and the history are one process's, until it closes the lock or ends, however that is: another would write over what it has written, and take what it
 * has added for somebody else's. Undefined where there is no such directory, and where the file system has no locks, which `warn` is told.
 *
 * @throws StateInUseError when another process has it; SystemError when the directory cannot be opened
 */
export function lockState(directory: string, warn: (text: string) => void): DirectoryLock | undefined {
  try {
    const lock = DirectoryLock.take(directory);
    if (!lock) throw new StateInUseError(directory, DirectoryLock.holder(directory));
    return lock;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.call === 'flock') warn(`${error.message}: nothing keeps a second process from the same state`);
    else if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}

/** The same, after another process that is ending has had its time. */
export async function awaitState(
  directory: string,
  warn: (text: string) => void,
  patience: number = PATIENCE_MS,
): Promise<DirectoryLock | undefined> {
  for (let left = patience; ; left -= STEP_MS) {
    try {
      return lockState(directory, warn);
    } catch (error) {
      if (!(error instanceof StateInUseError) || left <= 0) throw error;
    }
    await sleep(STEP_MS);
  }
}

/** For a command that writes into the state itself: does so while no other process has it, or says who has it. */
export async function withState(directory: string, io: Io, work: () => Promise<ExitCode>): Promise<ExitCode> {
  let lock: DirectoryLock | undefined;
  try {
    lock = lockState(directory, (text) => io.err(`warning: ${text}\n`));
  } catch (error) {
    const { code, message } = explainFailure(error);
    io.err(`error: ${message}\n`);
    return code;
  }
  try {
    return await work();
  } finally {
    lock?.close();
  }
}
