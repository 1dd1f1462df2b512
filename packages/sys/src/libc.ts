import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type koffiModule from 'koffi';

type Koffi = typeof koffiModule;
type Library = ReturnType<Koffi['load']>;

let koffi: Koffi | undefined;
let library: Library | undefined;

/** The koffi module, loaded at the first native call so that commands without one start fast. */
export function native(): Koffi {
  koffi ??= createRequire(import.meta.url)('koffi') as Koffi;
  return koffi;
}

/** The C library of this process. */
export function libc(): Library {
  library ??= native().load('libc.so.6');
  return library;
}

/** A function of the C library, bound at its first call. `prototype` is C, for example `int close(int fd)`. */
export function bind<A extends readonly unknown[], R>(prototype: string): (...args: A) => R {
  let target: ((...args: A) => R) | undefined;
  return (...args) => {
    target ??= libc().func(prototype) as unknown as (...args: A) => R;
    return target(...args);
  };
}

const NAMES = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `ENOENT` for 2; `errno 999` for what the system does not name. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** A system call that failed. `errno` is positive; `call` names it as in its manual page. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly call: string;

  constructor(call: string, errno: number, detail = '') {
    super(`${call}: ${errnoName(errno)}${detail ? ` (${detail})` : ''}`);
    this.name = 'SystemError';
    this.code = errnoName(errno);
    this.errno = errno;
    this.call = call;
  }
}

/** Returns `result` when it is not negative; SystemError with the thread's errno otherwise. */
export function check(call: string, result: number, detail = ''): number {
  if (result < 0) throw new SystemError(call, native().errno(), detail);
  return result;
}
