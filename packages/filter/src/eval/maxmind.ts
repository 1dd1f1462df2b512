import { DecodeError, Reader } from '@weir/wire/bytes';

/** A value of the data section. Numbers beyond 53 bits and floating point are not needed of tables of addresses: they are undefined. */
export type MaxMindValue = string | number | boolean | undefined | readonly MaxMindValue[] | ReadonlyMap<string, MaxMindValue>;

/** What the end of the file says of the rest. */
export interface MaxMindLayout {
  readonly nodes: number;
  /** Bits of one record of a node: 24, 28 or 32. */
  readonly recordBits: number;
  /** 6: IPv4 addresses are below ::/96. */
  readonly ipVersion: number;
  readonly type: string;
}

/** What comes before the metadata, and how much of the file's end is looked through for it. */
const MARKER = new Uint8Array([0xab, 0xcd, 0xef, ...new TextEncoder().encode('MaxMind.com')]);
const MAX_METADATA = 128 * 1024;
/** Octets between tree and data. */
const GAP = 16;
const MAX_DEPTH = 32;
/** Members of maps and arrays in one record. */
const MAX_MEMBERS = 10_000;
const text = new TextDecoder();

/**
 * A file in the MaxMind DB format, version 2: a binary tree whose leaves are places in a section of data.
 *
 *     tree (nodes of two records) | 16 zero octets | data | marker | metadata (one map)
 *
 * DecodeError for a file that is none; values are read when they are asked for.
 */
export class MaxMindFile {
  readonly layout: MaxMindLayout;
  readonly #bytes: Uint8Array;
  readonly #dataStart: number;
  readonly #dataEnd: number;
  readonly #nodeBytes: number;

  constructor(bytes: Uint8Array) {
    const marker = findMarker(bytes);
    if (marker < 0) throw new DecodeError('there is no MaxMind metadata in it', 0, 'metadata');
    const metadata = decodeValue(bytes, marker + MARKER.length, marker + MARKER.length, bytes.length).value;
    this.layout = layoutOf(metadata, marker);
    this.#bytes = bytes;
    this.#nodeBytes = this.layout.recordBits / 4;
    this.#dataStart = this.layout.nodes * this.#nodeBytes + GAP;
    this.#dataEnd = marker;
    if (this.#dataStart > marker) throw new DecodeError(`the tree of ${this.layout.nodes} nodes is not all there`, marker, 'tree');
  }

  /** One of the two records of a node: the number of a node, `nodes` for no data, more for a place in the data. */
  record(node: number, right: boolean): number {
    const at = node * this.#nodeBytes;
    const b = (i: number): number => this.#bytes[at + i] ?? 0;
    switch (this.layout.recordBits) {
      case 24:
        return right ? b(3) * 65536 + b(4) * 256 + b(5) : b(0) * 65536 + b(1) * 256 + b(2);
      case 28:
        // The middle octet has the top four bits of both.
        return right
          ? (b(3) & 0x0f) * 0x1000000 + b(4) * 65536 + b(5) * 256 + b(6)
          : (b(3) >> 4) * 0x1000000 + b(0) * 65536 + b(1) * 256 + b(2);
      default:
        return right ? b(4) * 0x1000000 + b(5) * 65536 + b(6) * 256 + b(7) : b(0) * 0x1000000 + b(1) * 65536 + b(2) * 256 + b(3);
    }
  }

  /** The value that a record greater than `nodes` leads to. DecodeError where there is none. */
  value(record: number): MaxMindValue {
    const at = this.#dataStart + record - this.layout.nodes - GAP;
    if (at < this.#dataStart || at >= this.#dataEnd) throw new DecodeError(`record ${record} leads out of the data`, 0, 'record');
    return decodeValue(this.#bytes, at, this.#dataStart, this.#dataEnd).value;
  }
}

function findMarker(bytes: Uint8Array): number {
  const least = Math.max(0, bytes.length - MAX_METADATA);
  for (let at = bytes.length - MARKER.length; at >= least; at--) {
    if (bytes[at] === MARKER[0] && MARKER.every((octet, i) => bytes[at + i] === octet)) return at;
  }
  return -1;
}

function layoutOf(metadata: MaxMindValue, at: number): MaxMindLayout {
  const get = (key: string): MaxMindValue => (metadata instanceof Map ? metadata.get(key) : undefined);
  const number = (key: string): number => {
    const value = get(key);
    if (typeof value !== 'number') throw new DecodeError(`its metadata has no ${key}`, at, key);
    return value;
  };
  const version = number('binary_format_major_version');
  if (version !== 2) throw new DecodeError(`version ${version} of the format is not known`, at, 'binary_format_major_version');
  const recordBits = number('record_size');
  if (recordBits !== 24 && recordBits !== 28 && recordBits !== 32)
    throw new DecodeError(`records of ${recordBits} bits are not known`, at, 'record_size');
  const ipVersion = number('ip_version');
  if (ipVersion !== 4 && ipVersion !== 6) throw new DecodeError(`IP version ${ipVersion} is not known`, at, 'ip_version');
  const nodes = number('node_count');
  if (!Number.isSafeInteger(nodes) || nodes < 1) throw new DecodeError(`${nodes} nodes are no tree`, at, 'node_count');
  const type = get('database_type');
  return { nodes, recordBits, ipVersion, type: typeof type === 'string' ? type : '' };
}

/** The value at `at`; pointers count from `base`. */
function decodeValue(bytes: Uint8Array, at: number, base: number, end: number): { readonly value: MaxMindValue } {
  return { value: new ValueReader(bytes, base, end).read(at).value };
}

class ValueReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #end: number;
  readonly #view: DataView;
  #members = 0;

  constructor(bytes: Uint8Array, base: number, end: number) {
    this.#bytes = bytes;
    this.#base = base;
    this.#end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(at: number, depth = 0): { readonly value: MaxMindValue; readonly next: number } {
    if (depth > MAX_DEPTH) throw new DecodeError(`values lie more than ${MAX_DEPTH} deep in each other`, at, 'data');
    if (++this.#members > MAX_MEMBERS) throw new DecodeError(`one record has more than ${MAX_MEMBERS} values`, at, 'data');
    if (at < this.#base || at > this.#end) throw new DecodeError('a pointer leads out of the data', at, 'pointer');
    const reader = new Reader(this.#bytes, at, this.#end, this.#view);
    const control = reader.u8('control octet');
    const kind = control >> 5;
    if (kind === 1) {
      const target = this.#base + pointer(control, reader);
      // What a pointer leads to is no pointer.
      if ((this.#bytes[target] ?? 0x20) >> 5 === 1) throw new DecodeError('a pointer leads to a pointer', at, 'pointer');
      return { value: this.read(target, depth + 1).value, next: reader.pos };
    }
    const type = kind === 0 ? reader.u8('type') + 7 : kind;
    const size = sizeOf(control & 0x1f, reader);
    switch (type) {
      case TYPE.text:
        return { value: text.decode(reader.take(size)), next: reader.pos };
      case TYPE.u16:
      case TYPE.u32:
      case TYPE.u64:
        return { value: unsigned(reader.take(size)), next: reader.pos };
      case TYPE.map:
        return this.#map(reader.pos, size, depth);
      case TYPE.array:
        return this.#array(reader.pos, size, depth);
      case TYPE.bool:
        return { value: size === 1, next: reader.pos };
      default:
        reader.take(size);
        return { value: undefined, next: reader.pos };
    }
  }

  #map(start: number, size: number, depth: number): { readonly value: MaxMindValue; readonly next: number } {
    const map = new Map<string, MaxMindValue>();
    let at = start;
    for (let i = 0; i < size; i++) {
      const key = this.read(at, depth + 1);
      if (typeof key.value !== 'string') throw new DecodeError('a key is no text', at, 'map');
      const one = this.read(key.next, depth + 1);
      map.set(key.value, one.value);
      at = one.next;
    }
    return { value: map, next: at };
  }

  #array(start: number, size: number, depth: number): { readonly value: MaxMindValue; readonly next: number } {
    const items: MaxMindValue[] = [];
    let at = start;
    for (let i = 0; i < size; i++) {
      const one = this.read(at, depth + 1);
      items.push(one.value);
      at = one.next;
    }
    return { value: items, next: at };
  }
}

const TYPE = { text: 2, u16: 5, u32: 6, map: 7, u64: 9, array: 11, bool: 14 } as const;

function pointer(control: number, reader: Reader): number {
  const high = control & 7;
  switch ((control >> 3) & 3) {
    case 0:
      return high * 256 + reader.u8('pointer');
    case 1:
      return high * 65536 + reader.u16('pointer') + 2048;
    case 2:
      return high * 0x1000000 + reader.u8('pointer') * 65536 + reader.u16('pointer') + 526_336;
    default:
      return reader.u32('pointer');
  }
}

function sizeOf(small: number, reader: Reader): number {
  if (small < 29) return small;
  if (small === 29) return 29 + reader.u8('size');
  if (small === 30) return 285 + reader.u16('size');
  return 65_821 + reader.u8('size') * 65536 + reader.u16('size');
}

function unsigned(octets: Uint8Array): number | undefined {
  let value = 0;
  for (const octet of octets) value = value * 256 + octet;
  return Number.isSafeInteger(value) ? value : undefined;
}
