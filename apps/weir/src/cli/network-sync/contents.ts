import type { Family, Prefix } from '@weir/wire/inet';
import type { NetworkNote } from '../../model/network.ts';
import { NetworkTables } from '../../state/index.ts';

/** What another distributor has. */
export interface Contents {
  /** Prefixes by the names of tables here, and by communities that no table here has. */
  readonly tables: NetworkTables;
  /** Tables that it would have named had they something in them; undefined: all. */
  readonly told: readonly string[] | undefined;
  /** Families that it could speak of. */
  readonly families: readonly Family[];
}

export function emptyTables(): NetworkTables {
  return new NetworkTables({ changed: () => undefined });
}

/** What is known of a prefix of another: when it ends. */
export function noteUntil(until: number | undefined): NetworkNote {
  return { source: { kind: 'operator' }, by: '', since: 0, until, comment: undefined };
}

export const NOTE: NetworkNote = noteUntil(undefined);

/** Prefixes are in these tables and in no others. */
export function place(tables: NetworkTables, prefixes: readonly Prefix[], names: readonly string[]): void {
  const { source } = NOTE;
  const others = new Set(prefixes.flatMap((prefix) => tables.memberships(prefix).map(({ table }) => table)));
  for (const name of names) others.delete(name);
  tables.apply([
    ...[...others].map((table) => ({ kind: 'unset', table, source, prefixes }) as const),
    ...names.map((table) => ({ kind: 'set', table, note: NOTE, prefixes }) as const),
  ]);
}
