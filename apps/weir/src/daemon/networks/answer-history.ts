import { printPrefix } from '@weir/wire/inet';
import { FORMAT_VERSION, type NetworkHistoryAnswer, type NetworkHistoryEntry, type Params } from '../../api/index.ts';
import type { NetworkEvent } from '../../model/network.ts';
import { iso, summarizeNote } from '../summaries.ts';
import { readPrefix, sourceText } from './answer-networks.ts';
import type { Networks } from './networks.ts';

/** Changes of one answer when nothing is asked, and at most: one may have a hundred prefixes. */
const DEFAULT_PAGE = 100;
const MOST = 1000;

/** Who changed what, the latest first. */
export function answerHistory(
  networks: Networks,
  { table, prefix, limit = DEFAULT_PAGE, before }: Params<'network-history'>,
): NetworkHistoryAnswer {
  const within = prefix === undefined ? undefined : readPrefix(prefix);
  const events = networks.history.list({ table, prefix: within, limit: Math.min(limit, MOST), before });
  return { format_version: FORMAT_VERSION, history: events.map(summarizeEvent) };
}

function summarizeEvent({ number, at, by, added, updated, removed, parts }: NetworkEvent): NetworkHistoryEntry {
  return {
    number,
    at: iso(at),
    ...(by === '' ? {} : { by }),
    added,
    updated,
    removed,
    changes: parts.map(({ kind, table, source, until, comment, count, prefixes }) => ({
      kind,
      table,
      source: sourceText(source),
      ...summarizeNote({ until, comment }),
      count,
      prefixes: prefixes.map(printPrefix),
    })),
  };
}
