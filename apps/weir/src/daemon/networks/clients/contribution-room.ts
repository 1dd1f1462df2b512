import type { DistributeClient } from '../../../model/distribute.ts';
import { clientOfSession } from '../../../sources/bgp/index.ts';
import type { GuardedRule, NetworkTables, StateClock } from '../../../state/index.ts';

/** Milliseconds for which what sources have is known without a look. */
const KNOWN_FOR = 1000;

export interface ContributionRoomOptions {
  readonly tables: Pick<NetworkTables, 'tables' | 'sourcesOf'>;
  readonly clients: () => readonly DistributeClient[];
  readonly clock: StateClock;
}

interface Known {
  readonly at: number;
  /** By client and table. */
  readonly held: ReadonlyMap<string, number>;
  /** Sessions that have anything in any table. */
  readonly holders: ReadonlySet<string>;
}

/** What clients have in tables, and what is about to come and go there. */
export class ContributionRoom {
  readonly #options: ContributionRoomOptions;
  /** Prefixes that come with what waits, less those that go, by client and table. */
  readonly #coming = new Map<string, number>();
  #known: Known | undefined;

  constructor(options: ContributionRoomOptions) {
    this.#options = options;
  }

  /** Something has changed in the tables. */
  forget(): void {
    this.#known = undefined;
  }

  /** Whether a session may have anything in any table; it may be that it had a moment ago. */
  holds(session: string): boolean {
    return this.#look().holders.has(session);
  }

  /** Whether any session has. */
  get holdsAny(): boolean {
    return this.#look().holders.size > 0;
  }

  /** Whether a client may have one more in a table, as far as can be told now. */
  has(client: string, { table, maxPrefixes }: GuardedRule): boolean {
    const key = keyOf(client, table);
    return (this.#look().held.get(key) ?? 0) + (this.#coming.get(key) ?? 0) < maxPrefixes;
  }

  /** Something waits, or does not wait any more. */
  weigh(client: string, gains: readonly string[], losses: readonly string[], by: 1 | -1): void {
    for (const table of gains) this.#add(keyOf(client, table), by);
    for (const table of losses) this.#add(keyOf(client, table), -by);
  }

  /** How many prefixes clients have in tables now, to go on counting with. */
  count(): (client: string, table: string) => { count: number } {
    const { held } = this.#look();
    const counts = new Map<string, { count: number }>();
    return (client, table) => {
      const key = keyOf(client, table);
      const one = counts.get(key) ?? { count: held.get(key) ?? 0 };
      counts.set(key, one);
      return one;
    };
  }

  #add(key: string, count: number): void {
    const sum = (this.#coming.get(key) ?? 0) + count;
    if (sum === 0) this.#coming.delete(key);
    else this.#coming.set(key, sum);
  }

  #look(): Known {
    const { tables, clients, clock } = this.#options;
    const at = clock.now();
    if (this.#known && at - this.#known.at < KNOWN_FOR) return this.#known;
    const held = new Map<string, number>();
    const holders = new Set<string>();
    const all = clients();
    for (const table of tables.tables) {
      for (const { source, prefixes } of tables.sourcesOf(table)) {
        if (source.kind !== 'client') continue;
        holders.add(source.name);
        const key = keyOf(clientOfSession(all, source.name)?.name ?? '', table);
        held.set(key, (held.get(key) ?? 0) + prefixes);
      }
    }
    this.#known = { at, held, holders };
    return this.#known;
  }
}

function keyOf(client: string, table: string): string {
  return `${client} ${table}`;
}
