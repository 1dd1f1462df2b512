import type { ActiveFlow, FlowDelta } from '../model/flow.ts';

/** More changes at once than this, and all are sorted again. */
const MOST_APART = 32;

/** The flow rules in force, in their order. */
export class FlowTable {
  readonly #flows = new Map<string, ActiveFlow>();
  #sorted: readonly ActiveFlow[] = [];

  apply({ reset, gone, put }: FlowDelta): void {
    if (reset) this.#flows.clear();
    const apart = !reset && gone.length + put.length <= MOST_APART;
    const sorted = apart ? [...this.#sorted] : [];
    const takeOut = (key: string): void => {
      const known = this.#flows.get(key);
      if (!known) return;
      this.#flows.delete(key);
      if (apart) sorted.splice(placeOf(sorted, known.order), 1);
    };
    for (const key of gone) takeOut(key);
    for (const flow of put) {
      takeOut(flow.rule.key);
      this.#flows.set(flow.rule.key, flow);
      if (apart) sorted.splice(placeOf(sorted, flow.order), 0, flow);
    }
    this.#sorted = apart ? sorted : [...this.#flows.values()].sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
  }

  /** The same objects as long as the rules are the same. */
  get list(): readonly ActiveFlow[] {
    return this.#sorted;
  }
}

/** How many come before this order: no two rules have the same. */
function placeOf(sorted: readonly ActiveFlow[], order: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.order ?? '') < order) low = middle + 1;
    else high = middle;
  }
  return low;
}
