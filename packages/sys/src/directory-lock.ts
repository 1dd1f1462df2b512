import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { bind, native, SystemError } from './libc.ts';

const flock = bind<[number, number], number>('int flock(int fd, int operation)');

const LOCK_EX = 2;
const LOCK_NB = 4;
const EINTR = 4;
const EAGAIN = 11;
const MAX_TRIES = 100;

/** A lock on a directory for one process at a time (flock(2)). It is gone with the process, however it ends; file systems that hold no files, such as bpffs, have it too. */
export class DirectoryLock {
  readonly path: string;
  readonly #fd: number;
  #closed = false;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Undefined when somebody else has it. SystemError, also where there is no such directory. */
  static take(path: string): DirectoryLock | undefined {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const fd = openDirectory(path);
      const result = flock(fd, LOCK_EX | LOCK_NB);
      const errno = result < 0 ? native().errno() : 0;
      // A directory that was made anew meanwhile is another one.
      if (errno === 0 && isStill(path, fd)) return new DirectoryLock(path, fd);
      closeSync(fd);
      if (errno === EAGAIN) return undefined;
      if (errno !== 0 && errno !== EINTR) throw new SystemError('flock', errno, path);
    }
    throw new SystemError('flock', EINTR, path);
  }

  /** The process that has the lock, where /proc/locks tells. */
  static holder(path: string): number | undefined {
    const { ino, dev } = statSync(path, { bigint: true });
    // `1: FLOCK  ADVISORY  WRITE 4711 00:1e:2303 0 EOF`
    const held = readLocks()
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1] === 'FLOCK' && fields[5]?.split(':')[2] === String(ino));
    // Other file systems have the same numbers, but not all have the device that stat(2) says (overlays, subvolumes).
    const place = `${hexByte((dev >> 8n) & 0xfffn)}:${hexByte((dev & 0xffn) | ((dev >> 12n) & 0xfff00n))}:${ino}`;
    const found = held.find((fields) => fields[5] === place) ?? (held.length === 1 ? held[0] : undefined);
    return found && Number(found[4]);
  }

  /** Gives the lock back. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}

/** None where /proc does not show them. */
function readLocks(): readonly string[] {
  try {
    return readFileSync('/proc/locks', 'utf8').split('\n');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EPERM') return [];
    throw error;
  }
}

/** At least two digits. */
function hexByte(value: bigint): string {
  return value.toString(16).padStart(2, '0');
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw new SystemError('open', -((error as NodeJS.ErrnoException).errno ?? 0), path);
  }
}

function isStill(path: string, fd: number): boolean {
  const held = fstatSync(fd);
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && there.ino === held.ino && there.dev === held.dev;
}
