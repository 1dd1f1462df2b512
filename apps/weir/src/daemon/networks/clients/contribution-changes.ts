import type { Prefix } from '@weir/wire/inet';
import type { ContributionRefusal } from '../../../model/contribution.ts';
import type { ContributeRule } from '../../../model/distribute.ts';
import type { NetworkChange, NetworkNote, NetworkSource } from '../../../model/network.ts';
import { type ContributionGuard, type NetworkTables, PrefixSet } from '../../../state/index.ts';

/** What a session wants of one prefix. In no table: it has withdrawn it. */
export interface Wanted {
  readonly prefix: Prefix;
  readonly tables: readonly string[];
}

/** What one session wants. */
export interface SessionWants {
  readonly session: string;
  /** Who it is, for the notes. */
  readonly by: string;
  /** By the configuration of now; undefined for a client that is not there any more. */
  readonly guard: ContributionGuard | undefined;
  readonly wanted: Iterable<Wanted>;
}

export interface ContributionDecision {
  readonly changes: readonly NetworkChange[];
  readonly refused: readonly { readonly session: string; readonly prefix: Prefix; readonly reason: ContributionRefusal }[];
}

export function sourceOf(session: string): NetworkSource {
  return { kind: 'client', name: session };
}

/** What a session has in tables for a prefix. */
export function notesOf(tables: Pick<NetworkTables, 'memberships'>, session: string, prefix: Prefix): ReadonlyMap<string, NetworkNote> {
  const out = new Map<string, NetworkNote>();
  for (const { table, note } of tables.memberships(prefix))
    if (note.source.kind === 'client' && note.source.name === session) out.set(table, note);
  return out;
}

/** Whether it is time to write that something was announced again: a tenth of its lifetime later, so that repetition alone writes next to nothing. */
export function isDue({ until = Number.POSITIVE_INFINITY }: NetworkNote, { lifetime }: ContributeRule, now: number): boolean {
  return Math.abs(now + lifetime - until) > lifetime / 10;
}

/**
 * Changes that make tables what sessions want: few, however many prefixes. What exceeds `max_prefixes` of a client in a table, or of the table, is refused in the order in which it was wanted.
 * `held` is how many prefixes all sessions of that session's client have in a table.
 */
export function decideContributions(
  tables: Pick<NetworkTables, 'memberships' | 'sizeOf'>,
  wants: readonly SessionWants[],
  held: (session: string, table: string) => { count: number },
  now: number,
): ContributionDecision {
  const sets = new Map<string, NetworkChange & { readonly kind: 'set'; readonly prefixes: Prefix[] }>();
  const unsets = new Map<string, NetworkChange & { readonly kind: 'unset'; readonly prefixes: Prefix[] }>();
  const refused: { readonly session: string; readonly prefix: Prefix; readonly reason: ContributionRefusal }[] = [];
  const room = new TableRoom(tables);
  // What goes makes room for what comes.
  for (const { session, guard, wanted } of wants) {
    for (const { prefix, tables: names } of wanted) {
      for (const table of notesOf(tables, session, prefix).keys()) {
        if (names.includes(table) && guard?.rule(table)) continue;
        const key = `${table} ${session}`;
        const unset = unsets.get(key) ?? { kind: 'unset', table, source: sourceOf(session), prefixes: [] };
        unsets.set(key, unset);
        unset.prefixes.push(prefix);
        held(session, table).count--;
      }
    }
  }
  for (const { session, by, guard, wanted } of wants) {
    for (const { prefix, tables: names } of wanted) {
      const notes = notesOf(tables, session, prefix);
      for (const table of names) {
        const rule = guard?.rule(table);
        const note = notes.get(table);
        if (!rule || (note && !isDue(note, rule, now))) continue;
        if (!note) {
          // It was wanted by the configuration of before.
          if (guard?.refusesPrefix(rule, prefix) !== undefined) continue;
          const own = held(session, table);
          const reason =
            own.count >= rule.maxPrefixes ? 'too-many' : room.takes(prefix, table, rule.mostOfTable) ? undefined : 'table-full';
          if (reason !== undefined) {
            refused.push({ session, prefix, reason });
            continue;
          }
          own.count++;
        }
        const since = note?.since ?? now;
        const key = `${table} ${session} ${since}`;
        const until = now + rule.lifetime;
        const about: NetworkNote = { source: sourceOf(session), by, since, until, comment: undefined };
        const set = sets.get(key) ?? { kind: 'set', table, note: about, prefixes: [] };
        sets.set(key, set);
        set.prefixes.push(prefix);
      }
    }
  }
  return { changes: [...unsets.values(), ...sets.values()], refused };
}

/** How much tables grow by what is decided. */
class TableRoom {
  readonly #tables: Pick<NetworkTables, 'memberships' | 'sizeOf'>;
  readonly #coming = new Map<string, PrefixSet>();

  constructor(tables: Pick<NetworkTables, 'memberships' | 'sizeOf'>) {
    this.#tables = tables;
  }

  /** Whether a table of at most so many prefixes has one, or room for it, which is taken then. */
  takes(prefix: Prefix, table: string, most: number): boolean {
    if (this.#tables.memberships(prefix).some((one) => one.table === table)) return true;
    const coming = this.#coming.get(table) ?? new PrefixSet();
    this.#coming.set(table, coming);
    if (coming.has(prefix)) return true;
    if (this.#tables.sizeOf(table) + coming.length >= most) return false;
    coming.add(prefix);
    return true;
  }
}
