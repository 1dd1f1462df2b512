import { type Family, mask32, type Prefix, prefixFromWords } from '@weir/wire/inet';

/** Told of a prefix that is announced with another label from now on; 0: not any more. */
export type AggregateChanged = (prefix: Prefix, label: number) => void;

export interface AggregateOptions {
  /** Whether prefixes with this label may be merged, and left out where another with the same one covers them. */
  readonly mergeable: (label: number) => boolean;
  readonly changed: AggregateChanged;
}

const ROOT = 0;
const NONE = -1;

/**
 * Prefixes of one family with a label each (a number from 1 on), as the fewest that say the same: two halves with the same label are their whole, and what lies in a prefix with the same
 * label, with nothing else between, is left out. For every address the label of the longest prefix that has it is the same as before, and so is the set of addresses that
 * have a label at all. The whole address space is never announced in place of its halves.
 *
 * A binary tree in which every prefix has its place, and only prefixes and forks are nodes, in columns: about 32 octets (IPv4) or 44 (IPv6) each, two for a prefix. A change costs the
 * path from the root, and what is announced differently.
 */
export class Aggregate {
  readonly family: Family;
  readonly #options: AggregateOptions;
  readonly #stride: 1 | 4;
  #words: Uint32Array;
  #lengths: Uint8Array;
  /** Both children of each node. */
  #children: Int32Array;
  /** The label that a prefix was put in with; 0 for a fork. */
  #own: Uint32Array;
  /** The label of a node whose addresses are all covered with it by one route: its own, or that of both halves. */
  #whole: Uint32Array;
  /** Which labels, each as a bit, the topmost nodes below and with it have that are whole and mergeable. */
  #mask: Uint32Array;
  #limit = 0;
  readonly #free: number[] = [];
  #size = 0;

  constructor(family: Family, options: AggregateOptions) {
    this.family = family;
    this.#options = options;
    this.#stride = family === 4 ? 1 : 4;
    const capacity = 64;
    this.#words = new Uint32Array(capacity * this.#stride);
    this.#lengths = new Uint8Array(capacity);
    this.#children = new Int32Array(capacity * 2);
    this.#own = new Uint32Array(capacity);
    this.#whole = new Uint32Array(capacity);
    this.#mask = new Uint32Array(capacity);
    this.#node(0, 0, 0, 0, 0);
  }

  /** How many prefixes there are. */
  get size(): number {
    return this.#size;
  }

  /** Puts a prefix in with a label, in place of the one that it had, or takes it out with 0. */
  set(prefix: Prefix, label: number): void {
    const path = this.#path(prefix, label !== 0);
    const at = path?.at(-1);
    if (!path || at === undefined || this.#own[at] === label) return;
    if (this.#own[at] === 0) this.#size++;
    else if (label === 0) this.#size--;
    this.#own[at] = label;
    const before = path.map((id) => this.#whole[id] as number);
    for (let i = path.length - 1; i >= 0; i--) this.#look(path[i] as number);
    this.#tell(path, before);
    if (label === 0) this.#prune(path);
  }

  /** The label that a prefix is announced with; 0 where it is not. */
  announced(prefix: Prefix): number {
    const path = this.#path(prefix, false);
    let cover = 0;
    let label = 0;
    for (const id of path ?? []) {
      const whole = this.#whole[id] as number;
      label = this.#shown(whole, cover);
      if (whole !== 0) cover = whole;
    }
    return label;
  }

  /** What a node is announced with below a route with the label `cover`. */
  #shown(whole: number, cover: number): number {
    return whole === cover && whole !== 0 && this.#options.mergeable(whole) ? 0 : whole;
  }

  /** Sets what follows from the children. */
  #look(id: number): void {
    const [a, b] = this.#pair(id);
    let whole = this.#own[id] as number;
    if (whole === 0 && a !== NONE && b !== NONE && id !== ROOT) {
      const label = this.#whole[a] as number;
      const next = (this.#lengths[id] as number) + 1;
      const isWhole = label !== 0 && label === this.#whole[b] && this.#lengths[a] === next && this.#lengths[b] === next;
      if (isWhole && this.#options.mergeable(label)) whole = label;
    }
    this.#whole[id] = whole;
    const below = (a === NONE ? 0 : (this.#mask[a] as number)) | (b === NONE ? 0 : (this.#mask[b] as number));
    this.#mask[id] = whole === 0 ? below : this.#options.mergeable(whole) ? bitOf(whole) : 0;
  }

  /** Tells what is announced differently on a path whose nodes were whole as `before` says, and beside it. */
  #tell(path: readonly number[], before: readonly number[]): void {
    let was = 0;
    let is = 0;
    for (const [i, id] of path.entries()) {
      const old = before[i] as number;
      const now = this.#whole[id] as number;
      const label = this.#shown(now, is);
      if (this.#shown(old, was) !== label) this.#options.changed(this.#prefix(id), label);
      if (old !== 0) was = old;
      if (now !== 0) is = now;
      if (was === is) continue;
      for (const child of this.#pair(id)) if (child !== NONE && child !== path[i + 1]) this.#covered(child, was, is);
    }
  }

  /** Below a node that is not on the path: only what is covered by another label now, or was. */
  #covered(id: number, was: number, is: number): void {
    if (((this.#mask[id] as number) & (bitOf(was) | bitOf(is))) === 0) return;
    const whole = this.#whole[id] as number;
    if (whole === 0) {
      for (const child of this.#pair(id)) if (child !== NONE) this.#covered(child, was, is);
      return;
    }
    const label = this.#shown(whole, is);
    if (label !== this.#shown(whole, was)) this.#options.changed(this.#prefix(id), label);
  }

  /** Nodes from the root to a prefix, which is made with `make`; undefined where it is not there. */
  #path(prefix: Prefix, make: boolean): number[] | undefined {
    const path = [ROOT];
    for (let at = ROOT; ; ) {
      const length = this.#lengths[at] as number;
      if (length === prefix.length) return path;
      const side = bitAt(prefix, length);
      const slot = at * 2 + side;
      const child = this.#children[slot] as number;
      if (child === NONE) {
        if (!make) return undefined;
        const leaf = this.#leaf(prefix);
        this.#children[slot] = leaf;
        path.push(leaf);
        return path;
      }
      const shared = this.#shared(child, prefix);
      const size = this.#lengths[child] as number;
      if (shared === size) {
        at = child;
        path.push(at);
        continue;
      }
      if (!make) return undefined;
      // The child is below a node of its own: the prefix, or where the two part.
      const fork = shared === prefix.length ? this.#leaf(prefix) : this.#node(prefix.w0, prefix.w1, prefix.w2, prefix.w3, shared);
      this.#children[slot] = fork;
      this.#children[fork * 2 + this.#bit(child, shared)] = child;
      this.#mask[fork] = this.#mask[child] as number;
      path.push(fork);
      if (shared === prefix.length) return path;
      const leaf = this.#leaf(prefix);
      this.#children[fork * 2 + bitAt(prefix, shared)] = leaf;
      path.push(leaf);
      return path;
    }
  }

  /** Removes nodes at the end of a path that nobody needs. */
  #prune(path: readonly number[]): void {
    for (let i = path.length - 1; i > 0; i--) {
      const id = path[i] as number;
      const [a, b] = this.#pair(id);
      if (this.#own[id] !== 0 || (a !== NONE && b !== NONE)) return;
      const parent = path[i - 1] as number;
      const slot = parent * 2 + (this.#children[parent * 2] === id ? 0 : 1);
      this.#children[slot] = a === NONE ? b : a;
      this.#free.push(id);
    }
  }

  #pair(id: number): readonly [number, number] {
    return [this.#children[id * 2] as number, this.#children[id * 2 + 1] as number];
  }

  #leaf({ w0, w1, w2, w3, length }: Prefix): number {
    return this.#node(w0, w1, w2, w3, length);
  }

  #node(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const id = this.#free.pop() ?? this.#limit++;
    if (id >= this.#lengths.length) this.#grow();
    const at = id * this.#stride;
    this.#words[at] = w0 & mask32(length);
    if (this.#stride === 4) {
      this.#words[at + 1] = w1 & mask32(length - 32);
      this.#words[at + 2] = w2 & mask32(length - 64);
      this.#words[at + 3] = w3 & mask32(length - 96);
    }
    this.#lengths[id] = length;
    this.#children[id * 2] = NONE;
    this.#children[id * 2 + 1] = NONE;
    this.#own[id] = 0;
    this.#whole[id] = 0;
    this.#mask[id] = 0;
    return id;
  }

  #word(id: number, index: number): number {
    return this.#stride === 4 ? (this.#words[id * 4 + index] as number) : index === 0 ? (this.#words[id] as number) : 0;
  }

  #bit(id: number, at: number): number {
    return (this.#word(id, at >>> 5) >>> (31 - (at & 31))) & 1;
  }

  /** How many leading bits a node and a prefix share, of those that both have. */
  #shared(id: number, prefix: Prefix): number {
    const most = Math.min(this.#lengths[id] as number, prefix.length);
    const words = [prefix.w0, prefix.w1, prefix.w2, prefix.w3];
    for (let i = 0; i * 32 < most; i++) {
      const differs = this.#word(id, i) ^ (words[i] as number);
      if (differs !== 0) return Math.min(most, i * 32 + Math.clz32(differs));
    }
    return most;
  }

  #prefix(id: number): Prefix {
    return prefixFromWords(
      this.family,
      this.#word(id, 0),
      this.#word(id, 1),
      this.#word(id, 2),
      this.#word(id, 3),
      this.#lengths[id] as number,
    );
  }

  #grow(): void {
    const twice = <T extends Uint32Array | Int32Array | Uint8Array>(column: T, grown: T): T => {
      grown.set(column);
      return grown;
    };
    this.#words = twice(this.#words, new Uint32Array(this.#words.length * 2));
    this.#lengths = twice(this.#lengths, new Uint8Array(this.#lengths.length * 2));
    this.#children = twice(this.#children, new Int32Array(this.#children.length * 2));
    this.#own = twice(this.#own, new Uint32Array(this.#own.length * 2));
    this.#whole = twice(this.#whole, new Uint32Array(this.#whole.length * 2));
    this.#mask = twice(this.#mask, new Uint32Array(this.#mask.length * 2));
  }
}

function bitAt(prefix: Prefix, at: number): number {
  const word = at < 32 ? prefix.w0 : at < 64 ? prefix.w1 : at < 96 ? prefix.w2 : prefix.w3;
  return (word >>> (31 - (at & 31))) & 1;
}

/** Labels share bits where there are more than 32. */
function bitOf(label: number): number {
  return label === 0 ? 0 : 1 << ((label - 1) & 31);
}
