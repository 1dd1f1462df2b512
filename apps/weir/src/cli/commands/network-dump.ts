import { comparePrefix, type Prefix, parsePrefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';

/** Lines that are printed at once. */
const BLOCK = 4096;

/** A table as plain text, in the order of addresses. */
export function networkDump(options: ViewOptions & { readonly table: string }, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const list = new SortedPrefixes();
    for (let cursor: string | undefined = '0'; cursor !== undefined; ) {
      const page: { readonly prefixes: string; readonly cursor?: string } = await client.call('network-dump', {
        table: options.table,
        cursor,
      });
      if (page.prefixes !== '') for (const text of page.prefixes.split(' ')) list.add(text);
      cursor = page.cursor;
    }
    let lines: string[] = [];
    for (const prefix of list) {
      lines.push(printPrefix(prefix));
      if (lines.length < BLOCK) continue;
      await io.out(`${lines.join('\n')}\n`);
      lines = [];
    }
    if (lines.length > 0) await io.out(`${lines.join('\n')}\n`);
    return EXIT.ok;
  });
}

/** Prefixes to be read in their order. One of IPv4 is a number, so that a million of them is sorted in a moment. */
export class SortedPrefixes {
  #four = new Float64Array(1024);
  #count = 0;
  readonly #six: Prefix[] = [];

  add(text: string): void {
    const parsed = parsePrefix(text);
    if (!parsed.ok) throw new RangeError(parsed.error.message);
    const { prefix } = parsed;
    if (prefix.family === 6) {
      this.#six.push(prefix);
      return;
    }
    if (this.#count === this.#four.length) {
      const grown = new Float64Array(2 * this.#count);
      grown.set(this.#four);
      this.#four = grown;
    }
    this.#four[this.#count++] = prefix.w0 * 64 + prefix.length;
  }

  *[Symbol.iterator](): Generator<Prefix> {
    for (const key of this.#four.subarray(0, this.#count).sort()) yield prefixFromWords(4, Math.floor(key / 64), 0, 0, 0, key % 64);
    yield* this.#six.sort(comparePrefix);
  }
}
