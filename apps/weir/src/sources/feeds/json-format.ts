import { FeedError, type JsonPath } from '../../model/feed.ts';
import { type EntrySink, type FeedParser, LONGEST_LINE } from './feed-parser.ts';

/** Values inside of each other. */
export const DEEPEST = 64;
/** Paths of one list: their places are bits of a word. */
export const MOST_PATHS = 16;
/** Characters of a number or a word. */
const LONGEST_WORD = 64;

const [LF, QUOTE, BACKSLASH, COMMA, COLON] = [0x0a, 0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const WORD = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const MARK = [0xef, 0xbb, 0xbf];

/** What may come next. */
type Expects = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end';

interface Container {
  readonly isArray: boolean;
  /** Paths that lead here, a bit each. */
  readonly paths: number;
  index: number;
}

/**
 * Texts of a JSON document at some paths; of several documents one after the other (newline-delimited JSON) those of each. Nothing of it is kept but where it is. What has no text at a path, or null, is
 * passed over; another value there is a bad line.
 */
export class JsonParser implements FeedParser {
  readonly #sink: EntrySink;
  readonly #paths: readonly JsonPath[];
  readonly #stack: Container[] = [];
  #expects: Expects = 'value';
  /** Paths that lead to the value to come. */
  #at: number;
  #token: 'none' | 'string' | 'word' = 'none';
  #escaped = false;
  #hasEscapes = false;
  #parts: Buffer[] = [];
  #size = 0;
  #line = 1;
  #documents = 0;
  #mark = 0;

  constructor(sink: EntrySink, paths: readonly JsonPath[]) {
    if (paths.length > MOST_PATHS) throw new RangeError(`at most ${MOST_PATHS} paths`);
    this.#sink = sink;
    this.#paths = paths;
    this.#at = this.#all;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#token === 'string') at = this.#string(chunk, at);
      else if (this.#token === 'word') at = this.#word(chunk, at);
      else at = this.#between(chunk, at);
    }
  }

  end(): void {
    if (this.#token === 'word') this.#endWord();
    if (this.#token !== 'none' || this.#stack.length > 0) throw this.#error('the document ends in the middle');
    if (this.#documents === 0) throw this.#error('there is no document');
  }

  get #all(): number {
    return (1 << this.#paths.length) - 1;
  }

  #between(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const octet = chunk[at] as number;
      if (octet === LF) this.#line++;
      if (octet === LF || octet === 0x20 || octet === 0x09 || octet === 0x0d) continue;
      if (this.#mark < MARK.length && this.#documents === 0 && this.#stack.length === 0 && octet === MARK[this.#mark]) {
        this.#mark++;
        continue;
      }
      this.#mark = MARK.length;
      if (octet === QUOTE) {
        if (this.#expects === 'colon' || this.#expects === 'comma-or-end') throw this.#unexpected(octet);
        this.#token = 'string';
        this.#hasEscapes = false;
        return at + 1;
      }
      if (isWord(octet)) {
        if (this.#expects !== 'value' && this.#expects !== 'value-or-end') throw this.#unexpected(octet);
        this.#token = 'word';
        return at;
      }
      this.#sign(octet);
    }
    return chunk.length;
  }

  #sign(octet: number): void {
    const top = this.#stack.at(-1);
    const expects = this.#expects;
    if (octet === COLON && expects === 'colon') this.#expects = 'value';
    else if (octet === COMMA && expects === 'comma-or-end' && top) {
      if (top.isArray) {
        this.#expects = 'value';
        top.index++;
        this.#at = this.#inside(top, undefined);
      } else this.#expects = 'key';
    } else if ((octet === OPEN_OBJECT || octet === OPEN_ARRAY) && (expects === 'value' || expects === 'value-or-end')) {
      if (this.#stack.length === DEEPEST) throw this.#error(`values are inside of each other more than ${DEEPEST} deep`);
      if (this.#isWanted()) this.#sink.bad('not-a-prefix', octet === OPEN_ARRAY ? '[...]' : '{...}', this.#line);
      const container: Container = { isArray: octet === OPEN_ARRAY, paths: this.#at, index: 0 };
      this.#stack.push(container);
      this.#expects = container.isArray ? 'value-or-end' : 'key-or-end';
      if (container.isArray) this.#at = this.#inside(container, undefined);
    } else if (octet === CLOSE_ARRAY && top?.isArray && (expects === 'value-or-end' || expects === 'comma-or-end')) this.#leave();
    else if (octet === CLOSE_OBJECT && top && !top.isArray && (expects === 'key-or-end' || expects === 'comma-or-end')) this.#leave();
    else throw this.#unexpected(octet);
  }

  #leave(): void {
    this.#stack.pop();
    this.#ended();
  }

  /** A value is whole. */
  #ended(): void {
    if (this.#stack.length > 0) this.#expects = 'comma-or-end';
    else {
      this.#documents++;
      this.#expects = 'value';
      this.#at = this.#all;
    }
  }

  /** Paths that lead on to a member or the present element. */
  #inside(container: Container, key: string | undefined): number {
    const depth = this.#stack.length - 1;
    let out = 0;
    if (container.paths === 0) return out;
    for (let i = 0; i < this.#paths.length; i++) {
      const step = this.#paths[i]?.[depth];
      if ((container.paths & (1 << i)) === 0 || !step) continue;
      if (step.kind === 'any' || (step.kind === 'key' ? step.key === key : key === undefined && step.index === container.index))
        out |= 1 << i;
    }
    return out;
  }

  /** Whether a path ends at the value to come. */
  #isWanted(): boolean {
    if (this.#at === 0) return false;
    return this.#paths.some((path, i) => (this.#at & (1 << i)) !== 0 && path.length === this.#stack.length);
  }

  #string(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const octet = chunk[at] as number;
      if (this.#escaped) this.#escaped = false;
      else if (octet === BACKSLASH) {
        this.#escaped = true;
        this.#hasEscapes = true;
      } else if (octet === QUOTE) {
        this.#keep(chunk, from, at);
        this.#endString();
        return at + 1;
      } else if (octet < 0x20) throw this.#error('a control character in a text');
    }
    this.#keep(chunk, from, chunk.length);
    return chunk.length;
  }

  /** Of a text that is too long only that it is too long. */
  #keep(chunk: Buffer, from: number, to: number): void {
    this.#size += to - from;
    if (this.#size > LONGEST_LINE) this.#parts = [];
    else if (this.#isKey() || this.#isWanted()) this.#parts.push(Buffer.from(chunk.subarray(from, to)));
  }

  #isKey(): boolean {
    return this.#expects === 'key' || this.#expects === 'key-or-end';
  }

  #endString(): void {
    const tooLong = this.#size > LONGEST_LINE;
    const raw = tooLong ? '' : (this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts))?.toString('utf8');
    this.#parts = [];
    this.#size = 0;
    this.#token = 'none';
    const text = this.#hasEscapes && raw !== undefined ? this.#unescape(raw) : (raw ?? '');
    if (this.#isKey()) {
      const top = this.#stack.at(-1);
      this.#at = top && !tooLong ? this.#inside(top, text) : 0;
      this.#expects = 'colon';
      return;
    }
    if (this.#isWanted()) {
      if (tooLong) this.#sink.bad('too-long', '', this.#line);
      else this.#sink.entry(text.trim(), this.#line);
    }
    this.#ended();
  }

  #unescape(raw: string): string {
    try {
      return String(JSON.parse(`"${raw}"`));
    } catch (error) {
      if (error instanceof SyntaxError) throw this.#error('an escape that is none in a text');
      throw error;
    }
  }

  #word(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && isWord(chunk[at] as number)) at++;
    this.#size += at - from;
    if (this.#size > LONGEST_WORD) throw this.#error(`a number or word of more than ${LONGEST_WORD} characters`);
    this.#parts.push(Buffer.from(chunk.subarray(from, at)));
    if (at < chunk.length) this.#endWord();
    return at;
  }

  #endWord(): void {
    const word = Buffer.concat(this.#parts).toString('latin1');
    this.#parts = [];
    this.#size = 0;
    this.#token = 'none';
    if (!WORD.test(word)) throw this.#error(`not JSON: ${word}`);
    if (word !== 'null' && this.#isWanted()) this.#sink.bad('not-a-prefix', word, this.#line);
    this.#ended();
  }

  #unexpected(octet: number): FeedError {
    const sign = octet > 0x20 && octet < 0x7f ? `"${String.fromCharCode(octet)}"` : `an octet 0x${octet.toString(16).padStart(2, '0')}`;
    return this.#error(`not JSON: ${sign} where ${WHAT[this.#expects]} should be`);
  }

  #error(what: string): FeedError {
    return new FeedError('format', `line ${this.#line}: ${what}`);
  }
}

const WHAT: Readonly<Record<Expects, string>> = {
  value: 'a value',
  'value-or-end': 'a value or ]',
  key: 'a name',
  'key-or-end': 'a name or }',
  colon: 'a colon',
  'comma-or-end': 'a comma or the end',
};

/** Whether it is of a number, true, false or null. */
function isWord(octet: number): boolean {
  return (
    (octet >= 0x30 && octet <= 0x39) ||
    (octet >= 0x61 && octet <= 0x7a) ||
    (octet >= 0x41 && octet <= 0x5a) ||
    octet === 0x2b ||
    octet === 0x2d ||
    octet === 0x2e
  );
}
