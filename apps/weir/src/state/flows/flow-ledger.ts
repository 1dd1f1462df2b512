import type { FamilyName } from '@weir/bgp/codec';
import type { Peer } from '../../model/config.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import { isFlowFamily } from './flow-view.ts';

/** Flow rules that were in force before the daemon was started: they stay until every peer that flow rules come from has said what it has. */
export class FlowLedger {
  readonly #flows = new Map<string, ActiveFlow>();
  /** Families of peers that have converged since. */
  readonly #learned = new Set<string>();

  /** @returns whether it is new */
  add(flow: ActiveFlow): boolean {
    const { rule, provenance } = flow;
    if (this.#flows.has(rule.key)) return false;
    this.#flows.set(rule.key, { ...flow, provenance: provenance.kind === 'flow' ? { ...provenance, stale: true } : provenance });
    return true;
  }

  get(key: string): ActiveFlow | undefined {
    return this.#flows.get(key);
  }

  get size(): number {
    return this.#flows.size;
  }

  keys(): Iterable<string> {
    return this.#flows.keys();
  }

  values(): Iterable<ActiveFlow> {
    return this.#flows.values();
  }

  copy(): FlowLedger {
    const copy = new FlowLedger();
    for (const [key, flow] of this.#flows) copy.#flows.set(key, flow);
    for (const learned of this.#learned) copy.#learned.add(learned);
    return copy;
  }

  /** Somebody has announced it. */
  heard(key: string): void {
    this.#flows.delete(key);
  }

  learned(peer: string, family: FamilyName): void {
    this.#learned.add(`${peer} ${family}`);
  }

  /** Takes out what no peer can still announce, and gives its keys. */
  settle(peers: readonly Peer[]): readonly string[] {
    if (this.#flows.size === 0) return [];
    const gone: string[] = [];
    for (const [key, { rule }] of this.#flows) {
      const awaited = peers.some(({ name, families }) =>
        families.some((family) => isFlowFamily(family) && family === rule.family && !this.#learned.has(`${name} ${family}`)),
      );
      if (!awaited) gone.push(key);
    }
    for (const key of gone) this.#flows.delete(key);
    return gone;
  }
}
