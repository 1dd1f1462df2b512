import type { Config } from '../../model/config.ts';
import { compileKernelPlan, type KernelPlan } from './targets.ts';

/** What becomes of a plan that was saved. */
export interface Renewal {
  readonly plan: KernelPlan;
  /** Names of rules whose time is over, and that are not in it any more. */
  readonly ended: readonly string[];
  /** Names of those that are still in it: it is not what this configuration comes to, or was made by another version. */
  readonly kept: readonly string[];
}

/** A saved plan as it is now: without the rules whose time has ended since. `config` is what it was compiled from. */
export function renewPlan(saved: KernelPlan, config: Config, now: number): Renewal {
  const { at } = saved;
  const over =
    at === undefined
      ? []
      : (config.policy?.rules ?? []).filter((r) => r.enabled && r.until !== undefined && r.until > at && r.until <= now);
  const names = over.map(({ name }) => name);
  if (at === undefined || over.length === 0) return { plan: saved, ended: [], kept: [] };
  // The same configuration gives the same plan for the same time.
  const same = JSON.stringify(compileKernelPlan(config, at)) === JSON.stringify({ targets: saved.targets, table: saved.table, at });
  return same ? { plan: compileKernelPlan(config, now), ended: names, kept: [] } : { plan: saved, ended: [], kept: names };
}
