import { isDeepStrictEqual } from 'node:util';
import { DecodeError, printHex, Reader, Writer } from '@weir/wire/bytes';

/** For tests; not part of the package. A pure pair of functions. */
export interface Codec<T> {
  decode(r: Reader): T;
  encode(w: Writer, value: T): void;
}

export function encoded<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer(16);
  codec.encode(w, value);
  return w.finish();
}

/** Throws unless the value encodes to what decodes to it again, and that to the same bytes. */
export function expectRoundTrip<T>(codec: Codec<T>, value: T): void {
  const bytes = encoded(codec, value);
  const again = codec.decode(new Reader(bytes));
  // Cloned, so that prototypes do not matter.
  if (!isDeepStrictEqual(structuredClone(again), structuredClone(value))) throw new Error(`${shown(value)} came back as ${shown(again)}`);
  const twice = encoded(codec, again);
  if (printHex(twice) !== printHex(bytes)) throw new Error(`${printHex(bytes)} came back as ${printHex(twice)}`);
}

/** Cuts the input at every offset: throws unless the outcome is a DecodeError or a value (a cut between two attributes leaves a shorter list). */
export function expectTruncationIsNoticed(decode: (r: Reader) => unknown, bytes: Uint8Array): void {
  for (let end = 0; end < bytes.length; end++) attempt(decode, bytes.slice(0, end), `cut at ${end}`);
}

/** Changes each byte in several ways: throws unless the outcome is a DecodeError or a value. */
export function expectOnlyDecodeErrors(decode: (r: Reader) => unknown, bytes: Uint8Array): void {
  bytes.forEach((byte, i) => {
    for (const value of [0, 1, 0x7f, 0x80, 0xff, byte ^ 4]) {
      const mutated = bytes.slice();
      mutated[i] = value;
      attempt(decode, mutated, `byte ${i} = ${value}`);
    }
  });
}

function attempt(decode: (r: Reader) => unknown, bytes: Uint8Array, what: string): void {
  try {
    decode(new Reader(bytes));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw new Error(`${what}: not a DecodeError`, { cause: error });
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_name, field: unknown) => {
    if (field instanceof Uint8Array) return printHex(field);
    return typeof field === 'bigint' ? `${field}n` : field;
  });
}
