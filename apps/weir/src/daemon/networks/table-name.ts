import type { DistributeConfig } from '../../model/distribute.ts';
import { parseOwnCommunity } from '../../sources/config/index.ts';
import { printOwnCommunity } from '../own-blackholes.ts';

/** The table that somebody means by its name or by a community: that of a configured table is the table. */
export function tableName(distribute: DistributeConfig | undefined, written: string): string {
  const tables = distribute?.tables ?? [];
  if (tables.some(({ name }) => name === written)) return written;
  const community = parseOwnCommunity(written);
  if (!community) return written;
  const key = JSON.stringify(community);
  return tables.find(({ communities }) => communities.some((one) => JSON.stringify(one) === key))?.name ?? printOwnCommunity(community);
}
