import type { TenantSummary } from '../api/index.ts';
import type { Config } from '../model/config.ts';
import type { KernelStatus } from '../model/kernel-port.ts';
import { splitName } from '../model/scopes.ts';
import type { StateCounts } from '../state/index.ts';

/** The tenants as `weir status` lists them: those that run, then those that have only mistakes. */
export function summarizeTenants(config: Config, kernel: KernelStatus, counts: StateCounts): readonly TenantSummary[] {
  const members = new Map<string | undefined, number>();
  for (const { set, installed } of counts.sets) {
    const { tenant } = splitName(set);
    members.set(tenant, (members.get(tenant) ?? 0) + installed);
  }
  const faulty = new Map(config.faultyTenants.map((one) => [one.name, { mistakes: { errors: one.errors, first: one.mistake } }]));
  const running = config.tenants.map(({ name, netns, sets }): TenantSummary => {
    const { open = false, ownedTable } = kernel.tenants.find((one) => one.name === name) ?? {};
    return {
      name,
      netns,
      open,
      sets: sets.length,
      members: members.get(name) ?? 0,
      ...(ownedTable ? { owned_table: ownedTable } : {}),
      ...faulty.get(name),
    };
  });
  const known = new Set(running.map(({ name }) => name));
  const others = [...faulty].filter(([name]) => !known.has(name));
  return [...running, ...others.map(([name, rest]): TenantSummary => ({ name, open: false, sets: 0, members: 0, ...rest }))];
}
