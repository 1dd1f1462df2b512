import type { ActiveFlow, FlowDelta } from '../model/flow.ts';

/** The flow rules in force, in their order. */
export class FlowTable {
  readonly #flows = new Map<string, ActiveFlow>();
  #sorted: readonly ActiveFlow[] | undefined;

  apply({ reset, gone, put }: FlowDelta): void {
    if (reset) this.#flows.clear();
    for (const key of gone) this.#flows.delete(key);
    for (const flow of put) this.#flows.set(flow.rule.key, flow);
    this.#sorted = undefined;
  }

  /** The same objects as long as the rules are the same. */
  get list(): readonly ActiveFlow[] {
    this.#sorted ??= [...this.#flows.values()].sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
    return this.#sorted;
  }
}
