import { closeSync, constants, openSync } from 'node:fs';
import { BpfError, type BpfFailure } from './bpf-error.ts';
import type { BpfLink } from './link.ts';
import { createLink } from './link-create.ts';
import type { BpfProgram } from './program.ts';
import type { AttachType } from './program-type.ts';

const EPERM = 1;
const EBADF = 9;

/** Places of a cgroup of version 2 that programs attach to. */
export type CgroupAttachType = Extract<AttachType, `cgroup_${string}`>;

/**
 * Attaches a program to a cgroup by its path (`/sys/fs/cgroup/NAME`): it judges the processes of that cgroup and of those below it, together with what else is attached: all of
 * them have to allow. BpfError.
 */
export function attachCgroup(program: BpfProgram, path: string, attachType: CgroupAttachType): BpfLink {
  const fd = openDirectory(path);
  try {
    return createLink(program, { name: `${attachType} of cgroup ${path}`, attachType, target: fd, reasonFor });
  } finally {
    closeSync(fd);
  }
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    const errno = -((error as NodeJS.ErrnoException).errno ?? 0);
    throw new BpfError({ operation: 'open', object: `cgroup ${path}` }, errno);
  }
}

function reasonFor(errno: number): Partial<BpfFailure> | undefined {
  if (errno === EBADF) return { reason: 'invalid', detail: 'it is no cgroup of version 2' };
  if (errno === EPERM) return { detail: 'or a program is attached above it that does not let others beside it' };
  return undefined;
}
