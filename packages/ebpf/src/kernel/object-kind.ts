import { readFileSync } from 'node:fs';
import { SystemError } from '@weir/sys';

export type ObjectKind = 'map' | 'program' | 'link';

const EBADF = 9;
const EINVAL = 22;

/** What a descriptor stands for, from /proc, which has a line of its own for each kind; undefined for anything else. SystemError when it is not open. */
export function objectKind(fd: number): ObjectKind | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new SystemError('bpf', EBADF, `descriptor ${fd}`);
    throw error;
  }
  if (/^map_type:/m.test(text)) return 'map';
  if (/^link_type:/m.test(text)) return 'link';
  return /^prog_type:/m.test(text) ? 'program' : undefined;
}

/** Reads something about a descriptor that has to be of a kind: the kernel answers for any kind with what belongs to that. SystemError EINVAL when it is of another. */
export function readOf<T>(fd: number, kind: ObjectKind, read: (fd: number) => T): T {
  if (objectKind(fd) !== kind) throw new SystemError('bpf', EINVAL, `descriptor ${fd} is no ${kind}`);
  return read(fd);
}
