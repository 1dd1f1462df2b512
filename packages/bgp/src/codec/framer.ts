import { decodeHeader, HEADER_SIZE, MAX_EXTENDED_MESSAGE } from './header.ts';

/**
 * Cuts a byte stream into messages. Feed chunks of any size with `push`, then take messages with `next` until it returns undefined. At most one
 * message and the last chunk are held: 65,535 octets plus the chunk.
 */
export class MessageFramer {
  /** Whether messages over 4,096 octets are allowed from here on (RFC 8654); set when OPENs have been exchanged. */
  extendedMessage: boolean;
  /** An incomplete message, its first octet at 0. */
  #held: Uint8Array = new Uint8Array(0);
  #heldLength = 0;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(options: { readonly extendedMessage?: boolean } = {}) {
    this.extendedMessage = options.extendedMessage ?? false;
  }

  /** Octets received that no message has been made of yet. */
  get pending(): number {
    return this.#heldLength + this.#chunk.length - this.#at;
  }

  /** Takes over a chunk. RangeError unless `next` has returned undefined since the last one. The chunk must not change while messages from it are in use. */
  push(chunk: Uint8Array): void {
    if (this.#at < this.#chunk.length) throw new RangeError('MessageFramer: take all messages before pushing more');
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The next whole message, header included, as a view that stays valid until the next `push`. Undefined when more octets are needed. Throws BgpError as soon as
   * the 19 octets of a bad header are there; the stream cannot be used after that.
   */
  next(): Uint8Array | undefined {
    return this.#heldLength > 0 ? this.#fromHeld() : this.#fromChunk();
  }

  #fromChunk(): Uint8Array | undefined {
    const left = this.#chunk.length - this.#at;
    if (left === 0) return undefined;
    const length = left < HEADER_SIZE ? 0 : decodeHeader(this.#chunk, this.#at, this.extendedMessage).length;
    if (length === 0 || left < length) {
      this.#hold(left, Math.max(length, HEADER_SIZE));
      return undefined;
    }
    const message = this.#chunk.subarray(this.#at, this.#at + length);
    this.#at += length;
    return message;
  }

  #fromHeld(): Uint8Array | undefined {
    const missing = HEADER_SIZE - this.#heldLength;
    if (missing > 0) {
      this.#hold(Math.min(missing, this.#chunk.length - this.#at), HEADER_SIZE);
      if (this.#heldLength < HEADER_SIZE) return undefined;
    }
    const { length } = decodeHeader(this.#held, 0, this.extendedMessage);
    this.#hold(Math.min(length - this.#heldLength, this.#chunk.length - this.#at), length);
    if (this.#heldLength < length) return undefined;
    const message = this.#held.subarray(0, length);
    this.#held = new Uint8Array(0);
    this.#heldLength = 0;
    return message;
  }

  /** Moves `count` octets of the chunk to the held message, which will be `total` octets long. */
  #hold(count: number, total: number): void {
    if (this.#held.length < total) {
      const grown = new Uint8Array(Math.min(total, MAX_EXTENDED_MESSAGE));
      grown.set(this.#held.subarray(0, this.#heldLength));
      this.#held = grown;
    }
    this.#held.set(this.#chunk.subarray(this.#at, this.#at + count), this.#heldLength);
    this.#heldLength += count;
    this.#at += count;
  }
}
