import { type Prefix, PrefixTable } from '@weir/wire/inet';
import { family, type NextHop, type NlriRun, type PathAttributes, type UnicastFamily } from '../codec/index.ts';

/** What prefixes are announced with. */
export interface RouteOptions {
  /** ORIGIN is igp, AS_PATH empty and LOCAL_PREF 100 (to internal peers alone) when absent. Our own AS goes in front of the path to external peers. */
  readonly attributes?: PathAttributes;
  /** Our address on the session when absent; needed where that is of the other address family. */
  readonly nextHop?: NextHop;
  /** Audiences that get it: names of peers, unless `StaticRoutes` was told who is of which; all when absent. */
  readonly peers?: readonly string[];
  /** What it is for single audiences, in place of all the above; those that are not in it do not get it. */
  readonly audiences?: ReadonlyMap<string, Omit<RouteOptions, 'peers' | 'audiences'>>;
}

export const UNICAST: readonly UnicastFamily[] = ['ipv4 unicast', 'ipv6 unicast'];

/** Routes of our own of one family, in columns by the id of their prefix. An id stays its prefix's until it is released. */
export class OwnRoutes {
  readonly family: UnicastFamily;
  readonly #prefixes: PrefixTable;
  readonly #options: (RouteOptions | undefined)[] = [];
  #size = 0;

  constructor(name: UnicastFamily) {
    this.family = name;
    this.#prefixes = new PrefixTable(family(name).address);
  }

  /** How many routes there are. */
  get size(): number {
    return this.#size;
  }

  /** One past the highest id. */
  get limit(): number {
    return this.#prefixes.limit;
  }

  options(id: number): RouteOptions | undefined {
    return this.#options[id];
  }

  find(prefix: Prefix): number {
    return this.#prefixes.findPrefix(prefix);
  }

  /** Announces a prefix, in place of what it was announced with; its id. */
  set(prefix: Prefix, options: RouteOptions): number {
    const id = this.#prefixes.internPrefix(prefix);
    if (this.#options[id] === undefined) this.#size++;
    this.#options[id] = options;
    return id;
  }

  /** Withdraws a prefix: its id, which stays taken, or -1 where it was not announced. */
  unset(prefix: Prefix): number {
    const id = this.find(prefix);
    if (id < 0 || this.#options[id] === undefined) return -1;
    this.#options[id] = undefined;
    this.#size--;
    return id;
  }

  /** Forgets the prefix of a withdrawn route that nobody has been told any more. */
  release(id: number): void {
    this.#prefixes.release(id);
  }

  /** Prefixes by their ids; each with path identifier 1 where paths have one. */
  run(ids: readonly number[], withPaths: boolean): NlriRun {
    const { stride } = family(this.family);
    const words = new Uint32Array(ids.length * stride);
    const lengths = new Uint8Array(ids.length);
    for (const [i, id] of ids.entries()) {
      lengths[i] = this.#prefixes.length(id);
      for (let word = 0; word < stride; word++) words[i * stride + word] = this.#prefixes.word(id, word);
    }
    return { family: this.family, count: ids.length, words, lengths, pathIds: withPaths ? new Uint32Array(ids.length).fill(1) : undefined };
  }
}
