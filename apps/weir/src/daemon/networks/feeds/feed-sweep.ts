import type { Prefix } from '@weir/wire/inet';
import { Slices } from '../../../sources/feeds/index.ts';
import { type NetworkTables, PrefixSet } from '../../../state/index.ts';

/** What a feed has in a table and should not have, for one reason or, of its members, the first that was met. */
export interface Gone {
  readonly feed: string;
  readonly table: string;
  readonly why: string;
  readonly prefixes: PrefixSet;
}

/** Looks at all that feeds have in tables, in slices: what is to be taken out, and how many members are left to each feed. */
export async function findGone(
  tables: Pick<NetworkTables, 'all'>,
  whyGone: (feed: string, table: string, prefix: Prefix) => string | undefined,
): Promise<{ readonly gone: readonly Gone[]; readonly members: ReadonlyMap<string, number> }> {
  const slices = new Slices();
  const gone = new Map<string, Gone>();
  const members = new Map<string, number>();
  let step = 0;
  for (const { prefix, memberships } of tables.all()) {
    if (++step % 256 === 0) await slices.rest();
    for (const { table, note } of memberships) {
      if (note.source.kind !== 'feed') continue;
      const { name } = note.source;
      const why = whyGone(name, table, prefix);
      if (why === undefined) {
        members.set(name, (members.get(name) ?? 0) + 1);
        continue;
      }
      const key = `${name} ${table}`;
      const found = gone.get(key) ?? { feed: name, table, why, prefixes: new PrefixSet() };
      found.prefixes.add(prefix);
      gone.set(key, found);
    }
  }
  return { gone: [...gone.values()], members };
}
