import type { Expr } from '@weir/filter/ir';
import type { ConnectionState, Match, RuleImage, RuleVerdict } from '../image.ts';
import { type Alternative, ANY, EVERYTHING, isPresent, type LiteralForm, multiply, type Product } from './alternative.ts';
import type { ChainBook } from './chains.ts';
import type { Tail } from './effect.ts';
import { flagBit, flagsForm, stateForm, stateOf } from './literal.ts';
import { Inexpressible } from './problem.ts';
import type { Programs } from './programs.ts';

/** Where a packet goes on. `tail` is done with it in place. */
export type Target =
  | { readonly kind: 'return' }
  | { readonly kind: 'goto'; readonly chain: string }
  | { readonly kind: 'tail'; readonly tail: Tail };

export const RETURN: Target = { kind: 'return' };

type Literal = Extract<Expr, { kind: 'literal' }>;

/** A part of an expression; `form` is several literals that are one test of nf_tables. */
type Item = Expr | { readonly kind: 'form'; readonly form: LiteralForm };

/** An `and` in two parts: what stands side by side in one chain, and what takes chains of its own. */
export interface Split {
  readonly product: Product;
  /** Literals whose negation has to hold: they lead away where they pass. */
  readonly barred: readonly LiteralForm[];
  readonly rest: readonly Item[];
}

const MOST_RULES = 4096;

/**
 * The rules of one expression. Each chain decides: a packet that comes to it goes to `yes` or to `no`, and to one of them only. Chains go to each other and do not
 * come back, so what is done is done once.
 */
export class Graph {
  readonly #book: ChainBook;
  readonly #slug: string;
  readonly #name: string;
  readonly #programs: Programs;
  #rules = 0;

  constructor(book: ChainBook, slug: string, name: string, programs: Programs) {
    this.#book = book;
    this.#slug = slug;
    this.#name = name;
    this.#programs = programs;
  }

  chain(rules: readonly RuleImage[]): Target {
    const [only] = rules;
    // A chain that only leads on is where it leads.
    if (rules.length === 0) return RETURN;
    if (only && rules.length === 1 && only.matches.length === 0 && only.count === false && only.verdict.kind === 'goto') {
      return { kind: 'goto', chain: only.verdict.chain };
    }
    return { kind: 'goto', chain: this.#book.chain(this.#slug, rules) };
  }

  /** One rule for each alternative. */
  lead(alternatives: readonly Alternative[], target: Target): RuleImage[] {
    this.#rules += alternatives.length;
    if (this.#rules > MOST_RULES) {
      throw new Inexpressible(
        'nft-too-complex',
        'expression',
        'the expression takes too many rules of nf_tables: and eBPF programs cannot ask it either',
      );
    }
    return alternatives.map(({ matches }) => this.#rule(matches, target));
  }

  #rule(matches: readonly Match[], target: Target): RuleImage {
    if (target.kind !== 'tail') return { name: this.#name, matches, count: false, verdict: target };
    const { tail } = target;
    const verdict: RuleVerdict = tail.verdict.kind === 'continue' ? { kind: 'return' } : tail.verdict;
    return { ...tail, name: this.#name, matches: [...matches, ...tail.matches], verdict };
  }

  /** At the end of a chain. */
  #finally(target: Target): RuleImage[] {
    return target.kind === 'return' ? [] : this.lead([ANY], target);
  }

  /** The rules of a chain that decides about the expression. */
  emit(expr: Item, yes: Target, no: Target): RuleImage[] {
    switch (expr.kind) {
      case 'constant':
        return this.#finally(expr.value ? yes : no);
      case 'literal':
      case 'form':
        return this.all(this.split([expr]), yes, no);
      case 'and':
        return this.all(this.split(expr.items), yes, no);
      case 'or':
        return this.#some(expr.items, yes, no);
      case 'xor':
        return this.#odd(expr.items, expr.negated ? no : yes, expr.negated ? yes : no);
    }
  }

  /** After the product of a split has passed. */
  emitRest({ barred, rest }: Split, yes: Target, no: Target): RuleImage[] {
    const away = barred.flatMap((form) => this.lead(form.yes, no));
    const [first, ...others] = rest;
    if (!first) return [...away, ...this.#finally(yes)];
    let next = yes;
    for (const item of others.reverse()) next = this.chain(this.emit(item, next, no));
    return [...away, ...this.emit(first, next, no)];
  }

  /** A chain that decides about an `and`. */
  all(split: Split, yes: Target, no: Target): RuleImage[] {
    const { product, barred, rest } = split;
    if (barred.length === 0 && rest.length === 0) return [...this.lead(product.alternatives, yes), ...this.#finally(no)];
    const [only] = product.alternatives;
    if (only && product.alternatives.length === 1 && only.matches.length === 0) return this.emitRest(split, yes, no);
    const next = this.chain(this.emitRest(split, yes, no));
    return [...this.lead(product.alternatives, next), ...this.#finally(no)];
  }

  #some(items: readonly Expr[], yes: Target, no: Target): RuleImage[] {
    const simple: RuleImage[] = [];
    const complex: Item[] = [];
    for (const item of joinFlags(items)) {
      const split =
        item.kind === 'literal' || item.kind === 'form' ? this.split([item]) : item.kind === 'and' ? this.split(item.items) : undefined;
      if (split && split.barred.length === 0 && split.rest.length === 0) simple.push(...this.lead(split.product.alternatives, yes));
      else complex.push(item);
    }
    const [first, ...others] = complex;
    if (!first) return [...simple, ...this.#finally(no)];
    let next = no;
    for (const item of others.reverse()) next = this.chain(this.emit(item, yes, next));
    return [...simple, ...this.emit(first, yes, next)];
  }

  #odd(items: readonly Expr[], odd: Target, even: Target): RuleImage[] {
    const [first, ...others] = items;
    if (!first) return this.#finally(even);
    let whenOdd = odd;
    let whenEven = even;
    for (const item of others.reverse()) {
      // What is left, seen from an even number so far, and from an odd one.
      const fromEven = this.chain(this.emit(item, whenOdd, whenEven));
      const fromOdd = this.chain(this.emit(item, whenEven, whenOdd));
      whenOdd = fromOdd;
      whenEven = fromEven;
    }
    return this.emit(first, whenOdd, whenEven);
  }

  /** The same `and` with a program for what takes chains of its own; undefined where programs cannot ask that. */
  withProgram({ product, barred, rest }: Split): Split | undefined {
    const parts = rest.flatMap((item) => (item.kind === 'form' ? [] : [item]));
    const [first, ...others] = parts;
    if (!first || parts.length < rest.length) return undefined;
    const match = this.#programs.tryMatch(others.length === 0 ? first : { kind: 'and', items: parts });
    const more = match && multiply(product, conditionForm(match).yes, true);
    return more && { product: more, barred, rest: [] };
  }

  /** Several parts are one program, where they fit into one. */
  #programForms(parts: readonly Expr[]): readonly LiteralForm[] {
    const [first] = parts;
    if (!first) return [];
    const whole = parts.length > 1 ? this.#programs.tryMatch({ kind: 'and', items: parts }) : undefined;
    return whole ? [conditionForm(whole)] : parts.map((part) => conditionForm(this.#programs.match(part)));
  }

  /** Whether one program is to ask all of it. */
  #isForProgram(expr: Expr): boolean {
    const programs = this.#programs;
    return programs.needs(expr) && !programs.asksSets(expr) && programs.tryMatch(expr) !== undefined;
  }

  split(items: readonly Item[]): Split {
    let product = EVERYTHING;
    const rest: Item[] = [];
    const negated: { readonly form: LiteralForm; readonly item: Literal }[] = [];
    /** Asked by one program together. */
    const programmed: Expr[] = [];
    const factor = (alternatives: readonly Alternative[], disjoint: boolean, item: Item): void => {
      const more = multiply(product, alternatives, disjoint);
      if (more) product = more;
      else rest.push(item);
    };
    for (const item of items) {
      const joined = item.kind === 'or' ? joinFlags(item.items) : undefined;
      const one = joined?.length === 1 ? joined[0] : item;
      if (one?.kind === 'form') {
        factor(one.form.yes, one.form.disjoint, one);
        continue;
      }
      if (one?.kind === 'constant') {
        factor(one.value ? [ANY] : [], true, one);
        continue;
      }
      if (one?.kind !== 'literal') {
        if (item.kind !== 'form' && this.#isForProgram(item)) programmed.push(item);
        else rest.push(item);
        continue;
      }
      const form = this.#programs.nativeForm(one);
      if (!form) programmed.push(one);
      else if (!one.negated) factor(form.yes, form.disjoint, one);
      else if (form.no) factor(form.no, true, one);
      else negated.push({ form, item: one });
    }
    // A negated test of what another test has found to be there is that test turned round.
    const barred: LiteralForm[] = [];
    for (const { form, item } of negated) {
      const { turned } = form;
      const present = turned && product.alternatives.length > 0 && product.alternatives.every((given) => isPresent(given, turned));
      if (present) factor([turned], true, item);
      else barred.push(form);
    }
    // What costs most comes last.
    for (const form of this.#programForms(programmed)) factor(form.yes, true, { kind: 'form', form });
    return { product, barred, rest };
  }
}

/** A condition that every packet can be asked, of which the negation is not needed. */
function conditionForm(match: Match): LiteralForm {
  return { yes: [{ family: undefined, protocol: undefined, matches: [match] }], disjoint: true, no: undefined, turned: undefined };
}

/** In an `or`, flags of one octet are one test with a mask, and states of the connection are one test. */
function joinFlags(items: readonly Expr[]): readonly Item[] {
  let mask = 0;
  const states: ConnectionState[] = [];
  const out: Item[] = [];
  const joined: Item[] = [];
  for (const item of items) {
    const test = item.kind === 'literal' && !item.negated ? item.test : undefined;
    const bit = test && flagBit(test);
    const state = test && stateOf(test);
    if (bit === undefined && state === undefined) out.push(item);
    else joined.push(item);
    mask |= bit ?? 0;
    if (state !== undefined) states.push(state);
  }
  if (joined.length < 2) return items;
  if (states.length > 0) out.unshift({ kind: 'form', form: stateForm(states) });
  if (mask !== 0) out.unshift({ kind: 'form', form: flagsForm(mask) });
  return out;
}
