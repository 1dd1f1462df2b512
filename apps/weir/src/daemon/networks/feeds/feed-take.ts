import { printPrefix } from '@weir/wire/inet';
import { ApiError } from '../../../api/index.ts';
import { type FeedConfig, FeedError, type FeedReason } from '../../../model/feed.ts';
import type { NetworkSource } from '../../../model/network.ts';
import type { FeedExample, FeedList, Slices } from '../../../sources/feeds/index.ts';
import { equalSource, PrefixSet } from '../../../state/index.ts';
import { inTurns } from '../in-turns.ts';
import type { Networks } from '../networks.ts';
import type { FeedShield } from './feed-shield.ts';

/** Prefixes that may come to a list at once, however small it was, and that may go from it. */
const GROWTH_SLACK = 1000;
const SHRINK_SLACK = 10;
/** Prefixes that are told of those that may not be in the table. */
const MOST_SHOWN = 5;

export interface TakeOptions {
  readonly networks: Networks;
  /** Undefined where the table may have what is protected. */
  readonly shield: FeedShield | undefined;
  /** Prefixes of the list before; undefined where there was none. */
  readonly before: number | undefined;
  /** Though it has shrunk, has grown, or is what a table has already. */
  readonly force: boolean;
  /** Whether what is in the table comes, by other feeds, from the other. */
  readonly comesFrom: (table: string, from: string) => boolean;
  readonly slices: Slices;
}

export interface Taken {
  readonly added: number;
  readonly removed: number;
  readonly members: number;
  readonly leftOut: Readonly<Partial<Record<FeedReason, number>>>;
  /** Some of it; `line` is 0 for what is left out of the table, wherever it stands in the list. */
  readonly examples: readonly FeedExample[];
  /** Tables that had just what the list has. */
  readonly copyOf: readonly string[];
}

/** Makes a table have of a feed what a list has: the difference, as one change. Throws FeedError where it may not: then nothing has changed. */
export async function takeList(feed: FeedConfig, list: FeedList, options: TakeOptions): Promise<Taken> {
  const { networks, force, slices } = options;
  if (!force) checkSize(feed, list.prefixes.length, options.before);
  const source: NetworkSource = { kind: 'feed', name: feed.name };
  const { wanted, leftOut, examples } = await withoutShielded(list, options);
  if (wanted.length === 0)
    throw new FeedError('empty', `nothing of the list may be in the table ${feed.table}: ${describeLeftOut(leftOut)}`);

  const [added, removed, seen] = [new PrefixSet(), new PrefixSet(), new Map<string, { size: number; shared: number }>()];
  let own = 0;
  let leaving = 0;
  let step = 0;
  for (const { prefix, memberships } of networks.tables.all()) {
    if (++step % 256 === 0) await slices.rest();
    const listed = list.prefixes.has(prefix);
    for (const table of new Set(memberships.map((one) => one.table))) {
      const counts = seen.get(table) ?? { size: 0, shared: 0 };
      counts.size++;
      if (listed) counts.shared++;
      seen.set(table, counts);
    }
    const here = memberships.filter(({ table }) => table === feed.table);
    if (!here.some(({ note }) => equalSource(note.source, source))) continue;
    own++;
    if (wanted.has(prefix)) continue;
    removed.add(prefix);
    if (here.length === 1) leaving++;
  }
  const copyOf = [...seen].flatMap(([table, { size, shared }]) => (size === shared && size === list.prefixes.length ? [table] : []));
  if (!force) checkLoop(feed, copyOf, own === 0 && options.before === undefined, options);
  for (const prefix of wanted) {
    if (++step % 256 === 0) await slices.rest();
    const there = networks.tables.memberships(prefix).some(({ table, note }) => table === feed.table && equalSource(note.source, source));
    if (!there) added.add(prefix);
  }
  try {
    await networks.change(
      async () => {
        await inTurns(networks.checkingTables([feed.table], added, leaving));
        return [
          { kind: 'unset', table: feed.table, source, prefixes: removed },
          {
            kind: 'set',
            table: feed.table,
            note: { source, by: '', since: Date.now(), until: undefined, comment: undefined },
            prefixes: added,
          },
        ];
      },
      { by: `feed ${feed.name}` },
    );
  } catch (error) {
    if (error instanceof ApiError) throw new FeedError(error.code === 'failed' ? 'state' : 'table', error.message);
    throw error;
  }
  return {
    added: added.length,
    removed: removed.length,
    members: wanted.length,
    leftOut,
    examples,
    copyOf: copyOf.filter((table) => table !== feed.table),
  };
}

function checkSize({ name, shrink, growth }: FeedConfig, now: number, before: number | undefined): void {
  if (before === undefined || before === 0) return;
  const accept = `if that is right, weir feed accept ${name} takes it`;
  if (now < before * shrink && before - now > SHRINK_SLACK)
    throw new FeedError(
      'shrink',
      `the list has ${now} prefixes and had ${before}: less than ${Math.round(shrink * 100)}% (shrink); ${accept}`,
    );
  if (growth !== undefined && now > before * growth && now - before > GROWTH_SLACK)
    throw new FeedError(
      'growth',
      `the list has ${now} prefixes and had ${before}: more than ${Math.round(growth * 100)}% (growth); ${accept}`,
    );
}

/** A list that is what a table has is probably made from it: what is taken out of the table would come back. */
function checkLoop({ name, table }: FeedConfig, copyOf: readonly string[], isFirst: boolean, { comesFrom }: TakeOptions): void {
  const loop = copyOf.find((other) => (other === table ? isFirst : comesFrom(other, table)));
  if (loop === undefined) return;
  const what =
    loop === table
      ? `the list is just what the table ${table} has already`
      : `the list is just what the table ${loop} has, and that comes from the table ${table}`;
  throw new FeedError(
    'loop',
    `${what}: if it is made from it, nothing could be taken out any more; if not, weir feed accept ${name} takes it`,
  );
}

async function withoutShielded(
  list: FeedList,
  { shield, slices }: TakeOptions,
): Promise<Pick<Taken, 'leftOut' | 'examples'> & { readonly wanted: PrefixSet }> {
  if (!shield) return { wanted: list.prefixes, leftOut: list.leftOut, examples: list.examples };
  const leftOut: Partial<Record<FeedReason, number>> = { ...list.leftOut };
  const shielded: FeedExample[] = [];
  const wanted = new PrefixSet();
  let step = 0;
  for (const prefix of list.prefixes) {
    if (++step % 256 === 0) await slices.rest();
    const reason = shield.reason(prefix);
    if (reason === undefined) {
      wanted.add(prefix);
      continue;
    }
    leftOut[reason] = (leftOut[reason] ?? 0) + 1;
    if (shielded.length < MOST_SHOWN) shielded.push({ line: 0, reason, text: printPrefix(prefix) });
  }
  return { wanted, leftOut, examples: [...shielded, ...list.examples] };
}

/** `2 protected, 1 host-bits`. */
export function describeLeftOut(leftOut: Readonly<Record<string, number>>): string {
  return Object.entries(leftOut)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}
