import type { FeedReason } from '../../model/feed.ts';

/** Where a parser puts what it finds. Lines are counted from 1. */
export interface EntrySink {
  entry(text: string, line: number): void;
  bad(reason: FeedReason, text: string, line: number): void;
}

/** Finds the entries of a list that comes in pieces, wherever it is cut. Throws FeedError where it cannot go on. */
export interface FeedParser {
  push(chunk: Buffer): void;
  end(): void;
}

/** Octets of a line, a row, or a text of a JSON document. */
export const LONGEST_LINE = 65_536;
