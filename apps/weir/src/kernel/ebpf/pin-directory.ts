import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { BpfError, PinDirectory } from '@weir/ebpf/kernel';
import { DirectoryLock, SystemError } from '@weir/sys';
import { EngineBusyError } from './engine-error.ts';

/**
 * Takes a pin directory for this process alone; it is made where it is not there.
 * @throws EngineBusyError when another process has it; BpfError where it cannot be used, and says why
 */
export function takePinDirectory(path: string): { readonly parent: PinDirectory; readonly lock: DirectoryLock } {
  const parent = PinDirectory.open(path);
  if (isMountPoint(path)) {
    const detail = `a BPF file system is mounted there, and others pin in it: name a directory in it, such as ${path}/weir`;
    throw new BpfError({ operation: 'use', object: `pin directory ${path}`, reason: 'invalid', detail }, EINVAL);
  }
  const lock = lockOf(parent);
  if (!lock) throw new EngineBusyError(path, DirectoryLock.holder(path));
  return { parent, lock };
}

/** Whether two paths are one directory: by a symbolic link, for example. */
export function isSameDirectory(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function isMountPoint(path: string): boolean {
  const real = realpathSync(path);
  return statSync(real).dev !== statSync(dirname(real)).dev;
}

function lockOf(parent: PinDirectory): DirectoryLock | undefined {
  // Says whose it is where it cannot be looked into.
  parent.list();
  try {
    return DirectoryLock.take(parent.path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new BpfError({ operation: 'lock', object: `pin directory ${parent.path}` }, error.errno);
  }
}

const EINVAL = 22;
