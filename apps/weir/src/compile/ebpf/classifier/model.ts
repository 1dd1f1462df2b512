import { HEAD } from './address-lookup.ts';
import type { Classifier, Vectors } from './build.ts';
import type { Dimension } from './dimension.ts';
import type { DimensionTables } from './dimension-tables.ts';
import { type Forest, type Forests, ROOT_OCTETS } from './forests.ts';
import type { LaneLayout } from './lanes.ts';
import { CHILDREN, REFERENCE } from './references.ts';
import { LEAF, NARROW, OTHER, WIDE } from './search-tree.ts';

/** A packet as a classifier sees it: by dimension a number, an address, or undefined where the packet does not have it. */
export type Values = readonly (number | { readonly family: 4 | 6; readonly value: bigint } | undefined)[];

/** The positions that the tables give, ascending: what the program finds, read from the tables as it reads them. */
export function positionsOf({ tables }: Classifier, values: Values): readonly number[] {
  return tables.kind === 'trees' ? inTrees(tables, values) : inVectors(tables, values);
}

function inTrees({ layout, addresses, forests, depths, nodes, records }: Forests, given: Values): readonly number[] {
  const forest = forestOf(
    layout.lanes.map(({ dimension }) => dimension),
    given,
  );
  const words = new Array<bigint>(layout.words).fill(0n);
  for (const [place, { dimension, names, word, shift }] of layout.lanes.entries()) {
    const value = given[place];
    let number: bigint;
    if (dimension.kind === 'address') {
      const address = typeof value === 'object' ? value : undefined;
      if (forest !== 'others') number = address?.value ?? 0n;
      else number = BigInt(spanAt(addresses[place]?.search ?? new Uint8Array(12), address));
    } else {
      const plain = typeof value === 'number' ? value : dimension.max + 1;
      number = BigInt(names?.[plain] ?? plain);
    }
    words[word] = (words[word] ?? 0n) | (number << BigInt(shift));
  }
  const [nodeView, recordView] = [viewOf(nodes), viewOf(records)];
  const out: number[] = [];
  for (const tree of depths.keys()) {
    const root = (forests.indexOf(forest) * depths.length + tree) * ROOT_OCTETS;
    let at = nodeView.getUint32(root, true);
    while (at < REFERENCE.leaf) {
      const value = words[(at >>> REFERENCE.word) & 3] ?? 0n;
      const child = BigInt.asUintN(64, value << BigInt(at & 63)) >> BigInt((at >>> REFERENCE.down) & 63);
      at = nodeView.getUint32(((at >>> REFERENCE.children) * CHILDREN + Number(child)) * 4, true);
    }
    for (at -= REFERENCE.leaf; ; at += layout.words * 16) {
      const position = heldBy(layout, recordView, at, words);
      if (position !== undefined) {
        if (position < nodeView.getUint32(root + 4, true)) throw new RangeError(`position ${position} before the first of its tree`);
        out.push(position);
      }
      if (recordView.getInt32(at + 12, true) < 0) break;
    }
  }
  return out.sort((a, b) => a - b);
}

function forestOf(dimensions: readonly Dimension[], values: Values): Forest {
  const has = (name: string): boolean | undefined => {
    const place = dimensions.findIndex((dimension) => dimension.name === name);
    const value = values[place];
    return place < 0 ? undefined : typeof value === 'object' && value.family === 4;
  };
  const [source, destination] = [has('ip.src'), has('ip.dst')];
  if (source === undefined && destination === undefined) return 'others';
  if (source !== false && destination !== false) return 'ip4';
  return source ? 'source4' : 'others';
}

/** The position of a record that the values are within. */
function heldBy({ guards, free }: LaneLayout, view: DataView, at: number, words: readonly bigint[]): number | undefined {
  for (const [word, [low, high]] of guards.entries()) {
    const guard = (BigInt(high) << 32n) | BigInt(low);
    const value = words[word] ?? 0n;
    const above = value - view.getBigUint64(at + word * 16, true);
    if ((above & (view.getBigUint64(at + word * 16 + 8, true) - value) & guard) !== guard) return undefined;
  }
  const [low, high] = guards[0] ?? [0, 0];
  const first = BigInt.asUintN(64, view.getBigUint64(at, true) + ((BigInt(high) << 32n) | BigInt(low))) >> BigInt(free);
  const rest = BigInt.asUintN(64, view.getBigUint64(at + 8, true) << 1n) >> BigInt(free + 1);
  return Number(first | (64 - free < 16 ? rest << BigInt(64 - free) : 0n));
}

function spanAt(search: Uint8Array, value: { readonly family: 4 | 6; readonly value: bigint } | undefined): number {
  const view = viewOf(search);
  return (value === undefined ? view.getUint32(HEAD.missing, true) : wide(view, value.value)) - LEAF;
}

function inVectors({ dimensions, geometry }: Vectors, values: Values): readonly number[] {
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
