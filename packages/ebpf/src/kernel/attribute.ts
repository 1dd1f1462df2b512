import { addressOf, bpf } from '@weir/sys';

/** Commands of bpf(2) (`enum bpf_cmd`). */
export const COMMAND = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  mapNextKey: 4,
  programLoad: 5,
  pin: 6,
  open: 7,
  testRun: 10,
  nextProgramId: 11,
  nextMapId: 12,
  programById: 13,
  mapById: 14,
  info: 15,
  programQuery: 16,
  btfLoad: 18,
  btfById: 19,
  mapLookupAndDelete: 21,
  mapFreeze: 22,
  nextBtfId: 23,
  mapLookupBatch: 24,
  mapLookupAndDeleteBatch: 25,
  mapUpdateBatch: 26,
  mapDeleteBatch: 27,
  linkCreate: 28,
  linkUpdate: 29,
  linkById: 30,
  nextLinkId: 31,
  enableStats: 32,
  linkDetach: 34,
} as const;

/** Bytes of `union bpf_attr` that are used here; the kernel takes any length whose rest is zero. */
const LENGTH = 152;

/**
 * One `union bpf_attr`, written field by field at its byte offsets (`linux/bpf.h`). Arrays that it points at live as long as it does.
 * What the kernel writes is read from the same offsets.
 */
export class Attribute {
  readonly #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(LENGTH);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #referred: Uint8Array[] = [];
  #calls = 0;

  u32(at: number, value: number): this {
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(at: number, value: bigint): this {
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  /** Keeps an array for as long as the attribute: something else that it points at refers to it. */
  keep(bytes: Uint8Array): this {
    this.#referred.push(bytes);
    return this;
  }

  /** The address of an array; the kernel reads or writes it during `call`. */
  pointer(at: number, bytes: Uint8Array): this {
    return this.keep(bytes).u64(at, addressOf(bytes));
  }

  /** The same for an array that it refers to already, or that the caller keeps. */
  pointerAgain(at: number, bytes: Uint8Array): this {
    return this.u64(at, addressOf(bytes));
  }

  /** A text that ends with a zero, by its address. */
  text(at: number, text: string): this {
    return this.pointer(at, new TextEncoder().encode(`${text}\0`));
  }

  /** An object's name: 16 bytes in the attribute itself, the last of them zero. */
  name(at: number, name: string): this {
    this.#bytes.set(new TextEncoder().encode(objectName(name)), at);
    return this;
  }

  /** How often it was tried with success. */
  get calls(): number {
    return this.#calls;
  }

  getU32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  getU64(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }

  /** Runs the command. SystemError when it fails. May be called again. */
  call(command: number, operation = ''): number {
    const result = bpf(command, this.#bytes, operation);
    // `this`, and with it what the attribute points at, is in use until here.
    this.#calls++;
    return result;
  }
}

/** Bytes of an object's name; the kernel keeps one more for the zero. */
export const MAX_NAME = 15;

/** The name as the kernel takes it: RangeError where it has other letters than `A-Za-z0-9_.` or is longer than 15 bytes. */
export function objectName(name: string): string {
  if (!/^[A-Za-z0-9_.]{0,15}$/.test(name)) throw new RangeError(`not a name for a BPF object: ${name}`);
  return name;
}
