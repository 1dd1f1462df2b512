import type { Family } from '@weir/wire/inet';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import type { Slots } from './set-memory.ts';

const { bucket, networksFrom, networksOctets, poolSlot, slotOctets } = SET_LAYOUT;

/** What a map is to be. */
export interface SetSize {
  readonly octets: number;
  /** Buckets that are homes of hosts; 0 for none. */
  readonly homes: number;
}

/** What a set has. */
export interface SetContents {
  readonly family: Family;
  readonly octets: number;
  readonly size: number;
  readonly hostCount: number;
  readonly slots: Slots;
  readonly hosts: Slots | undefined;
}

/** Members that come later may be of another kind: a map does not become larger by more at a time. */
const MOST_TIMES = 16;
/** Hosts for a bucket of three: with more of them too many find no room near their home. */
const PER_HOME = 2;
/** How much more room the trie gets beside hosts than it is likely to take, and how much more it has to gain for a map of the same size. */
const SPARE = 1.25;

/**
 * Maps for the members that a set has and for `more` that are like them, the best first; none where `most` octets are what it has and another division would gain nothing. IPv6 sets of which at
 * least every other member is a host have places for hosts.
 */
export function sizesFor(set: SetContents, most: number, more: number): readonly SetSize[] {
  const { family, octets, size, hostCount, slots, hosts } = set;
  const times = 1 + more / Math.max(1, size);
  const apart = family === 6 && size > 0 && 2 * hostCount >= size;
  const inTrie = slots.used * times * (apart && !hosts ? 1 - hostCount / size : 1) * (apart ? SPARE : 1);
  const homes = apart ? (hostCount * times) / PER_HOME : 0;
  const likely = (poolSlot + inTrie + homes) * slotOctets;
  const divided = (all: number): SetSize => ({ octets: all, homes: apart ? homesIn(all / slotOctets - poolSlot, inTrie, homes) : 0 });
  if (octets >= most) {
    const same = divided(octets);
    const places = same.homes === 0 ? 0 : same.homes + bucket.probes - 1;
    const slotsThen = octets / slotOctets - poolSlot - places;
    return family === 6 && (slotsThen > SPARE * slots.all || bucket.hosts * places > SPARE * (hosts?.all ?? 0)) ? [divided(octets)] : [];
  }
  const enough = Math.min(MOST_TIMES * octets, enoughFor(family, octets, likely));
  const sizes: number[] = [];
  for (let one = enough; one < 2 * most; one *= 2) sizes.push(Math.min(one, most));
  return [...new Set([...sizes, Math.min(most, enoughFor(family, octets, 0))])].map(divided);
}

/** A power of two, at least twice what there is, for so many octets, and of IPv4 for networks besides where it is large enough. */
function enoughFor(family: Family, octets: number, likely: number): number {
  const plain = Math.max(2 * octets, powerOf2(likely));
  if (family === 6 || 2 * plain < networksFrom) return plain;
  return Math.max(2 * octets, networksFrom, powerOf2(likely + networksOctets));
}

function powerOf2(least: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, least)));
}

/** Of so many slots: what is left over is divided. */
function homesIn(slots: number, inTrie: number, wanted: number): number {
  const left = slots - inTrie - wanted - bucket.probes;
  return Math.max(0, Math.floor(left >= 0 ? wanted + left / 2 : Math.min(wanted, slots - inTrie - bucket.probes)));
}
