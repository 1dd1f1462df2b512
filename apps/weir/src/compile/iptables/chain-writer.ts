import type { BoxLines } from './box.ts';
import type { Effect, Step } from './effect.ts';
import { type Match, printMatch } from './match.ts';

/** The chains of one hook, as they are written: lines have no `-A` yet. */
export class ChainWriter {
  readonly #base: string;
  readonly #chains = new Map<string, string[]>();
  #made = 0;
  #comment = '';
  /** The rule that each chain was made for, by its place. */
  readonly #owners = new Map<string, number>();
  #rule = -1;
  /** Where the next rule goes. */
  #main: string;

  constructor(base: string) {
    this.#base = base;
    this.#main = base;
    this.#chains.set(base, []);
  }

  get chains(): ReadonlyMap<string, readonly string[]> {
    return this.#chains;
  }

  /** The rules, by their places, that lead further than the kernel follows: over more than so many chains. */
  tooDeep(most: number): ReadonlySet<number> {
    let level = new Set([this.#base]);
    for (let i = 0; i < most && level.size > 0; i++) {
      const next = [...level].flatMap((chain) => this.#chains.get(chain) ?? []).map((line) => line.slice(line.lastIndexOf(' ') + 1));
      level = new Set(next.filter((name) => this.#chains.has(name)));
    }
    return new Set([...level].flatMap((chain) => this.#owners.get(chain) ?? []));
  }

  /** What follows is in another chain, which the rules before go on to. */
  section(name: string): void {
    this.#comment = '';
    this.#line(this.#main, '', `-g ${name}`);
    this.#chains.set(name, []);
    this.#owners.set(name, this.#rule + 1);
    this.#main = name;
  }

  /** One rule: the packets of the boxes have the effect, once; those that it does not end go on to the next rule. */
  rule(comment: string, boxes: readonly BoxLines[], effect: Effect, skips: boolean): void {
    this.#rule++;
    if (boxes.length === 0) return;
    this.#comment = comment;
    // Those that need chains of their own come last.
    const simple = (box: BoxLines): boolean => !box.apart;
    const ordered = [...boxes.filter(simple), ...boxes.filter((box) => !simple(box))];
    const [box] = ordered;
    const lines = ordered.every(simple) ? ordered.flatMap(linesOfSimple) : undefined;
    const [only] = effect.steps;
    const single = effect.steps.length === 1 && only?.match === '' && !only.inner ? only.target : undefined;
    if (lines && (lines.length === 1 || (single !== undefined && effect.ends))) {
      for (const line of lines) this.#line(this.#main, printMatch(line), single ?? `-${skips ? 'g' : 'j'} ${this.#effect(effect)}`);
      return;
    }
    const target =
      single?.startsWith('-j') && effect.ends ? single : `-g ${single?.startsWith('-g') ? single.slice(3) : this.#effect(effect)}`;
    if (skips) {
      // What it leads to is not to come back here, so nothing is jumped to.
      const rest = this.#chain();
      this.#boxes(this.#main, ordered, target, rest, false);
      if (this.#chains.get(this.#main)?.at(-1)?.endsWith(`-g ${rest}`) !== true) this.#line(this.#main, '', `-g ${rest}`);
      this.#main = rest;
      return;
    }
    const chain = this.#chain();
    if (ordered.length === 1 && box) {
      this.#line(this.#main, printMatch(box.all), `-j ${chain}`);
      this.#parts(chain, box, target, undefined);
    } else {
      this.#line(this.#main, '', `-j ${chain}`);
      this.#boxes(chain, ordered, target, undefined, effect.ends);
    }
  }

  /**
   * `rest`: where packets go that are in no box; undefined for back to where the chain was jumped to from. Where the effect `ends` a packet's way the boxes
   * are jumped to, one after the other; elsewhere a packet must not come back to the boxes after the one that took it.
   */
  #boxes(start: string, boxes: readonly BoxLines[], target: string, rest: string | undefined, ends: boolean): void {
    let chain = start;
    boxes.forEach((box, i) => {
      if (!box.apart) {
        for (const line of linesOfSimple(box)) this.#line(chain, printMatch(line), target);
        return;
      }
      const parts = this.#chain();
      if (ends) {
        this.#line(chain, printMatch(box.all), `-j ${parts}`);
        this.#parts(parts, box, target, undefined);
        return;
      }
      this.#line(chain, printMatch(box.all), `-g ${parts}`);
      const next = i + 1 < boxes.length ? this.#chain() : rest;
      if (next !== undefined) this.#line(chain, '', `-g ${next}`);
      this.#parts(parts, box, target, next);
      if (next !== undefined) chain = next;
    });
  }

  /** The box but for what all of its packets have. */
  #parts(start: string, box: BoxLines, target: string, rest: string | undefined): void {
    const away = rest === undefined ? '-j RETURN' : `-g ${rest}`;
    let chain = start;
    for (const line of box.none) this.#line(chain, printMatch(line), away);
    box.groups.forEach((group, i) => {
      const last = i === box.groups.length - 1;
      const next = last ? undefined : this.#chain();
      for (const line of group) this.#line(chain, printMatch(line), next === undefined ? target : `-g ${next}`);
      if (rest !== undefined) this.#line(chain, '', away);
      if (next !== undefined) chain = next;
    });
    if (box.groups.length === 0) this.#line(chain, '', target);
  }

  #effect({ steps }: Effect): string {
    return this.#steps(steps);
  }

  #steps(steps: readonly Step[]): string {
    const chain = this.#chain();
    for (const { match, target, inner } of steps) this.#line(chain, match, inner ? `-g ${this.#steps(inner)}` : target);
    return chain;
  }

  #chain(): string {
    this.#made++;
    const name = `${this.#base}_${this.#made}`;
    this.#chains.set(name, []);
    this.#owners.set(name, this.#rule);
    return name;
  }

  #line(chain: string, match: string, target: string): void {
    const comment = this.#comment === '' ? '' : ` -m comment --comment "${this.#comment}"`;
    this.#chains.get(chain)?.push(`${match}${comment} ${target}`);
  }
}

function linesOfSimple({ all, groups }: BoxLines): Match[] {
  const [group] = groups;
  if (!group) return [all];
  return group.map((line) => ({ protocol: all.protocol ?? line.protocol, options: [...all.options, ...line.options] }));
}
