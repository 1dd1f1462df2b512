import type { FeedSummary } from '../../../api/index.ts';
import { shownUrl } from '../../../sources/feeds/index.ts';
import { iso } from '../../summaries.ts';
import type { FeedEntry } from './feed-entry.ts';

/** A feed as it is shown, without what may be secret. */
export function summarizeFeed({ config, memory, next, running }: FeedEntry): FeedSummary {
  const { name, table, origin } = config;
  const { success, failure, listed, members, entries, leftOut, examples } = memory;
  return {
    feed: name,
    table,
    from: origin.kind === 'file' ? origin.path : shownUrl(origin.url),
    members,
    ...(listed === undefined ? {} : { listed }),
    entries,
    left_out: leftOut,
    examples: examples.map(({ line, reason, text }) => ({ ...(line > 0 ? { line } : {}), reason, text })),
    ...(success === undefined ? {} : { success: iso(success) }),
    ...(failure === undefined ? {} : { failure: { at: iso(failure.at), code: failure.code, message: failure.message } }),
    ...(next === undefined ? {} : { next: iso(next) }),
    running: running !== undefined,
  };
}
