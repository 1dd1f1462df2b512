import { DecodeError } from './error.ts';

/**
 * A bounds-checked cursor over bytes. All integers are big-endian (network order) unless the method says `LE`.
 * Reading past `end` throws DecodeError and leaves the position unchanged. Views share the underlying memory.
 */
export class Reader {
  readonly bytes: Uint8Array;
  /** Next byte to read, as an index into `bytes`. */
  pos: number;
  /** One past the last readable byte. */
  readonly end: number;
  readonly #view: DataView;

  /** `view` is one of the same bytes, where there is one: making it costs more than the rest. */
  constructor(bytes: Uint8Array, pos = 0, end: number = bytes.length, view?: DataView) {
    if (pos < 0 || end > bytes.length || pos > end) throw new RangeError(`Reader window ${pos}..${end} outside 0..${bytes.length}`);
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
    this.#view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.pos;
  }

  get done(): boolean {
    return this.pos >= this.end;
  }

  #take(length: number, field: string): number {
    const at = this.pos;
    if (length > this.end - at) throw new DecodeError(`${field}: needs ${length} bytes, ${this.end - at} left`, at, field);
    this.pos = at + length;
    return at;
  }

  u8(field = 'u8'): number {
    return this.#view.getUint8(this.#take(1, field));
  }

  u16(field = 'u16'): number {
    return this.#view.getUint16(this.#take(2, field));
  }

  u32(field = 'u32'): number {
    return this.#view.getUint32(this.#take(4, field));
  }

  u64(field = 'u64'): bigint {
    return this.#view.getBigUint64(this.#take(8, field));
  }

  f32(field = 'f32'): number {
    return this.#view.getFloat32(this.#take(4, field));
  }

  u16LE(field = 'u16'): number {
    return this.#view.getUint16(this.#take(2, field), true);
  }

  u32LE(field = 'u32'): number {
    return this.#view.getUint32(this.#take(4, field), true);
  }

  i32LE(field = 'i32'): number {
    return this.#view.getInt32(this.#take(4, field), true);
  }

  u64LE(field = 'u64'): bigint {
    return this.#view.getBigUint64(this.#take(8, field), true);
  }

  /** The next `length` bytes as a view (not a copy). */
  take(length: number, field = 'bytes'): Uint8Array {
    const at = this.#take(length, field);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number, field = 'padding'): void {
    this.#take(length, field);
  }

  /** A reader over the next `length` bytes, with positions in the same buffer; this reader moves past them. */
  sub(length: number, field = 'bytes'): Reader {
    const at = this.#take(length, field);
    return new Reader(this.bytes, at, at + length, this.#view);
  }

  /** Everything that is left, as a view. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }
}
