import { covers, type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';

/** How a set of the model is filled: what a person would read out of the configuration. */
export interface ModelSet {
  readonly name: string;
  readonly community: string;
  readonly peers: readonly string[];
  readonly prefixes: readonly string[];
  readonly lengths: { readonly 4: readonly [min: number, max: number]; readonly 6: readonly [min: number, max: number] };
  readonly held: boolean;
}

interface ModelPeer {
  up: boolean;
  /** What it announces, whether it is heard or not. */
  readonly table: Map<string, readonly string[]>;
  /** What was heard last and gave something, while the session is lost. */
  held: ReadonlyMap<string, readonly string[]>;
}

/** Keeps what each peer says in a map, and works every set out from scratch. */
export class Model {
  readonly #peers: ReadonlyMap<string, ModelPeer>;
  sets: readonly ModelSet[];

  constructor(peers: readonly string[], sets: readonly ModelSet[]) {
    this.#peers = new Map(peers.map((name) => [name, { up: true, table: new Map(), held: new Map() }]));
    this.sets = sets;
  }

  announce(peer: string, prefix: string, communities: readonly string[]): void {
    this.#peer(peer).table.set(prefix, communities);
  }

  withdraw(peer: string, prefix: string): void {
    this.#peer(peer).table.delete(prefix);
  }

  announced(peer: string): readonly string[] {
    return [...this.#peer(peer).table.keys()];
  }

  isUp(peer: string): boolean {
    return this.#peer(peer).up;
  }

  get allUp(): boolean {
    return [...this.#peers.values()].every((peer) => peer.up);
  }

  up(peer: string): void {
    this.#peer(peer).up = true;
  }

  /** `hard`: by a hard reset (RFC 8538), after which nothing is held. */
  down(name: string, hard: boolean): void {
    const peer = this.#peer(name);
    peer.up = false;
    peer.held = hard ? new Map() : new Map(peer.table);
  }

  /** Members of a set in one family, as text, in no order. */
  members(set: ModelSet, family: 4 | 6): ReadonlySet<string> {
    const found = new Set<string>();
    for (const [name, peer] of this.#peers) {
      if (!set.peers.includes(name) || (!peer.up && !set.held)) continue;
      for (const [prefix, communities] of peer.up ? peer.table : peer.held)
        if (communities.includes(set.community) && allowed(set, prefix, family)) found.add(prefix);
    }
    return found;
  }

  #peer(name: string): ModelPeer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new RangeError(`no peer ${name}`);
    return peer;
  }
}

function allowed(set: ModelSet, text: string, family: 4 | 6): boolean {
  const member = parse(text);
  const [min, max] = set.lengths[family];
  return member.family === family && member.length >= min && member.length <= max && set.prefixes.some((one) => covers(parse(one), member));
}

/** The elements of an interval set with these members: those that no other covers. */
export function maximal(members: Iterable<string>): ReadonlySet<string> {
  const all = [...members].map(parse);
  return new Set(all.filter((one) => !all.some((other) => other !== one && covers(other, one))).map(printPrefix));
}

function parse(text: string): Prefix {
  const result = parsePrefix(text);
  if (!result.ok) throw new RangeError(result.error.message);
  return result.prefix;
}
