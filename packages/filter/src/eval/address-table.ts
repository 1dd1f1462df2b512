import { DecodeError } from '@weir/wire/bytes';
import type { IpSet, Range } from '../ir/expr.ts';
import { canonicalInt, nextInt, previousInt } from '../ir/int.ts';
import { rangeSet } from '../ir/range-set.ts';
import type { Int } from '../scheme/index.ts';
import { MaxMindFile, type MaxMindValue } from './maxmind.ts';
import type { Value } from './value.ts';

/** What a table says of addresses: their AS number or their country. */
export type TableKind = 'asnum' | 'country';

export interface AddressTable {
  readonly kind: TableKind;
  /** Every address whose value is accepted. Addresses without a value are never among them. */
  select(accepts: (value: Value) => boolean): IpSet;
}

export type TableResult = { readonly table: AddressTable } | { readonly problem: string };

/** Steps through the tree for each of its nodes: one whose branches come together again and again would have no end of paths. */
const STEPS_A_NODE = 4;
const MORE_STEPS = 1024;
const MAX_RANGES = 8_000_000;

interface TableRange extends Range {
  readonly value: number;
}

/**
 * A table in the MaxMind DB format (GeoLite2 and its like): countries by ISO code (`country.iso_code`, or text `country_code` or `country`), or AS numbers
 * (`autonomous_system_number`, or `asn`). IPv6 addresses that stand for IPv4 ones (6to4, mapped) are in it as IPv6 only where the tree has them as such. Never throws.
 */
export function readAddressTable(bytes: Uint8Array, kind: TableKind): TableResult {
  try {
    return { table: new Walk(new MaxMindFile(bytes), kind).table() };
  } catch (error) {
    if (error instanceof DecodeError) return { problem: error.message };
    throw error;
  }
}

class Walk {
  readonly #file: MaxMindFile;
  readonly #kind: TableKind;
  readonly #values: Value[] = [];
  /** Index in `#values` by record; -1 for what has no value of this kind. */
  readonly #known = new Map<number, number>();
  readonly #indexes = new Map<string, number>();
  #steps = 0;
  #ranges = 0;

  constructor(file: MaxMindFile, kind: TableKind) {
    this.#file = file;
    this.#kind = kind;
  }

  table(): AddressTable {
    const kind = this.#kind;
    const { nodes, ipVersion } = this.#file.layout;
    const v4: TableRange[] = [];
    const v6: TableRange[] = [];
    let root = 0;
    for (let depth = 0; ipVersion === 6 && depth < 96 && root < nodes; depth++) root = this.#file.record(root, false);
    this.#collect(root, 0, 32, undefined, v4);
    if (ipVersion === 6) this.#collect(0, 0n, 128, root < nodes ? root : undefined, v6);
    const values = this.#values;
    if (values.length === 0) throw new DecodeError(`it has no ${kind === 'country' ? 'countries' : 'AS numbers'}`, 0, 'data');
    return {
      kind,
      select(accepts) {
        const accepted = values.map(accepts);
        const of = (ranges: readonly TableRange[]): IpSet['v4'] => rangeSet(ranges.filter((range) => accepted[range.value]));
        return { v4: of(v4), v6: of(v6) };
      },
    };
  }

  /** Ranges below `record` in order; `but` is a node that is left out. Neighbours of one value are one range. */
  #collect(record: number, first: Int, bits: number, but: number | undefined, out: TableRange[]): void {
    const { nodes } = this.#file.layout;
    if (++this.#steps > STEPS_A_NODE * nodes + MORE_STEPS) throw new DecodeError('the branches of its tree come together', 0, 'tree');
    if (record === nodes || record === but) return;
    if (record < nodes) {
      if (bits === 0) throw new DecodeError('its tree is deeper than an address is long', 0, 'tree');
      this.#collect(this.#file.record(record, false), first, bits - 1, but, out);
      this.#collect(this.#file.record(record, true), plus(first, bits - 1), bits - 1, but, out);
      return;
    }
    const value = this.#valueOf(record);
    if (value < 0) return;
    const last = previousInt(plus(first, bits));
    const before = out.at(-1);
    if (before && before.value === value && nextInt(before.last) === canonicalInt(first)) {
      out[out.length - 1] = { first: before.first, last, value };
      return;
    }
    if (++this.#ranges > MAX_RANGES) throw new DecodeError(`it has more than ${MAX_RANGES} ranges of addresses`, 0, 'tree');
    out.push({ first: canonicalInt(first), last, value });
  }

  #valueOf(record: number): number {
    const known = this.#known.get(record);
    if (known !== undefined) return known;
    const value = this.#kind === 'country' ? countryOf(this.#file.value(record)) : asnumOf(this.#file.value(record));
    const key = String(value);
    const index = value === undefined ? -1 : (this.#indexes.get(key) ?? this.#values.length);
    if (value !== undefined && index === this.#values.length) {
      this.#indexes.set(key, index);
      this.#values.push(typeof value === 'string' ? new TextEncoder().encode(value) : value);
    }
    this.#known.set(record, index);
    return index;
  }
}

/** The address that is 2 to the power of `bits` after this one; a number stays one, for IPv4. */
function plus(first: Int, bits: number): Int {
  return typeof first === 'number' ? first + 2 ** bits : first + (1n << BigInt(bits));
}

function get(value: MaxMindValue, key: string): MaxMindValue {
  return value instanceof Map ? value.get(key) : undefined;
}

function countryOf(value: MaxMindValue): string | undefined {
  const country = get(value, 'country');
  const code = get(country, 'iso_code') ?? get(value, 'country_code') ?? country;
  return typeof code === 'string' && code !== '' ? code : undefined;
}

function asnumOf(value: MaxMindValue): number | undefined {
  const found = get(value, 'autonomous_system_number') ?? get(value, 'asn');
  const number = typeof found === 'string' && /^AS\d{1,10}$/.test(found) ? Number(found.slice(2)) : found;
  return typeof number === 'number' && number >= 0 && number <= 0xffffffff ? number : undefined;
}
