import type { Config } from '../model/config.ts';
import { tenantConfig } from '../model/scopes.ts';
import { CliError, EXIT } from './exit.ts';

/** What a command looks at: the configuration itself, or one of its tenants. Throws CliError when there is no such tenant. */
export function selectTenant(config: Config, tenant: string | undefined): Config {
  if (tenant === undefined) return config;
  const found = config.tenants.find((one) => one.name === tenant);
  if (found) return tenantConfig(config, found);
  throw noTenant(
    tenant,
    config.tenants.map(({ name }) => name),
  );
}

export function noTenant(tenant: string, names: readonly string[]): CliError {
  return new CliError(EXIT.usage, `there is no tenant ${tenant}${names.length === 0 ? '' : `: there are ${names.join(', ')}`}`);
}

/** What is to be said of tenants that a command does not look at; nothing when there are none. */
export function tenantsLeftOut(config: Config | undefined): string {
  const names = config?.tenants.map(({ name }) => name) ?? [];
  return names.length === 0 ? '' : `tenants are looked at one by one, with --tenant: ${names.join(', ')}\n`;
}
