import type { AttributeScan, DecodedAttributes } from './attribute-list.ts';
import type { SessionContext } from './types.ts';

/** Attribute bytes longer than this are not kept. */
const MAX_CACHED = 512;

interface Entry {
  readonly hash: number;
  readonly decoded: DecodedAttributes;
}

/**
 * Remembers the path attributes of recent UPDATEs by their bytes, so that a set of attributes that comes again is not decoded again and is the same object. One for each session:
 * the same bytes mean something else in another context, so a change of context empties it. Only attributes without errors are kept, and only when they come a second time:
 * a table whose routes all differ leaves nothing behind. Holds at most `slots` sets
 * (a power of two) of at most 512 octets: with the default 2,048 about 1 MB of bytes and as much again of decoded values.
 */
export class AttributeCache {
  readonly #slots: number;
  readonly #mask: number;
  /** Made when there is something to keep: of many sessions most say nothing. */
  #entries: (Entry | undefined)[] = [];
  /** The hash that came last in each slot. */
  #met: Uint32Array = new Uint32Array(0);
  #context: SessionContext | undefined;

  constructor(slots = 2048) {
    if (slots < 1 || (slots & (slots - 1)) !== 0) throw new RangeError(`AttributeCache: ${slots} slots is not a power of two`);
    this.#slots = slots;
    this.#mask = slots - 1;
  }

  /** What was decoded from the same bytes in the same context, or undefined. */
  find(bytes: Uint8Array, scan: AttributeScan, context: SessionContext): DecodedAttributes | undefined {
    if (context !== this.#context) return undefined;
    const entry = this.#entries[this.#slot(scan.hash)];
    return entry !== undefined && entry.hash === scan.hash && sameBytes(bytes, scan.ranges, entry.decoded.raw) ? entry.decoded : undefined;
  }

  /** Offers attributes that `find` did not have. */
  store(scan: AttributeScan, context: SessionContext, decoded: DecodedAttributes): void {
    if (decoded.raw.length > MAX_CACHED) return;
    if (context !== this.#context) {
      this.#entries = new Array<Entry | undefined>(this.#slots).fill(undefined);
      if (this.#met.length === 0) this.#met = new Uint32Array(this.#slots);
      this.#context = context;
    }
    const slot = this.#slot(scan.hash);
    if (this.#met[slot] === scan.hash) this.#entries[slot] = { hash: scan.hash, decoded };
    else this.#met[slot] = scan.hash;
  }

  #slot(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}

function sameBytes(bytes: Uint8Array, ranges: readonly number[], raw: Uint8Array): boolean {
  let k = 0;
  for (let r = 0; r < ranges.length; r += 2) {
    const end = ranges[r + 1] as number;
    for (let i = ranges[r] as number; i < end; i++, k++) if (bytes[i] !== raw[k]) return false;
  }
  return k === raw.length;
}
