import type { Prefix } from '@weir/wire/inet';
import { BAD_LINES, type FeedConfig, FeedError, type FeedFormat, type FeedReason } from '../../model/feed.ts';
import { PrefixSet } from '../../state/index.ts';
import { CsvParser } from './csv-format.ts';
import { readEntry } from './entry.ts';
import type { EntrySink, FeedParser } from './feed-parser.ts';
import { JsonParser } from './json-format.ts';
import { TextParser } from './text-format.ts';

/** Lines that are told one by one, and characters of each. */
const MOST_EXAMPLES = 5;
const SHOWN = 60;

export interface FeedExample {
  readonly line: number;
  readonly reason: FeedReason;
  readonly text: string;
}

/** What is in a list. */
export interface FeedList {
  readonly prefixes: PrefixSet;
  /** Lines that have something. */
  readonly entries: number;
  readonly leftOut: Readonly<Partial<Record<FeedReason, number>>>;
  /** Some of what was left out. */
  readonly examples: readonly FeedExample[];
}

/** Reads a list piece by piece: prefixes, each once, and what of it is none. Memory is bounded by `maxPrefixes`. */
export class ListReader implements EntrySink {
  readonly #feed: FeedConfig;
  readonly #parser: FeedParser;
  readonly #prefixes = new PrefixSet();
  readonly #leftOut = new Map<FeedReason, number>();
  readonly #examples: FeedExample[] = [];
  #entries = 0;

  constructor(feed: FeedConfig) {
    this.#feed = feed;
    this.#parser = parserOf(feed.format, this);
  }

  /** @throws FeedError where the list cannot be read on */
  push(chunk: Buffer): void {
    this.#parser.push(chunk);
  }

  /** @throws FeedError where the list is not whole, has too many bad lines, or nothing */
  end(): FeedList {
    this.#parser.end();
    const bad = BAD_LINES.reduce((sum, reason) => sum + (this.#leftOut.get(reason) ?? 0), 0);
    const { badLines, badShare, format } = this.#feed;
    if (bad > 0 && (badLines === 'refuse' || bad > this.#entries * badShare)) {
      const most = badLines === 'refuse' ? 'none may be (bad_lines: refuse)' : `at most ${Math.round(badShare * 100)}% may be (bad_share)`;
      throw new FeedError(
        'bad-lines',
        `${bad} of ${this.#entries} lines are no addresses or prefixes, ${most}: ${describeExamples(this.#examples)}`,
      );
    }
    if (this.#entries === 0) throw new FeedError('empty', `nothing is in it${format.kind === 'json' ? ' at its path' : ''}`);
    return { prefixes: this.#prefixes, entries: this.#entries, leftOut: Object.fromEntries(this.#leftOut), examples: this.#examples };
  }

  entry(text: string, line: number): void {
    const read = readEntry(text, this.#feed.minLength);
    if (typeof read === 'string') {
      this.bad(read, text, line);
      return;
    }
    this.#entries++;
    for (const prefix of read) this.#add(prefix);
  }

  bad(reason: FeedReason, text: string, line: number): void {
    this.#entries++;
    this.#leftOut.set(reason, (this.#leftOut.get(reason) ?? 0) + 1);
    if (this.#examples.length < MOST_EXAMPLES) this.#examples.push({ line, reason, text: text.slice(0, SHOWN) });
  }

  #add(prefix: Prefix): void {
    this.#prefixes.add(prefix);
    if (this.#prefixes.length > this.#feed.maxPrefixes)
      throw new FeedError('too-many', `more than ${this.#feed.maxPrefixes} prefixes (max_prefixes)`);
  }
}

/** `line 3: not-a-prefix: abc`, and so on. */
export function describeExamples(examples: readonly FeedExample[]): string {
  return examples.map(({ line, reason, text }) => `line ${line}: ${reason}${text === '' ? '' : `: ${text}`}`).join('; ');
}

function parserOf(format: FeedFormat, sink: EntrySink): FeedParser {
  switch (format.kind) {
    case 'text':
      return new TextParser(sink);
    case 'csv':
      return new CsvParser(sink, format.column, format.separator);
    case 'json':
      return new JsonParser(sink, format.paths);
  }
}
