import { FeedError } from '../../model/feed.ts';
import { type EntrySink, type FeedParser, LONGEST_LINE } from './feed-parser.ts';

const [TAB, LF, CR, SPACE, HASH, SEMICOLON] = [0x09, 0x0a, 0x0d, 0x20, 0x23, 0x3b];
const MARK = '\u00ef\u00bb\u00bf';

/** Plain text: the first word of each line; `#` and `;` begin a comment. */
export class TextParser implements FeedParser {
  readonly #sink: EntrySink;
  #line = 0;
  #rest: Buffer[] = [];
  #kept = 0;
  /** The line is longer than its bound: only its end is looked for. */
  #skips = false;

  constructor(sink: EntrySink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let at = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, at)) {
      if (this.#skips || this.#kept > 0) this.#gather(chunk.subarray(at, end));
      if (this.#skips || this.#kept > 0) this.#finish();
      else this.#read(chunk, at, end);
      at = end + 1;
    }
    if (at < chunk.length) this.#gather(chunk.subarray(at));
  }

  end(): void {
    if (this.#skips || this.#kept > 0) this.#finish();
  }

  #gather(part: Buffer): void {
    this.#kept += part.length;
    if (this.#skips || this.#kept > LONGEST_LINE) {
      this.#skips = true;
      this.#rest = [];
    } else if (part.length > 0) this.#rest.push(Buffer.from(part));
  }

  #finish(): void {
    const line = Buffer.concat(this.#rest);
    const skips = this.#skips;
    this.#rest = [];
    this.#kept = 0;
    this.#skips = false;
    if (!skips) this.#read(line, 0, line.length);
    else this.#sink.bad('too-long', '', ++this.#line);
  }

  #read(octets: Buffer, from: number, to: number): void {
    if (to - from > LONGEST_LINE) {
      this.#sink.bad('too-long', '', ++this.#line);
      return;
    }
    const line = ++this.#line;
    let start = from;
    if (line === 1 && octets.toString('latin1', from, Math.min(to, from + MARK.length)) === MARK) start += 3;
    while (start < to && isSpace(octets[start])) start++;
    let end = start;
    for (; end < to; end++) {
      const octet = octets[end] as number;
      if (octet === HASH || octet === SEMICOLON || isSpace(octet)) break;
      if (octet < SPACE) throw new FeedError('format', `line ${line}: not text: an octet 0x${octet.toString(16).padStart(2, '0')}`);
    }
    if (end > start) this.#sink.entry(octets.toString('latin1', start, end), line);
  }
}

function isSpace(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB || octet === CR;
}
