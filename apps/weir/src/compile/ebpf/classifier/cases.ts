import { type Dimension, isEmptyRegion, type Region } from './dimension.ts';
import type { Span } from './kept-spans.ts';
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
  /** Cases that are the same in lists that come one after the other have one number, which no other case has. */
  readonly ids: Uint32Array;
  /** By entry: its first case, or that of the next entry that has one. One more than there are entries. */
  readonly starts: Int32Array;
}

/** Numbers for cases. */
export interface CaseIds {
  next: number;
}

export interface CaseOptions {
  readonly layout: LaneLayout;
  readonly forms: readonly (AddressForm | undefined)[];
  readonly ids: CaseIds;
  /** What was made last of the same layout and forms, and the entries that have stayed. */
  readonly before?: { readonly cases: Cases; readonly spans: readonly Span[] } | undefined;
}

/** Least and greatest, one after the other. */
type Ranges = readonly number[];

const END4 = 0xffff_ffff;

/** The boxes of the entries; undefined when there would be more than `most`. */
export function casesOf(entries: readonly Entry[], most: number, { layout, forms, ids, before }: CaseOptions): Cases | undefined {
  const { lanes } = layout;
  const writer = new CaseWriter(lanes.length, entries.length, before ? before.cases.count + 64 : entries.length);
  const known = lanes.map(() => new Map<Region | undefined, Ranges>());
  const ranges = new Array<Ranges>(lanes.length);
  const write = (index: number): boolean => {
    const { regions } = entries[index] as Entry;
    writer.starts[index] = writer.count;
    if (isElsewhere(regions, forms)) return true;
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
    if (writer.count + product > most) return false;
    writer.write(ranges, product, { position: index, ids });
    return true;
  };
  let next = 0;
  for (const span of [...(before?.spans ?? []), { from: 0, to: entries.length, count: 0 }]) {
    for (; next < span.to; next++) if (!write(next)) return undefined;
    if (before) writer.copy(before.cases, span);
    if (writer.count > most) return undefined;
    next += span.count;
  }
  writer.starts[entries.length] = writer.count;
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
  readonly starts: Int32Array;
  positions: Uint32Array;
  ids: Uint32Array;

  constructor(lanes: number, entries: number, room: number) {
    this.least = Array.from({ length: lanes }, () => new Uint32Array(room));
    this.greatest = this.least.map(() => new Uint32Array(room));
    this.positions = new Uint32Array(room);
    this.ids = new Uint32Array(room);
    this.starts = new Int32Array(entries + 1);
  }

  write(ranges: readonly Ranges[], product: number, { position, ids }: { readonly position: number; readonly ids: CaseIds }): void {
    this.#makeRoom(product);
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
      this.ids[at] = ids.next++;
    }
  }

  /** The cases of entries that have stayed. */
  copy(cases: Cases, { from, to, count }: Span): void {
    const [first, behind] = [cases.starts[from] ?? 0, cases.starts[from + count] ?? 0];
    this.#makeRoom(behind - first);
    const at = this.count;
    for (const [place, values] of this.least.entries()) values.set((cases.least[place] as Uint32Array).subarray(first, behind), at);
    for (const [place, values] of this.greatest.entries()) values.set((cases.greatest[place] as Uint32Array).subarray(first, behind), at);
    this.ids.set(cases.ids.subarray(first, behind), at);
    for (let one = first; one < behind; one++) this.positions[at + one - first] = (cases.positions[one] as number) + to - from;
    for (let i = 0; i < count; i++) this.starts[to + i] = (cases.starts[from + i] as number) + at - first;
    this.count = at + behind - first;
  }

  #makeRoom(count: number): void {
    if (this.count + count <= this.positions.length) return;
    const room = Math.max(this.count + count, this.positions.length * 2 + 64);
    for (const all of [this.least, this.greatest]) for (const [place, values] of all.entries()) all[place] = larger(values, room);
    this.positions = larger(this.positions, room);
    this.ids = larger(this.ids, room);
  }
}

function larger(values: Uint32Array, room: number): Uint32Array {
  const out = new Uint32Array(room);
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
