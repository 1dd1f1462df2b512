import { DecodeError, Reader, Writer } from '@weir/wire/bytes';
import { expect } from 'vitest';

/** What every codec here is tested with: a decoded value encodes to what decodes to it again, and input that is cut short gives a DecodeError or a value. */
export interface Codec<T> {
  decode(r: Reader): T;
  encode(w: Writer, value: T): void;
}

export function encoded<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer(16);
  codec.encode(w, value);
  return w.finish();
}

export function expectRoundTrip<T>(codec: Codec<T>, value: T): void {
  const bytes = encoded(codec, value);
  const again = codec.decode(new Reader(bytes));
  expect(again).toEqual(value);
  expect(encoded(codec, again)).toEqual(bytes);
}

/** `strict`: every cut must be noticed. Otherwise one between two attributes leaves a shorter list, which may decode. */
export function expectTruncationIsNoticed(decode: (r: Reader) => unknown, bytes: Uint8Array, strict = false): void {
  for (let end = 0; end < bytes.length; end++) {
    try {
      decode(new Reader(bytes.slice(0, end)));
    } catch (error) {
      expect(error, `cut at ${end}`).toBeInstanceOf(DecodeError);
      continue;
    }
    expect(strict, `cut at ${end} went unnoticed`).toBe(false);
  }
}

/** Changes each byte in several ways; whatever is thrown must be a DecodeError. */
export function expectOnlyDecodeErrors(decode: (r: Reader) => unknown, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff, (bytes[i] ?? 0) ^ 4]) {
      const mutated = bytes.slice();
      mutated[i] = value;
      try {
        decode(new Reader(mutated));
      } catch (error) {
        expect(error, `byte ${i} = ${value}`).toBeInstanceOf(DecodeError);
      }
    }
  }
}
