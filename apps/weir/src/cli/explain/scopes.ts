import { judgement } from '../../compile/judgement/index.ts';
import type { Config } from '../../model/config.ts';
import type { EbpfConfig } from '../../model/ebpf.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import type { HookRules } from '../../model/rule.ts';
import { scopes } from '../../model/scopes.ts';
import { Interfaces } from '../../sources/config/index.ts';
import { noTenant } from '../tenants.ts';

/** What judges packets in one network namespace. */
export interface ExplainScope {
  readonly tenant: string | undefined;
  /** Those that the tenant has, where that is said. */
  readonly interfaces: Interfaces | undefined;
  readonly hooks: readonly HookRules[];
  /** What eBPF programs are attached to; undefined where that is not said. */
  readonly ebpf: EbpfConfig | undefined;
}

/** The configuration itself, with the flow rules in force, and its tenants; or one tenant. Throws CliError when there is none of that name. */
export function explainScopes(
  config: Config,
  tenant: string | undefined,
  now: number,
  flows: readonly ActiveFlow[] = [],
): readonly ExplainScope[] {
  const names = config.tenants.map(({ name }) => name);
  if (tenant !== undefined && !names.includes(tenant)) throw noTenant(tenant, names);
  return scopes(config)
    .filter((one) => tenant === undefined || one.tenant === tenant)
    .map((one) => {
      const interfaces = config.tenants.find(({ name }) => name === one.tenant)?.interfaces;
      return {
        tenant: one.tenant,
        interfaces: interfaces && new Interfaces(interfaces),
        hooks: judgement(one.tenant === undefined ? { ...one.config, flows } : one.config, now),
        ebpf: one.config.ebpf,
      };
    });
}
