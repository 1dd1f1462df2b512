/**
 * A growing byte buffer. Integers are big-endian (network order) unless the method says `LE`; values are taken modulo their width.
 * `finish()` returns a view of what was written; `reset()` makes the buffer usable again without giving it back.
 */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Makes room and returns where it begins. It may replace buffer and view: read them only after it. */
  #reserve(extra: number): number {
    const at = this.#length;
    const need = at + extra;
    if (need > this.#bytes.length) {
      let capacity = Math.max(64, this.#bytes.length * 2);
      while (capacity < need) capacity *= 2;
      const grown = new Uint8Array(capacity);
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = need;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  f32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setFloat32(at, value);
    return this;
  }

  u16LE(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32LE(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  i32LE(value: number): this {
    const at = this.#reserve(4);
    this.#view.setInt32(at, value, true);
    return this;
  }

  u64LE(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Text of ASCII characters without a NUL. False, and nothing written, when it is not that. */
  ascii(value: string): boolean {
    const start = this.#length;
    const at = this.#reserve(value.length);
    const bytes = this.#bytes;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code === 0 || code > 127) {
        this.#length = start;
        return false;
      }
      bytes[at + i] = code;
    }
    return true;
  }

  zeros(count: number): this {
    const at = this.#reserve(count);
    this.#bytes.fill(0, at, at + count);
    return this;
  }

  /** Pads with zeros up to a multiple of `alignment`, counted from the start of the buffer. */
  align(alignment: number): this {
    const over = this.#length % alignment;
    return over === 0 ? this : this.zeros(alignment - over);
  }

  setU8(at: number, value: number): void {
    this.#view.setUint8(this.#within(at, 1), value);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(this.#within(at, 2), value);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(this.#within(at, 4), value);
  }

  setU16LE(at: number, value: number): void {
    this.#view.setUint16(this.#within(at, 2), value, true);
  }

  setU32LE(at: number, value: number): void {
    this.#view.setUint32(this.#within(at, 4), value, true);
  }

  #within(at: number, width: number): number {
    if (at < 0 || at + width > this.#length) throw new RangeError(`Writer patch at ${at} outside 0..${this.#length}`);
    return at;
  }

  /** Drops everything after `length` bytes; used to give up a half-written element. */
  truncate(length: number): void {
    if (length < 0 || length > this.#length) throw new RangeError(`Writer cannot grow to ${length} by truncation`);
    this.#length = length;
  }

  reset(): void {
    this.#length = 0;
  }

  /** A view of what was written; valid until the next write or reset. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}
