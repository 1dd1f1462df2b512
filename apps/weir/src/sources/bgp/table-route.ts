import type { RouteOptions } from '@weir/bgp/session';
import type { Family } from '@weir/wire/inet';
import type { OwnCommunity } from '../../model/blackhole.ts';
import type { DistributeConfig } from '../../model/distribute.ts';
import { parseOwnCommunity } from '../config/index.ts';

/** The route of a prefix that is in some tables, for those who may have the tables `own`: with the communities of these and of no others. Undefined where none of them is theirs. */
export function tableRoute(
  config: DistributeConfig,
  tables: readonly string[],
  own: readonly string[],
  family: Family,
): RouteOptions | undefined {
  const communities = tables.flatMap((table) => communitiesFor(config, table, own));
  if (communities.length === 0) return undefined;
  const standard = communities.flatMap(({ kind, value }) => (kind === 'standard' ? [value] : []));
  const large = communities.flatMap(({ kind, value }) => (kind === 'large' ? [value] : []));
  const address = config.nextHop[family];
  return {
    attributes: {
      ...(standard.length > 0 ? { communities: [...new Set(standard)] } : {}),
      ...(large.length > 0 ? { largeCommunities: large } : {}),
    },
    ...(address ? { nextHop: { address } } : {}),
  };
}

/** Communities of a table with a name, or the community that a table without one is called by: that is for who may have all tables. */
function communitiesFor({ tables }: DistributeConfig, table: string, own: readonly string[]): readonly OwnCommunity[] {
  const named = tables.find(({ name }) => name === table);
  if (named) return own.includes(table) ? named.communities : [];
  const community = parseOwnCommunity(table);
  return community && tables.every(({ name }) => own.includes(name)) ? [community] : [];
}
