/** How many octets a cache line has. */
const LINE = 64;

/**
 * The shape of bit vectors: a bit for each position, in words of 64 bits (little-endian), and before them a summary, a bit for each word that has one set.
 *
 *     dense:  | summary words | words | up to a multiple of 64 octets |
 *     packed: | summary words | a u16 for each of them: how many words come before its own, up to 8 octets | the words that are not 0 | up to a multiple of 32 octets |
 *
 * Packed vectors of addresses, of which there are thousands, stay in the caches of a processor.
 */
export interface Geometry {
  /** How many positions there are: a multiple of 64. */
  readonly positions: number;
  readonly words: number;
  readonly summaryWords: number;
  /** Octets from one dense vector to the next. */
  readonly stride: number;
  /** Octets before the words of a packed vector. */
  readonly packedHead: number;
}

export const PACKED_ALIGN = 32;

export function geometryOf(positions: number): Geometry {
  const words = Math.max(1, Math.ceil(positions / 64));
  const summaryWords = Math.ceil(words / 64);
  return {
    positions: words * 64,
    words,
    summaryWords,
    stride: Math.ceil(((words + summaryWords) * 8) / LINE) * LINE,
    packedHead: summaryWords * 8 + Math.ceil(summaryWords / 4) * 8,
  };
}
