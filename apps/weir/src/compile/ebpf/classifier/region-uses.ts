import type { Region } from './dimension.ts';

const MANY_PIECES = 2;

/** Which regions of one dimension there are; regions come and go. */
export class RegionUses {
  readonly #uses = new Map<string, { readonly region: Region; count: number }>();
  /** Regions of many pieces. */
  #many = 0;
  #regions: readonly Region[] | undefined;
  #key = '';

  /** `by`: 1 where the region comes, -1 where it goes. */
  count(region: Region | undefined, by: 1 | -1): void {
    if (!region) return;
    const { low, missing } = region;
    if (low.length + (missing ? 1 : 0) > MANY_PIECES) this.#many += by;
    const key = keyOf(region);
    const known = this.#uses.get(key);
    if (!known) this.#uses.set(key, { region, count: by });
    else if (known.count + by === 0) this.#uses.delete(key);
    else known.count += by;
  }

  /**
   * Each once, those first that there are most of, by powers of two, so that a few more or fewer of them change nothing; undefined where none is in many pieces. The same list as long as nothing is
   * different.
   */
  regions(): readonly Region[] | undefined {
    if (this.#many === 0) return undefined;
    const sorted = [...this.#uses].sort(
      ([a, { count: countA }], [b, { count: countB }]) => Math.clz32(countA) - Math.clz32(countB) || (a < b ? -1 : 1),
    );
    const key = sorted.map(([one]) => one).join();
    if (!this.#regions || key !== this.#key) this.#regions = sorted.map(([, { region }]) => region);
    this.#key = key;
    return this.#regions;
  }
}

/** Of regions that have been seen before: rules that stay keep them. */
const KEYS = new WeakMap<Region, string>();

function keyOf(region: Region): string {
  const known = KEYS.get(region);
  if (known !== undefined) return known;
  const made = `${region.missing} ${region.low.map(({ first, last }) => `${first}-${last}`).join(' ')}`;
  KEYS.set(region, made);
  return made;
}
