import { FeedError } from '../../model/feed.ts';
import { type EntrySink, type FeedParser, LONGEST_LINE } from './feed-parser.ts';

const [TAB, LF, CR, SPACE, QUOTE, HASH] = [0x09, 0x0a, 0x0d, 0x20, 0x22, 0x23];
const MARK = [0xef, 0xbb, 0xbf];
/** Columns that a row may have. */
const MOST_COLUMNS = 4096;
/** Names of columns that are told. */
const SHOWN_NAMES = 12;

/** `begin`: before a field; `plain`, `quoted`: in one; `quote`: after a quote in a quoted one; `comment`: in a line that is one. */
type State = 'begin' | 'plain' | 'quoted' | 'quote' | 'comment';

/** Rows of fields (RFC 4180): one column of each. Rows that begin with `#` are comments; spaces around a field do not count. */
export class CsvParser implements FeedParser {
  readonly #sink: EntrySink;
  readonly #separator: number;
  /** The column from 0; undefined until the first row has told. */
  #column: number | undefined;
  readonly #name: string | undefined;
  readonly #names: string[] = [];
  #state: State = 'begin';
  #line = 1;
  /** The line that the row begins in. */
  #row = 1;
  #length = 0;
  #field = 0;
  /** Octets of the present field, where it is one that counts. */
  readonly #octets: number[] = [];
  #wanted: string | undefined;
  /** Something but blanks is in the row. */
  #filled = false;
  #wrong = false;
  /** Octets of a byte order mark that were passed over. */
  #offset = 0;

  constructor(sink: EntrySink, column: number | string, separator: string) {
    this.#sink = sink;
    this.#separator = separator.charCodeAt(0);
    if (typeof column === 'number') this.#column = column - 1;
    else this.#name = column;
  }

  push(chunk: Buffer): void {
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i] as number;
      if (this.#offset < MARK.length && octet === MARK[this.#offset]) this.#offset++;
      else {
        this.#offset = MARK.length;
        this.#octet(octet);
      }
    }
  }

  end(): void {
    if (this.#state === 'quoted') throw new FeedError('format', `line ${this.#row}: a quote is not closed`);
    this.#endRow();
    if (this.#column === undefined) throw new FeedError('format', 'there is no first row with the names of columns');
  }

  #octet(octet: number): void {
    if (++this.#length > LONGEST_LINE && this.#state === 'quoted')
      throw new FeedError('format', `line ${this.#row}: a quote is not closed within ${LONGEST_LINE} octets`);
    if (octet === LF) {
      this.#line++;
      if (this.#state === 'quoted') this.#keep(octet);
      else this.#endRow();
      return;
    }
    if (octet < SPACE && octet !== TAB && octet !== CR)
      throw new FeedError('format', `line ${this.#line}: not text: an octet 0x${octet.toString(16).padStart(2, '0')}`);
    switch (this.#state) {
      case 'comment':
        return;
      case 'quoted':
        if (octet === QUOTE) this.#state = 'quote';
        else this.#keep(octet);
        return;
      case 'quote':
        if (octet === QUOTE) {
          this.#keep(octet);
          this.#state = 'quoted';
        } else if (octet === this.#separator) this.#endField();
        else if (!isBlank(octet)) this.#wrong = true;
        return;
      case 'begin':
        if (octet === HASH && this.#field === 0) this.#state = 'comment';
        else if (octet === QUOTE) {
          this.#filled = true;
          this.#state = 'quoted';
        } else if (octet === this.#separator) this.#endField();
        else if (!isBlank(octet)) {
          this.#state = 'plain';
          this.#keep(octet);
        }
        return;
      case 'plain':
        if (octet === this.#separator) this.#endField();
        else this.#keep(octet);
    }
  }

  #keep(octet: number): void {
    this.#filled = true;
    if (this.#octets.length < LONGEST_LINE && (this.#column === undefined || this.#field === this.#column)) this.#octets.push(octet);
  }

  #endField(): void {
    this.#filled = true;
    this.#take();
    if (++this.#field >= MOST_COLUMNS) throw new FeedError('format', `line ${this.#row}: more than ${MOST_COLUMNS} columns`);
    this.#state = 'begin';
  }

  #take(): void {
    if (this.#column === undefined || this.#field === this.#column) {
      const text = Buffer.from(this.#octets).toString('latin1').trim();
      if (this.#column === undefined) this.#names.push(Buffer.from(text, 'latin1').toString('utf8'));
      else this.#wanted = text;
    }
    this.#octets.length = 0;
  }

  #endRow(): void {
    if (this.#state !== 'comment' && this.#filled) {
      this.#take();
      if (this.#column === undefined) this.#findColumn();
      else if (this.#length > LONGEST_LINE) this.#sink.bad('too-long', '', this.#row);
      else if (this.#wanted === undefined) this.#sink.bad('no-column', '', this.#row);
      else if (this.#wrong) this.#sink.bad('not-a-prefix', this.#wanted, this.#row);
      else this.#sink.entry(this.#wanted, this.#row);
    }
    this.#state = 'begin';
    this.#row = this.#line;
    this.#length = 0;
    this.#field = 0;
    this.#octets.length = 0;
    this.#wanted = undefined;
    this.#filled = false;
    this.#wrong = false;
  }

  #findColumn(): void {
    const at = this.#names.indexOf(this.#name ?? '');
    if (at < 0) {
      const names = this.#names.slice(0, SHOWN_NAMES).map((name) => name.slice(0, 40));
      throw new FeedError('format', `line ${this.#row}: no column is named ${this.#name}: there are ${names.join(', ')}`);
    }
    this.#column = at;
  }
}

function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB || octet === CR;
}
