import type { AddressLookup } from './address-lookup.ts';
import type { EncodedVectors } from './bit-vectors.ts';
import type { Classes } from './classes.ts';
import type { Dimension } from './dimension.ts';
import { LEAF, TreeWriter, writeTree128 } from './search-tree.ts';

/** How the class of a packet is found in a search table. References are as search-tree.ts says; what is at a leaf is the offset of the class's vector. */
export type Lookup =
  /** A u32 for each value and one for packets without the field: the offset of the class's vector. */
  { readonly kind: 'direct' } | AddressLookup;

/** The tables of one dimension: constant contents of maps with one value. */
export interface DimensionTables {
  readonly dimension: Dimension;
  readonly lookup: Lookup;
  readonly search: Uint8Array<ArrayBuffer>;
  readonly vectors: EncodedVectors;
  readonly classes: number;
}

export function dimensionTables(dimension: Dimension, classes: Classes): DimensionTables {
  const { count, vectors } = classes;
  const made = dimension.kind === 'address' ? addressSearch(classes) : { search: directSearch(dimension, classes), lookup: DIRECT };
  return { dimension, vectors, classes: count, ...made };
}

const DIRECT: Lookup = { kind: 'direct' };

function directSearch({ max }: Dimension, { low, missing, vectors: { offsets } }: Classes): Uint8Array<ArrayBuffer> {
  const out = new Uint32Array(max + 2);
  for (const [i, start] of low.starts.entries()) out.fill(offsets[low.classes[i] ?? 0] ?? 0, start, low.starts[i + 1] ?? max + 1);
  out[max + 1] = offsets[missing] ?? 0;
  return new Uint8Array(out.buffer);
}

function addressSearch({ low, high, missing, vectors: { offsets } }: Classes): {
  readonly search: Uint8Array<ArrayBuffer>;
  readonly lookup: Lookup;
} {
  const leaf = (index: number): number => (LEAF | (offsets[index] ?? 0)) >>> 0;
  const writer = new TreeWriter();
  const root = writer.narrow(low.starts, low.classes.map(leaf));
  const { depth } = writer;
  const tree6 = writeTree128(writer, high.starts, high.classes.map(leaf));
  return {
    search: writer.octets([leaf(missing), root, tree6.root]),
    lookup: { kind: 'address', low: { root, depth }, high: tree6 },
  };
}
