import type { SetElement } from '@weir/netlink/nftables';
import type { MapEntry } from '../../model/kernel-map.ts';
import type { MapLayout } from '../backend.ts';

interface Keys {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

/** nft begins an interval set with the end of what is before its first range, and closes each range with the key after it. */
export function rangeElements(ranges: readonly Keys[]): SetElement[] {
  const out: SetElement[] = [];
  const lowest = ranges[0]?.first;
  if (lowest?.some((byte) => byte !== 0)) out.push({ key: new Uint8Array(lowest.length), intervalEnd: true });
  ranges.forEach(({ first, last }, i) => {
    out.push({ key: first });
    const end = keyAfter(last);
    if (end && !same(end, ranges[i + 1]?.first)) out.push({ key: end, intervalEnd: true });
  });
  return out;
}

/** A named map's entries. Ranges have both of their ends, so that each can be added and deleted alone; the end of a deleted one has no data. */
export function entryElements(entries: readonly MapEntry[], layout: MapLayout, adding: boolean): SetElement[] {
  return entries.flatMap(({ first, last, verdict }): SetElement[] => {
    const start: SetElement = { key: first, ...(adding ? { data: { kind: 'verdict', verdict } } : {}) };
    if (layout === 'values') return [start];
    if (layout === 'boxes') return [{ ...start, keyEnd: last }];
    const end = keyAfter(last);
    return end ? [start, { key: end, intervalEnd: true }] : [start];
  });
}

/** Entries from the elements of a dump, in order of their keys: of ranges starts with data, and ends. */
export function entriesOf(elements: readonly SetElement[], layout: MapLayout): MapEntry[] {
  const sorted = elements
    .filter((e) => e.key !== undefined)
    .sort((a, b) => compare(a.key, b.key) || Number(b.intervalEnd ?? false) - Number(a.intervalEnd ?? false));
  return sorted.flatMap((element, i): MapEntry[] => {
    const { key, data, intervalEnd } = element;
    if (intervalEnd || !key || data?.kind !== 'verdict' || (data.verdict.kind !== 'jump' && data.verdict.kind !== 'goto')) return [];
    if (layout !== 'ranges') return [{ first: key, last: element.keyEnd ?? key, verdict: data.verdict }];
    const next = sorted[i + 1]?.key;
    return [{ first: key, last: next ? keyBefore(next) : new Uint8Array(key.length).fill(255), verdict: data.verdict }];
  });
}

function keyAfter(key: Uint8Array): Uint8Array | undefined {
  const out = key.slice();
  for (let i = out.length - 1; i >= 0; i--) {
    out[i] = ((out[i] as number) + 1) & 255;
    if (out[i] !== 0) return out;
  }
  return undefined;
}

function keyBefore(key: Uint8Array): Uint8Array {
  const out = key.slice();
  for (let i = out.length - 1; i >= 0; i--) {
    out[i] = ((out[i] as number) - 1) & 255;
    if (out[i] !== 255) break;
  }
  return out;
}

function same(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.every((byte, i) => byte === b[i]);
}

function compare(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  return a && b ? Buffer.compare(a, b) : 0;
}
