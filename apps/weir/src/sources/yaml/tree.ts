import { isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { findExcess, MAX_DEPTH, SMALL_TREE, type TreeBounds } from './bounds.ts';
import type { Code } from './codes.ts';
import { readPlainTree } from './plain-tree.ts';
import type { Place, SourceText } from './source-text.ts';

export interface MapEntry {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: ConfigNode;
}

/** YAML with places. A scalar keeps the text it was written as, so that `64086.59905` is not a float where an AS number is meant. */
export type ConfigNode =
  | { readonly kind: 'map'; readonly place: Place; readonly entries: readonly MapEntry[] }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly ConfigNode[] }
  | {
      readonly kind: 'scalar';
      readonly place: Place;
      readonly value: string | number | boolean | null;
      readonly text: string;
    };

export type Report = (code: Code, place: Place, message: string, hint?: string) => void;

/** Parses one document. Mistakes are reported; what is left is returned, or undefined when nothing can be made of the text. Never throws. */
export function parseTree(source: SourceText, report: Report, bounds: TreeBounds = SMALL_TREE): ConfigNode | undefined {
  return readPlainTree(source, bounds) ?? parseAnyTree(source, report, bounds);
}

/** The same for all of YAML; what `readPlainTree` returns is measured by it. */
export function parseAnyTree(source: SourceText, report: Report, bounds: TreeBounds): ConfigNode | undefined {
  const whole: Place = { source, start: 0, end: 0 };
  const excess = findExcess(source.text, bounds.tokens);
  if (excess) {
    report(excess.code, { source, start: excess.start, end: excess.end }, excess.message);
    return undefined;
  }
  let document: ReturnType<typeof parseDocument>;
  try {
    // With the log level 'silent' the parser would pass over every document but the first.
    document = parseDocument(source.text, { uniqueKeys: false, prettyErrors: false, logLevel: 'error', strict: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report('E004', whole, `nested deeper than ${MAX_DEPTH} levels`);
    return undefined;
  }
  for (const problem of [...document.errors, ...document.warnings]) {
    const more = problem.code === 'MULTIPLE_DOCS';
    const message = more ? 'a second document begins here; a file holds one' : firstLine(problem.message);
    report(
      'E003',
      { source, start: problem.pos[0], end: more ? problem.pos[0] + 1 : Math.max(problem.pos[0] + 1, problem.pos[1]) },
      message,
    );
  }
  const builder = new TreeBuilder(source, report, bounds.values);
  return builder.build(document.contents, 0, whole);
}

function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return end < 0 ? text : text.slice(0, end);
}

class TreeBuilder {
  readonly #source: SourceText;
  readonly #report: Report;
  readonly #maxValues: number;
  readonly #anchors = new Map<string, unknown>();
  #values = 0;
  #gaveUp = false;

  constructor(source: SourceText, report: Report, maxValues: number) {
    this.#source = source;
    this.#report = report;
    this.#maxValues = maxValues;
  }

  build(node: unknown, depth: number, parent: Place): ConfigNode | undefined {
    const place = this.#place(node, parent);
    if (this.#gaveUp) return undefined;
    if (++this.#values > this.#maxValues) return this.#giveUp(place, `more than ${this.#maxValues} values, counting what aliases repeat`);
    if (depth > MAX_DEPTH) return this.#giveUp(place, `nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) {
      if (!this.#anchors.has(node.source)) {
        this.#report('E003', place, `alias *${node.source} has no anchor before it`);
        return undefined;
      }
      return this.build(this.#anchors.get(node.source), depth + 1, place);
    }
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) {
      const entries: MapEntry[] = [];
      const seen = new Set<string>();
      for (const pair of node.items) {
        const keyPlace = this.#place(pair.key, place);
        if (!isScalar(pair.key) || pair.key.value === null) {
          this.#report('E008', keyPlace, 'a key must be a word');
          continue;
        }
        const key = typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? String(pair.key.value));
        if (seen.has(key)) {
          this.#report('E005', keyPlace, `${key} is given twice in the same mapping`);
          continue;
        }
        seen.add(key);
        const value = this.build(pair.value, depth + 1, keyPlace);
        if (value) entries.push({ key, keyPlace, value });
      }
      return { kind: 'map', place, entries };
    }
    if (isSeq(node)) {
      const items: ConfigNode[] = [];
      for (const item of node.items) {
        const value = this.build(item, depth + 1, place);
        if (value) items.push(value);
      }
      return { kind: 'list', place, items };
    }
    if (isScalar(node)) {
      const value = node.value;
      if (typeof value === 'string') return { kind: 'scalar', place, value, text: value };
      const text = node.source ?? String(value);
      if (typeof value === 'number' || typeof value === 'boolean' || value === null) return { kind: 'scalar', place, value, text };
      return { kind: 'scalar', place, value: text, text };
    }
    return { kind: 'scalar', place, value: null, text: '' };
  }

  #place(node: unknown, parent: Place): Place {
    const range = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range : undefined;
    if (!range || range[1] < range[0]) return parent;
    // An empty value has an empty range after its key: the key is the better place to point at.
    if (range[0] === range[1] && parent.end > parent.start) return parent;
    return { source: this.#source, start: range[0], end: range[1] };
  }

  #giveUp(place: Place, message: string): undefined {
    this.#gaveUp = true;
    this.#report('E004', place, message);
    return undefined;
  }
}
