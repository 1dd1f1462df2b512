import type { HookRules, Rule } from '../../../model/rule.ts';
import type { MeterImage, RuleImage } from '../image.ts';
import { ChainBook, type Entry } from './chains.ts';
import { FlowMemo } from './flows/flow-memo.ts';
import type { KeyedRule } from './key-box.ts';
import { LayerMemo } from './layer-memo.ts';
import { type Layers, layersOf } from './layers.ts';

/** What a rule of a hook came to. */
interface Placed {
  readonly rule: Rule;
  readonly images: readonly RuleImage[];
  readonly meters: readonly MeterImage[];
  /** Chains and maps that it asked for. */
  readonly asked: readonly Entry[];
}

/** What one compilation came to. */
interface Compilation {
  /** What rules are compiled under besides what they say. */
  readonly conditions: string;
  /** By hook, and by ref. */
  readonly placed: Map<string, Map<string, Placed>>;
  readonly book: ChainBook;
  /** By hook and run. */
  readonly layers: Map<string, LayerMemo>;
}

/**
 * What the rules came to when they were compiled last: those that are as they were are not compiled again, and their images are the same objects. The result is what it
 * would be without it. Holds what one table takes.
 */
export class CompileMemo {
  readonly flows: FlowMemo = new FlowMemo();
  #last: Compilation | undefined;
  #now: Compilation | undefined;

  /** Begins another compilation; what was known holds only under the same conditions. Returns the book for its chains. */
  begin(conditions: string): ChainBook {
    if (this.#last?.conditions !== conditions) this.#last = undefined;
    const book = new ChainBook(this.#last?.book.entries);
    this.#now = { conditions, placed: new Map(), book, layers: new Map() };
    return book;
  }

  /** The compilation that was begun is over. */
  end(): void {
    this.#last = this.#now;
    this.#now = undefined;
    this.#last?.book.close();
  }

  /** What `layersOf` finds for the rules of a run of a hook. */
  layersOf(run: string, rules: readonly KeyedRule[]): Layers | undefined {
    const known = this.#last?.layers.get(run);
    const layers = known ? known.layersOf(rules) : layersOf(rules);
    if (layers) this.#now?.layers.set(run, new LayerMemo(rules, layers));
    return layers;
  }

  /** What the rule comes to: as it was, or made by `make`. */
  place(hook: HookRules, rule: Rule, book: ChainBook, meters: MeterImage[], make: () => readonly RuleImage[]): readonly RuleImage[] {
    const at = `${hook.hook} ${hook.priority}`;
    const known = this.#last?.placed.get(at)?.get(rule.ref);
    if (known && saysTheSame(known.rule, rule)) {
      if (known.asked.length > 0) book.replay(known.asked);
      if (known.meters.length > 0) meters.push(...known.meters);
      this.#keep(at, rule.ref, known);
      return known.images;
    }
    const before = meters.length;
    const { value: images, asked } = book.record(make);
    this.#keep(at, rule.ref, { rule, images, asked, meters: meters.slice(before) });
    return images;
  }

  #keep(at: string, ref: string, placed: Placed): void {
    const hook = this.#now?.placed.get(at);
    if (hook) hook.set(ref, placed);
    else this.#now?.placed.set(at, new Map([[ref, placed]]));
  }
}

/** Where something is written does not change what it says. */
const ELSEWHERE = new Set(['span', 'provenance', 'text', 'priority', 'stage']);

/** Whether two values of plain data say the same to nf_tables. */
function saysTheSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => saysTheSame(item, b[i]));
  }
  const [one, other] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  for (const key in one) if (!ELSEWHERE.has(key) && !saysTheSame(one[key], other[key])) return false;
  for (const key in other) if (!(key in one) && !ELSEWHERE.has(key) && other[key] !== undefined) return false;
  return true;
}
