import { bind, check, errnoName, native, SystemError } from './libc.ts';

type Library = ReturnType<ReturnType<typeof native>['load']>;

/** A structure of libbpf's own; undefined for a null pointer. */
export type LibbpfPointer = object;

/** A number, or what koffi makes of a 64-bit one. */
type Size = number | bigint;

const F_DUPFD_CLOEXEC = 1030;

const fcntl = bind<[number, number, number], number>('int fcntl(int fd, int command, int argument)');

/** Another descriptor of the same thing. SystemError. */
export function duplicateFd(fd: number): number {
  return check('fcntl', fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/** libbpf.so.1: ELF objects with eBPF programs. Functions are named as there, without the prefix; a failure is a SystemError with the name of the function. */
export class Libbpf {
  readonly #library: Library;
  readonly #functions = new Map<string, (...args: unknown[]) => unknown>();

  private constructor(library: Library) {
    this.#library = library;
    // It writes to stderr unless told.
    this.#call('void *libbpf_set_print(void *print)', null);
  }

  static #opened: Libbpf | undefined;

  /** Undefined where this machine has none. */
  static open(): Libbpf | undefined {
    if (!Libbpf.#opened) {
      const library = load();
      if (library) Libbpf.#opened = new Libbpf(library);
    }
    return Libbpf.#opened;
  }

  /** `v1.1`. */
  get version(): string {
    return String(this.#call('const char *libbpf_version_string()'));
  }

  /** Reads an object; nothing of it is in the kernel yet. The octets are not needed any more afterwards. */
  openMemory(octets: Uint8Array): LibbpfPointer {
    const prototype = 'void *bpf_object__open_mem(const void *octets, size_t size, const void *options)';
    const object = this.#call(prototype, octets, octets.length, null) as LibbpfPointer | null;
    if (!object) throw this.#failed('bpf_object__open_mem');
    return object;
  }

  /** Makes the maps, and loads the programs that are to be loaded. */
  load(object: LibbpfPointer): void {
    this.#check('bpf_object__load', this.#call('int bpf_object__load(void *object)', object));
  }

  /** Closes its descriptors. */
  close(object: LibbpfPointer): void {
    this.#call('void bpf_object__close(void *object)', object);
  }

  programs(object: LibbpfPointer): LibbpfPointer[] {
    return this.#each('void *bpf_object__next_program(void *object, void *previous)', object);
  }

  maps(object: LibbpfPointer): LibbpfPointer[] {
    return this.#each('void *bpf_object__next_map(void *object, void *previous)', object);
  }

  /** The name of the function, its section, and the type as the kernel numbers it. */
  program(program: LibbpfPointer): { readonly name: string; readonly section: string; readonly type: number } {
    return {
      name: String(this.#call('const char *bpf_program__name(void *program)', program)),
      section: String(this.#call('const char *bpf_program__section_name(void *program)', program)),
      type: Number(this.#call('int bpf_program__type(void *program)', program)),
    };
  }

  map(map: LibbpfPointer): {
    readonly name: string;
    readonly type: number;
    readonly keySize: number;
    readonly valueSize: number;
    readonly maxEntries: number;
  } {
    return {
      name: String(this.#call('const char *bpf_map__name(void *map)', map)),
      type: Number(this.#call('int bpf_map__type(void *map)', map)),
      keySize: Number(this.#call('uint32_t bpf_map__key_size(void *map)', map)),
      valueSize: Number(this.#call('uint32_t bpf_map__value_size(void *map)', map)),
      maxEntries: Number(this.#call('uint32_t bpf_map__max_entries(void *map)', map)),
    };
  }

  setType(program: LibbpfPointer, type: number): void {
    this.#check('bpf_program__set_type', this.#call('int bpf_program__set_type(void *program, int type)', program, type));
  }

  /** Whether `load` loads the program. */
  setAutoload(program: LibbpfPointer, autoload: boolean): void {
    this.#check('bpf_program__set_autoload', this.#call('int bpf_program__set_autoload(void *program, bool autoload)', program, autoload));
  }

  /** Where the verifier's log goes when it refuses the program; the memory is used until the object is closed. */
  setLog(program: LibbpfPointer, address: bigint, size: number): void {
    const prototype = 'int bpf_program__set_log_buf(void *program, uintptr_t log, size_t size)';
    this.#check('bpf_program__set_log_buf', this.#call(prototype, program, address, size));
  }

  /** The descriptor of a program that is loaded, which stays the object's. */
  programFd(program: LibbpfPointer): number {
    return this.#check('bpf_program__fd', this.#call('int bpf_program__fd(void *program)', program));
  }

  mapFd(map: LibbpfPointer): number {
    return this.#check('bpf_map__fd', this.#call('int bpf_map__fd(void *map)', map));
  }

  /** More than any object has. */
  static readonly #MOST = 65_536;

  #each(prototype: string, object: LibbpfPointer): LibbpfPointer[] {
    const out: LibbpfPointer[] = [];
    let one = this.#call(prototype, object, null) as LibbpfPointer | null;
    while (one && out.length < Libbpf.#MOST) {
      out.push(one);
      one = this.#call(prototype, object, one) as LibbpfPointer | null;
    }
    return out;
  }

  #call(prototype: string, ...args: readonly unknown[]): unknown {
    let target = this.#functions.get(prototype);
    if (!target) {
      target = this.#library.func(prototype) as (...args: unknown[]) => unknown;
      this.#functions.set(prototype, target);
    }
    return target(...args);
  }

  /** Functions return a negative errno. */
  #check(call: string, result: unknown): number {
    const number = Number(result as Size);
    if (number < 0) throw new SystemError(call, -number);
    return number;
  }

  #failed(call: string): SystemError {
    const errno = native().errno();
    return new SystemError(call, errno, errnoName(errno) === 'ENOEXEC' ? 'not an ELF object of eBPF' : '');
  }
}

/** The library; undefined where it cannot be loaded. */
function load(): Library | undefined {
  try {
    return native().load('libbpf.so.1');
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
