import { bind, native, SystemError } from './libc.ts';

const mmap = bind<[bigint, number, number, number, number, number], bigint>(
  'uintptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
);
const munmap = bind<[bigint, number], number>('int munmap(uintptr_t address, size_t length)');

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

export interface MapOptions {
  /** Bytes from the beginning of what the descriptor stands for; a multiple of the page size. */
  readonly offset?: number;
  /** Without it writing to the memory ends the process. */
  readonly write?: boolean;
}

/**
 * Shared memory of a descriptor, mapped into this process: what the kernel or another process writes shows in `bytes` at once. The mapping outlives the
 * descriptor. Nothing may touch `bytes` after `close`: the addresses are no longer there.
 */
export class MappedMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #address: bigint;
  readonly #length: number;
  #closed = false;

  private constructor(address: bigint, length: number) {
    this.#address = address;
    this.#length = length;
    this.bytes = new Uint8Array(native().view(address, length));
  }

  /** mmap(2). Throws SystemError. */
  static map(fd: number, length: number, options: MapOptions = {}): MappedMemory {
    const protection = PROT_READ | (options.write ? PROT_WRITE : 0);
    const address = BigInt(mmap(0n, length, protection, MAP_SHARED, fd, options.offset ?? 0));
    if (address === MAP_FAILED) throw new SystemError('mmap', native().errno(), `${length} bytes at ${options.offset ?? 0}`);
    return new MappedMemory(address, length);
  }

  /** munmap(2). Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (munmap(this.#address, this.#length) < 0) throw new SystemError('munmap', native().errno());
  }
}

/** Bytes of a page of memory. */
export function pageSize(): number {
  size ||= Number(sysconf(SC_PAGESIZE));
  return size;
}

const SC_PAGESIZE = 30;
const sysconf = bind<[number], number | bigint>('long sysconf(int name)');
let size = 0;
