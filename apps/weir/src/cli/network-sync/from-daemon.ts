import { type Prefix, parsePrefix } from '@weir/wire/inet';
import type { ControlClient, NetworkSummary, NetworksAnswer } from '../../api/index.ts';
import type { NetworkChange, NetworkSource } from '../../model/network.ts';
import type { NetworkTables } from '../../state/index.ts';
import { emptyTables } from './contents.ts';

/** Prefixes that are asked for at a time. */
const PAGE = 10_000;

/** All that the tables of the daemon have, with what is known of each. */
export async function fromDaemon(
  client: ControlClient,
): Promise<{ readonly tables: NetworkTables; readonly known: NetworksAnswer['tables'] }> {
  const tables = emptyTables();
  let known: NetworksAnswer['tables'] | undefined;
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const answer: NetworksAnswer = await client.call('networks', { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    known ??= answer.tables;
    tables.apply(changesOf(answer.networks));
    cursor = answer.cursor;
  }
  return { tables, known: known ?? [] };
}

/** Prefixes of a page, those together of which the same is known. */
function changesOf(networks: readonly NetworkSummary[]): readonly NetworkChange[] {
  const groups = new Map<string, { readonly tables: NetworkSummary['tables']; readonly prefixes: Prefix[] }>();
  for (const { prefix: text, tables } of networks) {
    const parsed = parsePrefix(text);
    if (!parsed.ok) continue;
    const key = JSON.stringify(tables);
    const group = groups.get(key) ?? { tables, prefixes: [] };
    groups.set(key, group);
    group.prefixes.push(parsed.prefix);
  }
  return [...groups.values()].flatMap(({ tables, prefixes }) =>
    tables.map(({ table, source, by = '', since, until, comment }): NetworkChange => {
      const note = {
        source: readSource(source),
        by,
        since: Date.parse(since),
        until: until === undefined ? undefined : Date.parse(until),
        comment,
      };
      return { kind: 'set', table, note, prefixes };
    }),
  );
}

/** `operator`, `client NAME`, `feed NAME`. */
function readSource(text: string): NetworkSource {
  const [kind = '', name = ''] = text.split(' ', 2);
  return kind === 'client' || kind === 'feed' ? { kind, name } : { kind: 'operator' };
}
