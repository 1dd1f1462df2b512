import { mkdirSync, readdirSync, renameSync, rmdirSync, statfsSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { closeFd } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt, BpfError, type BpfFailure } from './bpf-error.ts';
import { BpfLink } from './link.ts';
import { BpfMap } from './map.ts';
import { type ObjectKind, objectKind } from './object-kind.ts';
import { BpfProgram } from './program.ts';
import { type ProgramInfo, readProgramInfo } from './program-info.ts';

/** Where Weir's objects are pinned unless told otherwise. */
export const PIN_DIRECTORY = '/sys/fs/bpf/weir';

/** `statfs` type of a BPF file system (`linux/magic.h`). */
const BPF_FS_MAGIC = 0xcafe4a11;
const EPERM = 1;
const ENOENT = 2;
const EACCES = 13;
/** The suffix of what is being pinned in place of something else: no name that anything is asked for by ends with it. */
const NEW = '~new';

/** Anything with a descriptor that can be pinned. */
export interface Pinnable {
  readonly fd: number;
}

/**
 * A directory of a BPF file system: objects that are pinned there live on when the process ends. Names are letters, digits, `_` and `-`: the kernel keeps dots for itself.
 * Directories are made with mode 0700. BpfError, RangeError for a name that is none.
 */
export class PinDirectory {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Opens a directory, and makes it where it is not there. `unsupported` when there is no BPF file system. */
  static open(path: string = PIN_DIRECTORY): PinDirectory {
    if (!isOnBpfFileSystem(path)) {
      const detail = 'no BPF file system is mounted there; mount one with: mount -t bpf bpf /sys/fs/bpf';
      throw new BpfError({ operation: 'open', object: `pin directory ${path}`, reason: 'unsupported', detail }, ENOENT);
    }
    const directory = new PinDirectory(path);
    directory.#files('make', '', () => mkdirSync(path, { recursive: true, mode: 0o700 }));
    return directory;
  }

  /** A directory inside. */
  at(name: string): PinDirectory {
    return PinDirectory.open(join(this.path, pinName(name)));
  }

  /** Pins a map, program or link under a name, in place of what was there: at every moment one of the two is. */
  pin(object: Pinnable, name: string): void {
    const path = join(this.path, pinName(name));
    const beside = `${path}${NEW}`;
    // What an earlier process left half done.
    this.#remove(beside);
    attempt(
      this.#failure('pin', name),
      () => new Attribute().text(0, beside).u32(8, object.fd).call(COMMAND.pin),
      (errno) => pinReason(errno, this.path),
    );
    this.#files('pin', name, () => renameSync(beside, path));
  }

  /** What is pinned under a name, by a descriptor of its own; undefined when nothing is, or when it is of another kind. */
  map(name: string): BpfMap | undefined {
    const fd = this.#open(name, 'map');
    return fd === undefined ? undefined : BpfMap.fromFd(fd);
  }

  program(name: string): BpfProgram | undefined {
    const fd = this.#open(name, 'program');
    return fd === undefined ? undefined : BpfProgram.fromFd(fd);
  }

  link(name: string): BpfLink | undefined {
    const fd = this.#open(name, 'link');
    return fd === undefined ? undefined : BpfLink.fromFd(fd);
  }

  /** Names of what is pinned here, sorted, and of the directories inside. */
  list(): { readonly pinned: readonly string[]; readonly directories: readonly string[] } {
    const { files, directories } = this.#entries();
    return { pinned: files.filter((name) => !name.endsWith(NEW)), directories };
  }

  /** What kind of object is pinned; undefined when nothing is, or something that cannot be told. */
  kind(name: string): ObjectKind | undefined {
    const fd = this.#get(name);
    if (fd === undefined) return undefined;
    try {
      return objectKind(fd);
    } finally {
      closeFd(fd);
    }
  }

  /** Removes a pin; false when there was none. */
  unpin(name: string): boolean {
    return this.#remove(join(this.path, pinName(name)));
  }

  /** Removes the directory with every pin and directory in it. */
  remove(): void {
    const { files, directories } = this.#entries();
    for (const name of directories) new PinDirectory(join(this.path, name)).remove();
    for (const name of files) this.#remove(join(this.path, name));
    this.#files('remove', '', () => rmdirSync(this.path));
  }

  #entries(): { readonly files: readonly string[]; readonly directories: readonly string[] } {
    const entries = this.#files('list', '', () => readdirSync(this.path, { withFileTypes: true })) ?? [];
    const names = (inside: boolean): readonly string[] =>
      entries
        .filter((entry) => entry.isDirectory() === inside)
        .map((entry) => entry.name)
        .sort();
    return { files: names(false), directories: names(true) };
  }

  #open(name: string, kind: ObjectKind): number | undefined {
    const fd = this.#get(name);
    if (fd === undefined || objectKind(fd) === kind) return fd;
    closeFd(fd);
    return undefined;
  }

  #get(name: string): number | undefined {
    try {
      const open = () => new Attribute().text(0, join(this.path, pinName(name))).call(COMMAND.open);
      return attempt(this.#failure('open', name), open, (errno) => pinReason(errno, this.path));
    } catch (error) {
      if (error instanceof BpfError && error.reason === 'absent') return undefined;
      throw error;
    }
  }

  #remove(path: string): boolean {
    return this.#files('unpin', path, () => unlinkSync(path) ?? true) ?? false;
  }

  /** An operation on files; undefined when there is no such file. */
  #files<T>(operation: string, name: string, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      const errno = -((error as NodeJS.ErrnoException).errno ?? 0);
      if (errno === ENOENT) return undefined;
      throw new BpfError({ ...this.#failure(operation, name), ...fileReason(errno, this.path) }, errno);
    }
  }

  #failure(operation: string, name: string): BpfFailure {
    const path = name === '' || name.startsWith('/') ? name || this.path : join(this.path, name);
    return { operation, object: path };
  }
}

/**
 * What the kernel says of the program that is pinned at a path, whoever pinned it; undefined where there is none.
 * @throws BpfError
 */
export function readPinnedProgram(path: string): ProgramInfo | undefined {
  let fd: number;
  try {
    fd = attempt({ operation: 'open', object: path, needs: ['CAP_BPF', 'CAP_DAC_OVERRIDE'] }, () =>
      new Attribute().text(0, path).call(COMMAND.open),
    );
  } catch (error) {
    if (error instanceof BpfError && error.reason === 'absent') return undefined;
    throw error;
  }
  try {
    return objectKind(fd) === 'program' ? readProgramInfo(fd) : undefined;
  } finally {
    closeFd(fd);
  }
}

/** Whether a path is on a BPF file system, or would be once it is made. BpfError where the way to it is not open, or its name cannot be one. */
export function isOnBpfFileSystem(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    try {
      return statfsSync(at).type === BPF_FS_MAGIC;
    } catch (error) {
      const errno = -((error as NodeJS.ErrnoException).errno ?? 0);
      if (errno === ENOENT && at !== dirname(at)) continue;
      throw new BpfError({ operation: 'look for', object: at, ...fileReason(errno, at) }, errno);
    }
  }
}

/** What the rights on files say: they go by who owns them, not by what may use BPF. */
function fileReason(errno: number, path: string): Partial<BpfFailure> {
  // The file system keeps names with dots for itself.
  if (errno === EPERM && path.slice(path.lastIndexOf('/')).includes('.'))
    return { reason: 'invalid', detail: 'a name on a BPF file system has no dot' };
  if (errno !== EPERM && errno !== EACCES) return {};
  const owner = ownerOf(path);
  return { needs: ['CAP_DAC_OVERRIDE'], ...(owner !== undefined && { detail: owner }) };
}

/** Pinning asks for the right to use BPF, and for the rights on the directory. */
function pinReason(errno: number, path: string): Partial<BpfFailure> | undefined {
  if (errno === EPERM) return { needs: ['CAP_BPF'] };
  return errno === EACCES ? fileReason(errno, path) : undefined;
}

/** Whose the first thing on the way to a path is that can be looked at. */
function ownerOf(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { uid, mode } = statSync(at);
      const own = process.geteuid?.();
      return `${at} belongs to user ${uid} and has the mode 0${(mode & 0o7777).toString(8)}; this is user ${own}`;
    } catch (error) {
      if (!(error instanceof Error) || at === dirname(at)) return undefined;
    }
  }
}

function pinName(name: string): string {
  if (!/^[A-Za-z0-9_-]{1,200}$/.test(name)) throw new RangeError(`not a name to pin under: ${name}`);
  return name;
}
