import { covers, type Ip, makePrefix, type Prefix, printIp, printPrefix } from '@weir/wire/inet';
import type { Clock } from './clock.ts';
import type { PeerConfig } from './config.ts';
import { Deadline } from './deadline.ts';

/** Peers that nobody names one by one: whoever connects from a range. */
export interface DynamicPeers {
  /** Names the group; its peers are `NAME-ADDRESS`. Several ranges may be one group, with one limit. */
  readonly name: string;
  readonly range: Prefix;
  /** How many of the group there may be at a time. */
  readonly limit: number;
  /** What each of them is. They connect, and are only waited for. */
  readonly peer: Omit<PeerConfig, 'name' | 'address' | 'port' | 'passive' | 'source' | 'device' | 'connectRetry'>;
}

/** Milliseconds without a session after which a peer of a range is forgotten. */
const QUIET = 60_000;

export function dynamicPeer(group: DynamicPeers, address: Ip): PeerConfig {
  return { ...group.peer, name: `${group.name}-${printIp(address)}`, address, passive: true };
}

/** A range as the peer that a listener has a key and a time to live for. */
export function rangePeer(group: DynamicPeers): PeerConfig & { readonly length: number } {
  return {
    ...group.peer,
    name: `${group.name}-${printPrefix(group.range)}`,
    address: group.range,
    passive: true,
    length: group.range.length,
  };
}

/** The group that an address belongs to: that of the longest range. */
export function groupOf(groups: readonly DynamicPeers[], address: Ip): DynamicPeers | undefined {
  return groups.filter(({ range }) => covers(range, address)).sort((a, b) => b.range.length - a.range.length)[0];
}

/** An address of the range that can be a peer's. */
export function sampleAddress({ range }: DynamicPeers): Ip {
  const { family, w0, w1, w2, w3, length } = range;
  if (length === (family === 4 ? 32 : 128)) return range;
  return family === 4 ? makePrefix({ ...range, w0: (w0 | 1) >>> 0 }, 32) : makePrefix({ family, w0, w1, w2, w3: (w3 | 1) >>> 0 }, 128);
}

interface Present {
  readonly group: string;
  readonly quiet: Deadline;
  established: boolean;
}

/** Which peers have come by themselves, and for how long they have had no session. */
export class PresentPeers {
  readonly #clock: Clock;
  readonly #forget: (name: string) => void;
  readonly #present = new Map<string, Present>();

  constructor(clock: Clock, forget: (name: string) => void) {
    this.#clock = clock;
    this.#forget = forget;
  }

  has(name: string): boolean {
    return this.#present.has(name);
  }

  names(): readonly string[] {
    return [...this.#present.keys()];
  }

  /** Whether a group has room for one more; one without a session makes room. */
  makeRoom({ name, limit }: DynamicPeers): boolean {
    const all = [...this.#present].filter(([, { group }]) => group === name);
    if (all.length < limit) return true;
    const idle = all.find(([, { established }]) => !established);
    if (!idle) return false;
    this.#forget(idle[0]);
    return true;
  }

  add(group: DynamicPeers, name: string): void {
    const quiet = new Deadline(this.#clock, () => this.#forget(name));
    this.#present.set(name, { group: group.name, quiet, established: false });
    quiet.start(QUIET);
  }

  changed(name: string, established: boolean): void {
    const present = this.#present.get(name);
    if (!present || present.established === established) return;
    present.established = established;
    if (established) present.quiet.stop();
    else present.quiet.start(QUIET);
  }

  remove(name: string): void {
    this.#present.get(name)?.quiet.stop();
    this.#present.delete(name);
  }

  close(): void {
    for (const name of this.names()) this.remove(name);
  }
}
