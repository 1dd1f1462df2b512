/** What ExaBGP prints to its processes, as a source of routes. */

export { type ExabgpFeed, ExabgpSpeaker } from './exabgp-speaker.ts';
export type { FeedCounts, QuotedLine } from './feed-counts.ts';
