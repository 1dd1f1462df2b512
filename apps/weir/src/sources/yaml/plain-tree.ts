import { MAX_DEPTH, MAX_LINE, type TreeBounds } from './bounds.ts';
import type { Place, SourceText } from './source-text.ts';
import type { ConfigNode, MapEntry } from './tree.ts';

/** What the whole of YAML has and this reader does not: it then has nothing to say, and the parser of all of YAML is asked. */
const BEYOND = Symbol('beyond');

/** Control characters, tabs, carriage returns, byte order marks, line separators and what needs two UTF-16 units. */
const CONTROL = /[^\P{Cc}\n]/u;
const UNUSUAL = /[\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]/;
const KEY = /[A-Za-z_][A-Za-z0-9_.-]*(?=:(?: |\n|$))/y;
const MAX_KEY = 1000;
const SPACE = 0x20;

/**
 * The tree of a text that uses only the plain part of YAML, in a fraction of the time that the parser of all of YAML takes: block mappings with
 * simple keys, block lists, block scalars, and on one line each flow lists, flow mappings, quoted scalars and plain scalars of the core schema. Undefined for
 * everything else and for every mistake: what it returns is what `parseTree` would return, and it reports nothing.
 */
export function readPlainTree(source: SourceText, bounds: TreeBounds): ConfigNode | undefined {
  if (CONTROL.test(source.text) || UNUSUAL.test(source.text)) return undefined;
  try {
    return new PlainReader(source, bounds).read();
  } catch (error) {
    if (error === BEYOND) return undefined;
    throw error;
  }
}

class PlainReader {
  readonly #source: SourceText;
  readonly #text: string;
  readonly #maxValues: number;
  /** Lines with content: where they start, where they end, and how far they are indented. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #indents: number[] = [];
  #line = 0;
  #values = 0;

  constructor(source: SourceText, bounds: TreeBounds) {
    this.#source = source;
    this.#text = source.text;
    this.#maxValues = bounds.values;
  }

  read(): ConfigNode {
    this.#findLines();
    const first = this.#starts[0];
    if (first !== undefined && this.#text.slice(first, this.#ends[0]) === '---') this.#line = 1;
    if (this.#line >= this.#starts.length) throw BEYOND;
    const node = this.#block(this.#indent(), 0);
    if (this.#line < this.#starts.length) throw BEYOND;
    return node;
  }

  #findLines(): void {
    const text = this.#text;
    for (let start = 0; start < text.length; ) {
      const newline = text.indexOf('\n', start);
      const end = newline < 0 ? text.length : newline;
      if (end - start > MAX_LINE) throw BEYOND;
      let at = start;
      while (at < end && text.charCodeAt(at) === SPACE) at++;
      if (at < end && text[at] !== '#') {
        if (at === start && /^(%|\.\.\.|---.)/.test(text.slice(start, start + 4))) throw BEYOND;
        this.#starts.push(start);
        this.#ends.push(end);
        this.#indents.push(at - start);
      }
      start = end + 1;
    }
  }

  /** How far the current line is indented; -1 past the last. */
  #indent(): number {
    return this.#indents[this.#line] ?? -1;
  }

  /** Where the current line starts and ends. */
  #start(): number {
    return this.#starts[this.#line] ?? this.#text.length;
  }

  #end(): number {
    return this.#ends[this.#line] ?? this.#text.length;
  }

  #count(depth: number): void {
    if (++this.#values > this.#maxValues || depth > MAX_DEPTH) throw BEYOND;
  }

  #place(start: number, end: number): Place {
    return { source: this.#source, start, end };
  }

  /** The collection whose first entry is in this column of the current line. */
  #block(column: number, depth: number): ConfigNode {
    return this.#isDash(this.#start() + column) ? this.#list(column, depth) : this.#map(column, depth);
  }

  /** Whether a `-` and a space, or the end of the line, is here. */
  #isDash(at: number): boolean {
    return this.#text[at] === '-' && (at + 1 >= this.#text.length || this.#text[at + 1] === ' ' || this.#text[at + 1] === '\n');
  }

  #key(at: number): string | undefined {
    KEY.lastIndex = at;
    if (!KEY.test(this.#text)) return undefined;
    // A key on one line with its value is not longer in YAML.
    if (KEY.lastIndex - at > MAX_KEY) throw BEYOND;
    return this.#text.slice(at, KEY.lastIndex);
  }

  #map(column: number, depth: number): ConfigNode {
    this.#count(depth);
    const entries: MapEntry[] = [];
    const seen = new Set<string>();
    const mapStart = this.#start() + column;
    let mapEnd = mapStart;
    do {
      const keyStart = this.#start() + column;
      const key = this.#key(keyStart);
      if (key === undefined || seen.has(key)) throw BEYOND;
      seen.add(key);
      const keyPlace = this.#place(keyStart, keyStart + key.length);
      const at = this.#skipSpaces(keyPlace.end + 1);
      let value: ConfigNode;
      if (at < 0) {
        this.#line++;
        const indent = this.#indent();
        if (indent > column) value = this.#block(indent, depth + 1);
        else if (indent === column && this.#isDash(this.#start() + column)) value = this.#list(column, depth + 1);
        else {
          this.#count(depth + 1);
          value = { kind: 'scalar', place: keyPlace, value: null, text: '' };
        }
      } else {
        value = this.#text[at] === '|' || this.#text[at] === '>' ? this.#blockScalar(at, column, depth + 1) : this.#inline(at, depth + 1);
        this.#line++;
      }
      mapEnd = Math.max(keyPlace.end + 1, value.place.end);
      entries.push({ key, keyPlace, value });
    } while (this.#follows(column) && !this.#isDash(this.#start() + column));
    return { kind: 'map', place: this.#place(mapStart, mapEnd), entries };
  }

  #list(column: number, depth: number): ConfigNode {
    this.#count(depth);
    const items: ConfigNode[] = [];
    const start = this.#start() + column;
    do {
      const at = this.#skipSpaces(this.#start() + column + 1);
      if (at < 0) {
        this.#line++;
        if (this.#indent() <= column) throw BEYOND;
        items.push(this.#block(this.#indent(), depth + 1));
      } else if (this.#isDash(at)) throw BEYOND;
      else if (this.#key(at) !== undefined) items.push(this.#map(at - this.#start(), depth + 1));
      else {
        items.push(this.#inline(at, depth + 1));
        this.#line++;
      }
    } while (this.#follows(column) && this.#isDash(this.#start() + column));
    return { kind: 'list', place: this.#place(start, items.at(-1)?.place.end ?? start), items };
  }

  /** Whether the current line is in this column. One that is deeper belongs to what was just read, which is more than this reader knows. */
  #follows(column: number): boolean {
    if (this.#indent() > column) throw BEYOND;
    return this.#indent() === column;
  }

  /** The next character of the line that is no space, or -1 at its end or at a comment. */
  #skipSpaces(from: number): number {
    const end = this.#end();
    let at = from;
    while (at < end && this.#text.charCodeAt(at) === SPACE) at++;
    if (at >= end) return -1;
    return this.#text[at] === '#' && at > from ? -1 : at;
  }

  /**
   * The scalar of a mapping in `column` whose `|` or `>` is here; the current line is its last afterwards. With no indicator but `-`, and a folded one only where
   * all of its lines are indented alike.
   */
  #blockScalar(at: number, column: number, depth: number): ConfigNode {
    this.#count(depth);
    const text = this.#text;
    const strip = text[at + 1] === '-';
    if (at + (strip ? 2 : 1) < this.#end()) throw BEYOND;
    const indent = this.#indents[this.#line + 1] ?? -1;
    if (indent <= column) throw BEYOND;
    const lines: string[] = [];
    let end = this.#end() + 1;
    for (let start = end; start < text.length; ) {
      const newline = text.indexOf('\n', start);
      const stop = newline < 0 ? text.length : newline;
      let first = start;
      while (first < stop && text.charCodeAt(first) === SPACE) first++;
      if (first < stop && first - start < indent) break;
      // Lines of nothing but spaces, and those that look like comments, have rules of their own.
      if (first < stop ? text[first] === '#' : first > start) throw BEYOND;
      if (text[at] === '>' && first - start !== indent) throw BEYOND;
      lines.push(first < stop ? text.slice(start + indent, stop) : '');
      if (first < stop) {
        this.#line++;
        end = Math.min(stop + 1, text.length);
      }
      start = stop + 1;
    }
    while (lines.at(-1) === '') lines.pop();
    if (lines.length === 0) throw BEYOND;
    const value = lines.join(text[at] === '|' ? '\n' : ' ') + (strip ? '' : '\n');
    return { kind: 'scalar', place: this.#place(at, end), value, text: value };
  }

  /** A value in the rest of the line, and nothing after it. */
  #inline(at: number, depth: number): ConfigNode {
    const first = this.#text[at];
    let node: ConfigNode;
    if (first === '[' || first === '{') node = this.#flow(at, depth);
    else if (first === '"' || first === "'") node = this.#quoted(at, depth);
    else return this.#plainToEnd(at, depth);
    if (node.place.end < this.#end() && (this.#text[node.place.end] !== ' ' || this.#skipSpaces(node.place.end) >= 0)) throw BEYOND;
    return node;
  }

  #plainToEnd(at: number, depth: number): ConfigNode {
    let rest = this.#text.slice(at, this.#end());
    const comment = rest.indexOf(' #');
    if (comment >= 0) rest = rest.slice(0, comment);
    rest = withoutSpaces(rest);
    if (rest.endsWith(':') || rest.includes(': ')) throw BEYOND;
    return this.#plain(rest, at, depth);
  }

  #flow(at: number, depth: number): ConfigNode {
    this.#count(depth);
    if (depth > MAX_DEPTH) throw BEYOND;
    return this.#text[at] === '[' ? this.#flowList(at, depth) : this.#flowMap(at, depth);
  }

  #flowList(start: number, depth: number): ConfigNode {
    const items: ConfigNode[] = [];
    let at = this.#flowSpaces(start + 1);
    while (this.#text[at] !== ']') {
      const item = this.#flowValue(at, depth + 1);
      items.push(item);
      at = this.#flowSeparator(item.place.end, ']');
    }
    return { kind: 'list', place: this.#place(start, at + 1), items };
  }

  #flowMap(start: number, depth: number): ConfigNode {
    const entries: MapEntry[] = [];
    const seen = new Set<string>();
    let at = this.#flowSpaces(start + 1);
    while (this.#text[at] !== '}') {
      const key = this.#key(at);
      if (key === undefined || seen.has(key)) throw BEYOND;
      seen.add(key);
      const keyPlace = this.#place(at, at + key.length);
      const value = this.#flowValue(this.#flowSpaces(keyPlace.end + 1), depth + 1);
      entries.push({ key, keyPlace, value });
      at = this.#flowSeparator(value.place.end, '}');
    }
    return { kind: 'map', place: this.#place(start, at + 1), entries };
  }

  /** After a value of a flow collection: the next value, or the closing bracket. */
  #flowSeparator(from: number, close: string): number {
    const at = this.#flowSpaces(from);
    if (this.#text[at] === close) return at;
    if (this.#text[at] !== ',') throw BEYOND;
    return this.#flowSpaces(at + 1);
  }

  #flowSpaces(from: number): number {
    const at = this.#skipSpaces(from);
    if (at < 0 || this.#text[at] === '#') throw BEYOND;
    return at;
  }

  #flowValue(at: number, depth: number): ConfigNode {
    const first = this.#text[at];
    if (first === '[' || first === '{') return this.#flow(at, depth);
    if (first === '"' || first === "'") {
      const node = this.#quoted(at, depth);
      if (this.#text[node.place.end] === ':') throw BEYOND;
      return node;
    }
    let end = at;
    for (const stop = this.#end(); ; end++) {
      const c = end < stop ? this.#text[end] : undefined;
      if (c === undefined || (c === '#' && this.#text[end - 1] === ' ')) throw BEYOND;
      if (c === ',' || c === ']' || c === '}' || c === '[' || c === '{') break;
      const next = this.#text[end + 1];
      if (c === ':' && (next === undefined || ' \n,[]{}'.includes(next))) throw BEYOND;
    }
    return this.#plain(withoutSpaces(this.#text.slice(at, end)), at, depth);
  }

  #quoted(at: number, depth: number): ConfigNode {
    this.#count(depth);
    const text = this.#text;
    const quote = text[at];
    const stop = this.#end();
    let end = at + 1;
    let escaped = false;
    for (; ; end++) {
      if (end >= stop) throw BEYOND;
      const c = text[end];
      if (c === '\\' && quote === '"') {
        if (text[end + 1] !== '"' && text[end + 1] !== '\\') throw BEYOND;
        escaped = true;
        end++;
      } else if (c === quote) {
        if (quote === '"' || text[end + 1] !== "'") break;
        escaped = true;
        end++;
      }
    }
    let value = text.slice(at + 1, end);
    if (escaped) value = quote === '"' ? value.replace(/\\(.)/g, '$1') : value.replaceAll("''", "'");
    return { kind: 'scalar', place: this.#place(at, end + 1), value, text: value };
  }

  #plain(text: string, at: number, depth: number): ConfigNode {
    this.#count(depth);
    if (text === '' || (/^[-?:,[\]{}#&*!|>'"%@`]/.test(text) && !/^-[0-9A-Za-z.]/.test(text))) throw BEYOND;
    const place = this.#place(at, at + text.length);
    return { kind: 'scalar', place, value: coreValue(text), text };
  }
}

/** Without the spaces at its end; other white space belongs to a scalar. */
function withoutSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === SPACE) end--;
  return end === text.length ? text : text.slice(0, end);
}

/** The value of a plain scalar (YAML 1.2.2 section 10.3.2). */
function coreValue(text: string): string | number | boolean | null {
  if (!/^[-+.0-9~nNtTfF]/.test(text)) return text;
  if (/^(?:~|[Nn]ull|NULL)$/.test(text)) return null;
  if (/^(?:[Tt]rue|TRUE)$/.test(text)) return true;
  if (/^(?:[Ff]alse|FALSE)$/.test(text)) return false;
  if (/^[-+]?[0-9]+$/.test(text)) return Number.parseInt(text, 10);
  if (/^0x[0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number.parseFloat(text);
  if (/^(?:0o|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$)/.test(text)) throw BEYOND;
  return text;
}
