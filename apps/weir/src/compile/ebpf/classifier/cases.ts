import { type Dimension, isEmptyRegion, type Region } from './dimension.ts';
import type { Lane, LaneLayout } from './lanes.ts';
import type { Entry } from './plan.ts';

/** What of an address packets of one forest have. */
export type AddressForm =
  /** The IPv4 address itself. */
  | { readonly kind: 'ip4' }
  /** None: the lane is 0. */
  | { readonly kind: 'none' }
  /** The number of the span that an IPv6 address is in; of a packet without one, how many there are. */
  | { readonly kind: 'span'; readonly starts: readonly bigint[] };

/** Entries as boxes, for the packets of one forest: by lane the least and the greatest value. Ascending by position. */
export interface Cases {
  readonly count: number;
  readonly least: readonly Uint32Array[];
  readonly greatest: readonly Uint32Array[];
  readonly positions: Uint32Array;
}

/** Least and greatest, one after the other. */
type Ranges = readonly number[];

const END4 = 0xffff_ffff;

/** The boxes of the entries; undefined when there would be more than `most`. */
export function casesOf(
  entries: readonly Entry[],
  { lanes }: LaneLayout,
  forms: readonly (AddressForm | undefined)[],
  most: number,
): Cases | undefined {
  const writer = new CaseWriter(lanes.length, entries.length);
  const known = lanes.map(() => new Map<Region | undefined, Ranges>());
  const ranges = new Array<Ranges>(lanes.length);
  for (const [index, { regions }] of entries.entries()) {
    if (isElsewhere(regions, forms)) continue;
    let product = 1;
    for (let place = 0; place < lanes.length; place++) {
      const region = regions[place];
      let made = region && forms[place]?.kind === 'ip4' ? lowRanges(region) : known[place]?.get(region);
      if (made === undefined) {
        made = rangesOf(lanes[place] as Lane, forms[place], region);
        known[place]?.set(region, made);
      }
      ranges[place] = made;
      product *= made.length / 2;
    }
    if (writer.count + product > most) return undefined;
    writer.write(ranges, product, index);
  }
  return writer;
}

/** Whether no packet with addresses of these forms is in all of the regions, for most as can be told at once. */
function isElsewhere(regions: Entry['regions'], forms: readonly (AddressForm | undefined)[]): boolean {
  for (let place = 0; place < forms.length; place++) {
    const form = forms[place];
    const region = regions[place];
    if (form === undefined || region === undefined || region.missing) continue;
    if (form.kind === 'ip4' ? region.low.length === 0 : form.kind === 'none' || region.high.length === 0) return true;
  }
  return false;
}

/** Every range of a lane with every range of the others. */
class CaseWriter implements Cases {
  count = 0;
  readonly least: Uint32Array[];
  readonly greatest: Uint32Array[];
  positions: Uint32Array;

  constructor(lanes: number, room: number) {
    this.least = Array.from({ length: lanes }, () => new Uint32Array(room));
    this.greatest = this.least.map(() => new Uint32Array(room));
    this.positions = new Uint32Array(room);
  }

  write(ranges: readonly Ranges[], product: number, position: number): void {
    while (this.count + product > this.positions.length) this.#grow();
    for (let one = 0; one < product; one++) {
      const at = this.count++;
      let rest = one;
      for (let place = 0; place < ranges.length; place++) {
        const made = ranges[place] as Ranges;
        let pick = 0;
        if (made.length > 2) {
          pick = (rest % (made.length / 2)) * 2;
          rest = Math.floor(rest / (made.length / 2));
        }
        (this.least[place] as Uint32Array)[at] = made[pick] as number;
        (this.greatest[place] as Uint32Array)[at] = made[pick + 1] as number;
      }
      this.positions[at] = position;
    }
  }

  #grow(): void {
    for (const all of [this.least, this.greatest]) for (const [place, values] of all.entries()) all[place] = larger(values);
    this.positions = larger(this.positions);
  }
}

function larger(values: Uint32Array): Uint32Array {
  const out = new Uint32Array(values.length * 2 + 64);
  out.set(values);
  return out;
}

/** What regions take of plain values: rules that stay keep their regions. */
const LOW = new WeakMap<Region, Ranges>();

function lowRanges(region: Region): Ranges {
  const known = LOW.get(region);
  if (known) return known;
  const made: number[] = [];
  for (const { first, last } of region.low) made.push(Number(first), Number(last));
  LOW.set(region, made);
  return made;
}

function rangesOf({ dimension, names }: Lane, form: AddressForm | undefined, region: Region | undefined): Ranges {
  if (region && isEmptyRegion(region)) return [];
  if (dimension.kind === 'address') return addressRanges(form, region);
  if (names) return namedRanges(names, dimension, region);
  if (!region) return [0, dimension.max + 1];
  return region.missing ? withMissing([...lowRanges(region)], dimension.max + 1) : lowRanges(region);
}

/** With the value of packets that do not have the field, which follows that of all others. */
function withMissing(ranges: number[], missing: number): Ranges {
  if (ranges.at(-1) === missing - 1) ranges[ranges.length - 1] = missing;
  else ranges.push(missing, missing);
  return ranges;
}

function addressRanges(form: AddressForm | undefined, region: Region | undefined): Ranges {
  if (form === undefined || form.kind === 'none') return region === undefined || region.missing ? [0, END4] : [];
  if (form.kind === 'ip4') return region ? lowRanges(region) : [0, END4];
  const { starts } = form;
  if (!region) return [0, starts.length];
  const out: number[] = [];
  for (const { first, last } of region.high) out.push(spanOf(starts, BigInt(first)), spanOf(starts, BigInt(last)));
  return region.missing ? withMissing(out, starts.length) : out;
}

/** The last start that is no more than the value. */
function spanOf(starts: readonly bigint[], value: bigint): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0n) <= value) low = middle;
    else high = middle;
  }
  return low;
}

function namedRanges(names: Uint32Array, { max }: Dimension, region: Region | undefined): Ranges {
  const taken = new Set<number>();
  if (!region || region.missing) taken.add(names[max + 1] ?? 0);
  for (const { first, last } of region ? region.low : [{ first: 0, last: max }])
    for (let value = Number(first); value <= Number(last); value++) taken.add(names[value] ?? 0);
  const out: number[] = [];
  for (const name of [...taken].sort((a, b) => a - b)) {
    if (out.at(-1) === name - 1) out[out.length - 1] = name;
    else out.push(name, name);
  }
  return out;
}

/** Where the IPv6 values that entries tell apart begin: 0 and on. */
export function startsOf(entries: readonly Entry[], place: number): readonly bigint[] {
  const starts = new Set<bigint>([0n]);
  const seen = new Set<Region>();
  for (const { regions } of entries) {
    const region = regions[place];
    if (!region || region.high.length === 0 || seen.has(region)) continue;
    seen.add(region);
    for (const { first, last } of region.high) {
      starts.add(BigInt(first));
      if (BigInt(last) < END6) starts.add(BigInt(last) + 1n);
    }
  }
  return [...starts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

const END6 = (1n << 128n) - 1n;
