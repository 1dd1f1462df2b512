import { BgpError, decodeHeader, HEADER_SIZE } from '../codec/index.ts';

/** A message, or octets that belong to none. */
export type Cut =
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  /** A header that ends the session, as far as it goes. */
  | { readonly kind: 'bad-header'; readonly bytes: Uint8Array }
  | { readonly kind: 'skipped'; readonly octets: number };

/**
 * Cuts one direction of a captured stream into messages. Unlike a session it may start anywhere and lose octets: it then looks for the next marker with a sensible length and type after it.
 * Holds at most one message and one segment.
 */
export class MessageStream {
  #held: Uint8Array = new Uint8Array(256);
  #length = 0;
  #synchronized = false;
  #skipped = 0;
  /** Whether the octets so far are in step with the messages: a bad header after that is the sender's doing. */
  #certain = false;

  /** The stream starts here with a message: the connection was seen to open. */
  begin(): void {
    this.#length = 0;
    this.#synchronized = true;
    this.#certain = true;
    this.#skipped = 0;
  }

  /** Octets are missing here. */
  lose(): Cut[] {
    const octets = this.pending;
    this.#length = 0;
    this.#skipped = 0;
    this.#synchronized = false;
    this.#certain = false;
    return octets > 0 ? [{ kind: 'skipped', octets }] : [];
  }

  /** Octets that no message has been made of. */
  get pending(): number {
    return this.#length + this.#skipped;
  }

  push(data: Uint8Array): Cut[] {
    const out: Cut[] = [];
    const bytes = this.#append(data);
    let at = 0;
    while (true) {
      if (!this.#synchronized) {
        const found = findHeader(bytes, at);
        this.#skipped += found.at - at;
        at = found.at;
        if (!found.whole) break;
        if (this.#skipped > 0) out.push({ kind: 'skipped', octets: this.#skipped });
        this.#skipped = 0;
        this.#synchronized = true;
      }
      if (bytes.length - at < HEADER_SIZE) break;
      const length = lengthAt(bytes, at);
      if (length === undefined) {
        if (this.#certain) out.push({ kind: 'bad-header', bytes: bytes.slice(at, at + HEADER_SIZE) });
        this.#synchronized = false;
        this.#certain = false;
        at++;
        this.#skipped++;
        continue;
      }
      if (bytes.length - at < length) break;
      out.push({ kind: 'message', bytes: bytes.slice(at, at + length) });
      this.#certain = true;
      at += length;
    }
    this.#held.copyWithin(0, at, this.#length);
    this.#length -= at;
    return out;
  }

  /** All octets held, these last. */
  #append(data: Uint8Array): Uint8Array {
    const need = this.#length + data.length;
    if (need > this.#held.length) {
      const grown = new Uint8Array(Math.max(need, 2 * this.#held.length));
      grown.set(this.#held.subarray(0, this.#length));
      this.#held = grown;
    }
    this.#held.set(data, this.#length);
    this.#length = need;
    return this.#held.subarray(0, need);
  }
}

/** The length that a header states, or undefined when it is not one. */
function lengthAt(bytes: Uint8Array, at: number): number | undefined {
  try {
    return decodeHeader(bytes, at, true).length;
  } catch (error) {
    if (error instanceof BgpError) return undefined;
    throw error;
  }
}

/** The first place from which on there is a header, or might be one when more octets come. */
function findHeader(bytes: Uint8Array, from: number): { readonly at: number; readonly whole: boolean } {
  for (let at = from; at < bytes.length; at++) {
    let marker = 0;
    while (marker < 16 && at + marker < bytes.length && bytes[at + marker] === 0xff) marker++;
    if (at + marker === bytes.length || (marker === 16 && bytes.length - at < HEADER_SIZE)) return { at, whole: false };
    if (marker === 16) {
      if (lengthAt(bytes, at) !== undefined) return { at, whole: true };
    } else at += marker;
  }
  return { at: bytes.length, whole: false };
}
