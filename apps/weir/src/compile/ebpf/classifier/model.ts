import type { Classifier } from './build.ts';
import { type DimensionTables, HEAD } from './dimension-tables.ts';
import { LEAF, NARROW, OTHER, WIDE } from './search-tree.ts';

/** A packet as a classifier sees it: by dimension a number, an address, or undefined where the packet does not have it. */
export type Values = readonly (number | { readonly family: 4 | 6; readonly value: bigint } | undefined)[];

/** The positions that are set in the vectors of all dimensions, ascending: what the program finds, read from the tables as it reads them. */
export function positionsOf({ dimensions, geometry }: Classifier, values: Values): readonly number[] {
  const vectors = dimensions.map((tables, place) => vectorAt(tables, offsetOf(tables, values[place])));
  const out: number[] = [];
  for (let word = 0; word < geometry.words; word++) {
    const summaries = vectors.map((view) => view.getBigUint64((word >> 6) * 8, true));
    if (summaries.some((summary) => ((summary >> BigInt(word & 63)) & 1n) === 0n)) continue;
    let bits = (1n << 64n) - 1n;
    for (const [place, view] of vectors.entries()) {
      const packed = dimensions[place]?.vectors.form === 'packed';
      const at = packed ? geometry.packedHead + rank(view, word, geometry.summaryWords) * 8 : (geometry.summaryWords + word) * 8;
      bits &= view.getBigUint64(at, true);
    }
    for (let bit = 0; bit < 64; bit++) if (((bits >> BigInt(bit)) & 1n) === 1n) out.push(word * 64 + bit);
  }
  return out;
}

/** How many words of a packed vector come before one. */
function rank(view: DataView, word: number, summaryWords: number): number {
  const before = view.getBigUint64((word >> 6) * 8, true) & ((1n << BigInt(word & 63)) - 1n);
  return view.getUint16(summaryWords * 8 + (word >> 6) * 2, true) + before.toString(2).replaceAll('0', '').length;
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.length);
}

function vectorAt({ vectors }: DimensionTables, offset: number): DataView {
  return viewOf(vectors.octets.subarray(offset));
}

/** Where the vector of a value is. */
function offsetOf({ dimension, lookup, search }: DimensionTables, value: Values[number]): number {
  const view = viewOf(search);
  if (lookup.kind === 'direct') return view.getUint32((typeof value === 'number' ? value : dimension.max + 1) * 4, true);
  if (value === undefined || typeof value === 'number') return view.getUint32(HEAD.missing, true) - LEAF;
  const { family, value: address } = value;
  return (family === 4 ? narrow(view, Number(address)) : wide(view, address)) - LEAF;
}

function narrow(view: DataView, key: number): number {
  let at = view.getUint32(HEAD.low, true);
  while (at < LEAF) {
    const base = view.getUint32(at + NARROW.base, true);
    const distance = (key - base) >>> 0;
    if (distance > view.getUint32(at + NARROW.span, true)) return view.getUint32(at + (key < base ? NARROW.below : NARROW.above), true);
    at = view.getUint32(at + NARROW.parts + (distance >>> view.getUint32(at + NARROW.shift, true)) * 4, true);
  }
  return at;
}

function wide(view: DataView, address: bigint): number {
  let at = view.getUint32(HEAD.high, true);
  let key = address >> 64n;
  while (at < LEAF) {
    if (at >= OTHER) {
      at -= OTHER;
      key = BigInt.asUintN(64, address);
    }
    const base = view.getBigUint64(at + WIDE.base, true);
    const distance = BigInt.asUintN(64, key - base);
    if (distance > view.getBigUint64(at + WIDE.span, true)) at = view.getUint32(at + (key < base ? WIDE.below : WIDE.above), true);
    else at = view.getUint32(at + WIDE.parts + Number(distance >> BigInt(view.getUint32(at + WIDE.shift, true))) * 4, true);
  }
  return at;
}
