import type { FeedSummary } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';
import type { Palette } from '../render/paint.ts';
import { ago, plural } from '../render/units.ts';

/** Feeds, or one of them, and how they stand. Exits with a finding where the last list of one was not taken. */
export function feedShow(name: string | undefined, options: ViewOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const { feeds } = await client.call('feeds', {});
    const shown = name === undefined ? feeds : feeds.filter(({ feed }) => feed === name);
    if (name !== undefined && shown.length === 0) throw new CliError(EXIT.error, `no feed is named ${name}`);
    if (options.output === 'json') for (const feed of shown) await io.out(`${JSON.stringify(feed)}\n`);
    else if (shown.length === 0) await io.out('no feeds are configured\n');
    else await io.out(shown.map((feed) => renderFeed(feed, options.palette)).join(''));
    return shown.some(({ failure }) => failure) ? EXIT.finding : EXIT.ok;
  });
}

/** Gets lists now, one after the other; all of them where none is named. */
export function feedRefresh(names: readonly string[], options: ViewOptions & { readonly force: boolean }, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const all = names.length > 0 ? names : (await client.call('feeds', {})).feeds.map(({ feed }) => feed);
    for (const feed of all) {
      const answer = await client.call('feed-refresh', { feed, ...(options.force ? { force: true } : {}) });
      await tell(answer.feed, options, io);
    }
    return EXIT.ok;
  });
}

/** Takes a list that was refused for its size. */
export function feedAccept(name: string, options: ViewOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    await tell((await client.call('feed-accept', { feed: name })).feed, options, io);
    return EXIT.ok;
  });
}

async function tell(feed: FeedSummary, options: ViewOptions, io: Io): Promise<void> {
  const { members, table } = feed;
  await io.out(
    options.output === 'json'
      ? `${JSON.stringify(feed)}\n`
      : `${escapeControl(`feed ${feed.feed}: ${members} networks in the table ${table}${without(feed)}`)}\n`,
  );
}

function without({ left_out: leftOut }: FeedSummary): string {
  const reasons = Object.entries(leftOut).map(([reason, count]) => `${count} ${reason}`);
  return reasons.length === 0 ? '' : `; left out: ${reasons.join(', ')}`;
}

/** A feed as a person reads it. */
export function renderFeed(feed: FeedSummary, p: Palette, now: number = Date.now()): string {
  const { table, from, members, entries, success, failure, next, running, examples } = feed;
  const out = [`${p.bold(escapeControl(feed.feed))}  ${escapeControl(`${from} -> table ${table}`)}`];
  const taken =
    success === undefined ? p.yellow('no list was taken yet') : `the last list ${ago(success, now)} ago had ${plural(entries, 'line')}`;
  out.push(`  ${plural(members, 'network')}; ${taken}${escapeControl(without(feed))}`);
  for (const { line, reason, text } of examples)
    out.push(`    ${escapeControl(`${line === undefined ? '' : `line ${line}: `}${reason}: ${text}`)}`);
  if (failure)
    out.push(`  ${p.red(`refused ${ago(failure.at, now)} ago (${escapeControl(failure.code)})`)}: ${escapeControl(failure.message)}`);
  out.push(running ? '  being fetched now' : next === undefined ? '' : `  next at ${next}`);
  return out
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('');
}
