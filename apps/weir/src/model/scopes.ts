import type { Config } from './config.ts';
import { DEFAULT_EBPF } from './ebpf.ts';
import type { NamedSet } from './named-set.ts';
import type { Tenant } from './tenant.ts';

/** What has rules and sets of its own. */
export interface Scope {
  /** Undefined for the configuration itself. */
  readonly tenant: string | undefined;
  readonly config: Config;
}

/** The configuration itself, and each tenant as if it were a configuration. */
export function scopes(config: Config): readonly Scope[] {
  return [
    { tenant: undefined, config: hostConfig(config) },
    ...config.tenants.map((t) => ({ tenant: t.name, config: tenantConfig(config, t) })),
  ];
}

/** The configuration without its tenants. */
export function hostConfig(config: Config): Config {
  return { ...config, tenants: [], faultyTenants: [] };
}

/** A tenant as if it were a configuration. The BGP sessions are not in its namespace: it has none. Neither are eBPF programs attached there. */
export function tenantConfig(config: Config, { sets, firewall, policy, netns }: Tenant): Config {
  const bgp = { ...config.bgp, listen: [], peers: [] };
  return { ...config, bgp, sets, firewall, ebpf: DEFAULT_EBPF, cumulus: undefined, policy, netns, tenants: [], faultyTenants: [] };
}

/** The name of a set outside of its tenant. */
export function qualifiedName(tenant: string | undefined, set: string): string {
  return tenant === undefined ? set : `${tenant}/${set}`;
}

/** The tenant and the set that `qualifiedName` was given. */
export function splitName(name: string): { readonly tenant: string | undefined; readonly set: string } {
  const slash = name.indexOf('/');
  return slash < 0 ? { tenant: undefined, set: name } : { tenant: name.slice(0, slash), set: name.slice(slash + 1) };
}

/** Every set that routes fill: those of tenants by their qualified names. */
export function allSets(config: Config): readonly NamedSet[] {
  if (config.tenants.length === 0) return config.sets;
  const theirs = config.tenants.flatMap((tenant) => tenant.sets.map((set) => ({ ...set, name: qualifiedName(tenant.name, set.name) })));
  return [...config.sets, ...theirs];
}
