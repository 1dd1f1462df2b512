import { type Renewal, renewPlan } from '../compile/nft/renew-plan.ts';
import type { Config } from '../model/config.ts';
import { scopes } from '../model/scopes.ts';
import type { Renew } from '../reconcile/index.ts';
import { GenerationStore } from './generations/index.ts';
import { loadGeneration, type Overrides } from './load-daemon-config.ts';

/** For the daemon's own rules, or a tenant's. */
export type Renewer = (tenant?: string) => Renew;

/** The configuration that was in force last and that nobody has to confirm; undefined where none is written down, or it cannot be taken any more. HistoryError, SystemError. */
export function confirmedConfig(stateDirectory: string, overrides: Overrides): Config | undefined {
  const store = GenerationStore.open(stateDirectory);
  const { pending, inForce } = store.index;
  const record = store.find(pending ? pending.previous : inForce);
  return record && loadGeneration(record.file, store.texts(record.number), overrides).config;
}

/**
 * Leaves rules whose time has ended out of what a boot loads, by the configuration that was in force last and that nobody has to confirm. Where that cannot be read the saved
 * plan is loaded as it is: `tell` says so, and what else a person should know.
 */
export function renewer(confirmed: () => Config | undefined, now: number, tell: (text: string) => void): Renewer {
  let config: Config | undefined;
  try {
    config = confirmed();
  } catch (error) {
    tell(`rules whose time is over stay until weir run starts: ${error instanceof Error ? error.message : String(error)}`);
  }
  const known = new Map(config ? scopes(config).map((scope) => [scope.tenant, scope.config]) : []);
  return (tenant) => (saved) => {
    const own = known.get(tenant);
    const { plan, ended, kept }: Renewal = own ? renewPlan(saved, own, now) : { plan: saved, ended: [], kept: [] };
    const who = tenant === undefined ? '' : `tenant ${tenant}: `;
    for (const name of ended) tell(`${who}the time of rule ${name} is over: it is left out`);
    for (const name of kept)
      tell(
        `${who}the time of rule ${name} is over, but it stays until weir run starts: the saved rules are of another configuration or version`,
      );
    return plan;
  };
}
