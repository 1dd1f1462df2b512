import type { Config } from '../model/config.ts';

type Tenants = readonly Pick<Config['tenants'][number], 'name' | 'netns'>[];

/**
 * Why a running daemon does not take tenants in place of others; undefined when it does. A namespace whose tenant goes on elsewhere cannot be another's at once: one of the two would be without
 * rules while they change places.
 */
export function exchangedTenants(before: Tenants, after: Tenants): string | undefined {
  for (const { name, netns } of after) {
    const owner = before.find((tenant) => tenant.netns === netns);
    const now = owner && after.find((tenant) => tenant.name === owner.name);
    if (!owner || owner.name === name || !now || now.netns === netns) continue;
    return `tenant ${name} cannot have the namespace ${netns} while tenant ${owner.name} moves from it to ${now.netns}: take ${owner.name} out first, then give ${netns} to ${name}`;
  }
  return undefined;
}
