/** Lists of addresses from files and servers: fetched, bounded and read. */
export { parseAuth } from './auth-file.ts';
export { readEntry } from './entry.ts';
export type { Validators } from './fetch-url.ts';
export { parseJsonPath, printJsonPath } from './json-path.ts';
export { type Pulled, type PullOptions, pullFeed } from './pull-feed.ts';
export { describeExamples, type FeedExample, type FeedList, ListReader } from './read-list.ts';
export { shownUrl } from './shown-url.ts';
export { Slices } from './slices.ts';
