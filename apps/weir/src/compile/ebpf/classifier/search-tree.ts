/**
 * A search tree in an array of words, which finds the span that a value lies in. A node divides what it covers into parts of 2^shift values; a part with a boundary inside is a node
 * again. All nodes begin at a multiple of 32 octets, so that one for a single address is within a cache line.
 *
 *     narrow (keys of 32 bits): | base | span | below | above | shift | part 0 | part 1 ..
 *     wide (keys of 64 bits):   | base, 2 words | span, 2 words | below | above | shift | part 0 | part 1 ..
 *
 * A node covers base to base + span; `below` and `above` are for keys outside. These two and the parts are references: LEAF and what is at the leaf; the offset of a node in octets; OTHER and
 * the offset of a node in which the search goes on with the other half of the key.
 */
export const LEAF = 0x8000_0000;
export const OTHER = 0x4000_0000;
/** Offsets of nodes, and what is at leaves, are less. */
export const MOST_OFFSET: number = OTHER;

export const NARROW = { base: 0, span: 4, below: 8, above: 12, shift: 16, parts: 20 } as const;
export const WIDE = { base: 0, span: 8, below: 16, above: 20, shift: 24, parts: 28 } as const;

const ALIGN = 8;
/** So many parts for each boundary inside, as long as they are not too many. */
const PARTS_A_BOUNDARY = 4;
const MOST_PARTS = 256;
const MOST_PARTS_ROOT = 65_536;

/** Writes trees one after the other into one array. */
export class TreeWriter {
  #words = new Uint32Array(1024);
  /** The first words are the caller's. */
  #used = ALIGN;
  #depth = 0;

  /** The nodes that one search passes at most, of all trees written since `startDepth`. */
  get depth(): number {
    return this.#depth;
  }

  startDepth(): void {
    this.#depth = 0;
  }

  /** The eight words before the trees, and these. */
  octets(head: readonly number[]): Uint8Array<ArrayBuffer> {
    this.#words.set(head.slice(0, ALIGN));
    return new Uint8Array(this.#words.slice(0, this.#used).buffer);
  }

  /** A tree over keys of 32 bits: `references[i]` is for `starts[i]` up to the next start. The first start is 0. Returns the reference to its root. */
  narrow(starts: readonly number[], references: readonly number[]): number {
    return this.#narrow(starts, references, 1, starts.length, 1);
  }

  /** The same over keys of 64 bits. `levels` are above it. */
  wide(starts: readonly bigint[], references: readonly number[]): number {
    return this.#wide(starts, references, 1, starts.length, 1);
  }

  /** A node for the boundaries from `from` up to `to`. */
  #narrow(starts: readonly number[], references: readonly number[], from: number, to: number, level: number): number {
    const below = references[from - 1] ?? 0;
    const base = starts[from];
    if (from >= to || base === undefined) return below;
    if (level > this.#depth) this.#depth = level;
    const above = references[to - 1] ?? 0;
    // The values between the first boundary and the last; one boundary is as good as two that are next to each other.
    const span = to - from === 1 ? 0 : (starts[to - 1] ?? 0) - 1 - base;
    const limit = mostParts(to - from, level);
    let shift = 0;
    while (Math.floor(span / 2 ** shift) >= limit) shift++;
    const size = 2 ** shift;
    const parts = Math.floor(span / size) + 1;
    const at = this.#reserve(5 + parts);
    let next = from;
    for (let part = 0; part < parts; part++) {
      const low = base + part * size;
      const high = Math.min(low + size - 1, base + span);
      // The boundary at the beginning of a part is not inside.
      while (next < to && (starts[next] ?? 0) <= low) next++;
      const first = next;
      while (next < to && (starts[next] ?? 0) <= high) next++;
      const reference = first === next ? (references[next - 1] ?? 0) : this.#narrow(starts, references, first, next, level + 1);
      this.#words[at + 5 + part] = reference;
    }
    this.#words.set([base, span, below, above, shift], at);
    return at * 4;
  }

  #wide(starts: readonly bigint[], references: readonly number[], from: number, to: number, level: number): number {
    const below = references[from - 1] ?? 0;
    const base = starts[from];
    if (from >= to || base === undefined) return below;
    if (level > this.#depth) this.#depth = level;
    const above = references[to - 1] ?? 0;
    const span = to - from === 1 ? 0n : (starts[to - 1] ?? 0n) - 1n - base;
    const limit = BigInt(mostParts(to - from, level));
    let shift = 0n;
    while (span >> shift >= limit) shift++;
    const parts = Number(span >> shift) + 1;
    const at = this.#reserve(7 + parts);
    let next = from;
    for (let part = 0; part < parts; part++) {
      const low = base + (BigInt(part) << shift);
      const end = low + (1n << shift) - 1n;
      const high = end < base + span ? end : base + span;
      while (next < to && (starts[next] ?? 0n) <= low) next++;
      const first = next;
      while (next < to && (starts[next] ?? 0n) <= high) next++;
      const reference = first === next ? (references[next - 1] ?? 0) : this.#wide(starts, references, first, next, level + 1);
      this.#words[at + 7 + part] = reference;
    }
    const word = (value: bigint, by: bigint): number => Number((value >> by) & 0xffff_ffffn);
    this.#words.set([word(base, 0n), word(base, 32n), word(span, 0n), word(span, 32n), below, above, Number(shift)], at);
    return at * 4;
  }

  #reserve(words: number): number {
    const at = this.#used;
    const end = Math.ceil((at + words) / ALIGN) * ALIGN;
    if (end * 4 >= MOST_OFFSET) throw new RangeError('a search tree of 1 GiB');
    if (end > this.#words.length) {
      const larger = new Uint32Array(Math.max(end, this.#words.length * 2));
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#used = end;
    return at;
  }
}

function mostParts(boundaries: number, level: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(boundaries * PARTS_A_BOUNDARY));
  return Math.min(wanted, level === 1 ? MOST_PARTS_ROOT : MOST_PARTS);
}

/** Addresses of 128 bits as keys of 64: a tree over the upper halves; where boundaries are inside one of them, a tree over the lower halves. */
export function writeTree128(
  writer: TreeWriter,
  starts: readonly bigint[],
  references: readonly number[],
): { readonly root: number; readonly upper: number; readonly lower: number } {
  const upper: { readonly starts: bigint[]; readonly references: number[] } = { starts: [], references: [] };
  const put = (start: bigint, reference: number): void => {
    if (upper.starts.at(-1) === start) upper.references[upper.references.length - 1] = reference;
    else {
      upper.starts.push(start);
      upper.references.push(reference);
    }
  };
  writer.startDepth();
  for (let i = 0; i < starts.length; ) {
    const half = (starts[i] ?? 0n) >> 64n;
    let next = i + 1;
    while (next < starts.length && (starts[next] ?? 0n) >> 64n === half) next++;
    const first = (starts[i] ?? 0n) & LOW;
    if (next === i + 1 && first === 0n) put(half, references[i] ?? 0);
    else {
      const lowStarts = starts.slice(i, next).map((start) => start & LOW);
      const lowReferences = references.slice(i, next);
      if (first > 0n) {
        lowStarts.unshift(0n);
        lowReferences.unshift(references[i - 1] ?? 0);
      }
      put(half, (writer.wide(lowStarts, lowReferences) | OTHER) >>> 0);
      if (half < LOW) put(half + 1n, references[next - 1] ?? 0);
    }
    i = next;
  }
  const lower = writer.depth;
  writer.startDepth();
  const root = writer.wide(upper.starts, upper.references);
  return { root, upper: writer.depth, lower };
}

const LOW = (1n << 64n) - 1n;
