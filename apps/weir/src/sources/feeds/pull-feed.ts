import { type FeedConfig, FeedError } from '../../model/feed.ts';
import { fetchFile } from './fetch-file.ts';
import { fetchUrl, type Validators } from './fetch-url.ts';
import { type FeedList, ListReader } from './read-list.ts';
import type { Slices } from './slices.ts';

export type Pulled =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'list'; readonly list: FeedList; readonly validators: Validators | undefined };

export interface PullOptions {
  readonly stateDirectory: string;
  readonly validators: Validators | undefined;
  readonly signal: AbortSignal;
  readonly agent: string;
  readonly slices: Slices;
}

/** Gets a list and reads it, in slices between which other work has its turn. Throws FeedError, also when it takes longer than `timeout`. */
export async function pullFeed(feed: FeedConfig, options: PullOptions): Promise<Pulled> {
  const { origin, timeout } = feed;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new FeedError('timeout', `not whole within ${timeout / 1000} s (timeout)`)), timeout);
  const signal = AbortSignal.any([options.signal, late.signal]);
  try {
    if (origin.kind === 'file') {
      const octets = fetchFile(origin.path, feed.maxOctets, options.stateDirectory);
      return { kind: 'list', list: await readAll(feed, octets, signal, options.slices), validators: undefined };
    }
    const fetched = await fetchUrl(feed, origin.url, { validators: options.validators, signal, agent: options.agent });
    if (fetched.kind === 'unchanged') return fetched;
    return { kind: 'list', list: await readAll(feed, fetched.octets, signal, options.slices), validators: fetched.validators };
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(feed: FeedConfig, octets: AsyncIterable<Buffer>, signal: AbortSignal, slices: Slices): Promise<FeedList> {
  const reader = new ListReader(feed);
  for await (const chunk of octets) {
    if (signal.aborted) throw signal.reason instanceof FeedError ? signal.reason : new FeedError('timeout', 'given up');
    reader.push(chunk);
    await slices.rest();
  }
  return reader.end();
}
