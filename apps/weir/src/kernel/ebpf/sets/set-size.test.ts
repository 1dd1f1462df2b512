import { describe, expect, test } from 'vitest';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { type SetContents, sizesFor } from './set-size.ts';

const MIB = 2 ** 20;
const slots = (all: number, used: number): { all: number; used: number; resting: number } => ({ all, used, resting: 0 });

/** A full map of so many members, of which `hosts` are hosts. */
function full(family: 4 | 6, octets: number, size: number, hosts: number, more: Partial<SetContents> = {}): SetContents {
  const all = octets / 64 - SET_LAYOUT.poolSlot;
  return { family, octets, size, hostCount: hosts, slots: slots(all, all), hosts: undefined, ...more };
}

describe('the map that a set moves to', () => {
  test.each([
    { name: 'twice the size', set: full(4, MIB / 2, 5000, 0), more: 1, want: 1 },
    { name: 'IPv4: networks as soon as they fit in', set: full(4, 2 * MIB, 50_000, 0), more: 1, want: 8 },
    {
      name: 'IPv4: networks do not count twice',
      set: full(4, 8 * MIB, 170_000, 0, { slots: slots(61_000, 61_000) }),
      more: 830_000,
      want: 32,
    },
    { name: 'no more than sixteen times at once', set: full(6, MIB / 2, 1000, 0), more: 1_000_000, want: 8 },
    { name: 'IPv6: a million hosts', set: full(6, 8 * MIB, 200_000, 200_000), more: 800_000, want: 32 },
  ])('$name', ({ set, more, want }) => {
    expect((sizesFor(set, SET_LAYOUT.mostOctets, more)[0]?.octets ?? 0) / MIB).toBe(want);
  });

  test.each([
    { name: 'IPv6 hosts', set: full(6, MIB / 2, 1300, 1300), want: true },
    { name: 'IPv6 hosts and as many prefixes', set: full(6, MIB / 2, 1300, 650), want: true },
    { name: 'more prefixes', set: full(6, MIB / 2, 1300, 649), want: false },
    { name: 'IPv4 hosts', set: full(4, MIB / 2, 1300, 1300), want: false },
  ])('$name have places of their own: $want', ({ set, want }) => {
    expect((sizesFor(set, SET_LAYOUT.mostOctets, 100)[0]?.homes ?? 0) > 0).toBe(want);
  });

  test('one of the same size where another division gains something, and none where it does not', () => {
    const most = 16 * MIB;
    const hosts = full(6, most, 100_000, 100_000);
    const [same] = sizesFor(hosts, most, 1000);
    expect([same?.octets, (same?.homes ?? 0) > 100_000]).toEqual([most, true]);
    const places = 3 * ((same?.homes ?? 0) + SET_LAYOUT.bucket.probes - 1);
    const left = most / 64 - SET_LAYOUT.poolSlot - places / 3;
    // The hosts are gone, and prefixes are what there is.
    expect(sizesFor({ ...full(6, most, 50_000, 0), slots: slots(left, left), hosts: slots(places, 0) }, most, 1000)).toEqual([
      { octets: most, homes: 0 },
    ]);
    for (const family of [4, 6] as const) expect(sizesFor(full(family, most, 100_000, 0), most, 1000)).toEqual([]);
  });
});
