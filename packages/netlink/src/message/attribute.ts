import { DecodeError, type Reader, type Writer } from '@weir/wire/bytes';

/**
 * Netlink attributes (`struct nlattr`): length u16 (with these four bytes, without padding), type u16, value, zeros up to four bytes. The two high bits of the
 * type say that the value is nested attributes, and that it is in network order. Lengths and types are in host order; which order a value has is its own matter.
 */
export const NLA_F_NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
export const MAX_ATTRIBUTE = 0xffff;

const TEXT = new TextEncoder();
const UTF8 = new TextDecoder('utf-8', { fatal: false });

/** Calls `visit` with the type (flag bits removed) and a reader over the value of each attribute. DecodeError where a length does not fit. */
export function eachAttribute(r: Reader, visit: (type: number, value: Reader, at: number) => void): void {
  while (!r.done) {
    const at = r.pos;
    const left = r.remaining;
    const length = r.u16LE('nla_len');
    const type = r.u16LE('nla_type') & TYPE_MASK;
    if (length < 4 || length > left) throw new DecodeError(`nla_len is ${length}, ${left} bytes left`, at, 'nla_len');
    const value = r.sub(length - 4, 'attribute');
    r.skip(Math.min(r.remaining, -length & 3));
    visit(type, value, at);
  }
}

export function putU8(w: Writer, type: number, value: number): void {
  w.u16LE(5).u16LE(type).u8(value).zeros(3);
}

/** Network order. */
export function putU16(w: Writer, type: number, value: number): void {
  w.u16LE(6).u16LE(type).u16(value).zeros(2);
}

/** Network order. */
export function putU32(w: Writer, type: number, value: number): void {
  w.u16LE(8).u16LE(type).u32(value);
}

/** Host order. */
export function putU32Host(w: Writer, type: number, value: number): void {
  w.u16LE(8).u16LE(type).u32LE(value);
}

/** Network order. */
export function putU64(w: Writer, type: number, value: bigint): void {
  w.u16LE(12).u16LE(type).u64(value);
}

/** UTF-8 with a terminating NUL. RangeError when the text holds a NUL itself. */
export function putString(w: Writer, type: number, value: string): void {
  const at = openAttribute(w, type);
  if (!w.ascii(value)) {
    if (value.includes('\0')) throw new RangeError(`a name with a NUL character: ${JSON.stringify(value)}`);
    w.bytes(TEXT.encode(value));
  }
  w.u8(0);
  closeAttribute(w, at);
}

export function putBytes(w: Writer, type: number, value: Uint8Array): void {
  const at = openAttribute(w, type);
  w.bytes(value);
  closeAttribute(w, at);
}

/** Starts an attribute whose value is written next; returns its position for `closeAttribute`. */
export function openAttribute(w: Writer, type: number): number {
  const at = w.length;
  w.u16LE(0).u16LE(type);
  return at;
}

/** Starts an attribute that holds attributes. */
export function openNest(w: Writer, type: number): number {
  return openAttribute(w, type | NLA_F_NESTED);
}

/** Writes the length of the attribute opened at `at` and pads. RangeError past 65,535 bytes. */
export function closeAttribute(w: Writer, at: number): void {
  const length = w.length - at;
  if (length > MAX_ATTRIBUTE) throw new RangeError(`an attribute of ${length} bytes: at most ${MAX_ATTRIBUTE}`);
  w.setU16LE(at, length);
  w.align(4);
}

/** Text up to its NUL or the end. */
export function readString(r: Reader): string {
  const bytes = r.rest();
  const end = bytes.indexOf(0);
  return UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A copy of the value: readers are over buffers that are used again. */
export function readBytes(r: Reader): Uint8Array {
  return r.rest().slice();
}
