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
  /**
   * Port at which a peer is called that had a session and lost it without a NOTIFICATION, and that `BgpSpeaker.recall` names, until it is forgotten. Speakers that keep our routes over a restart
   * (RFC 4724) may only wait for us (FRR), or try again after minutes (OpenBGPD). Nobody is called when absent.
   */
  readonly callPort?: number;
  /** What each of them is. They connect; but for `callPort` they are only waited for. */
  readonly peer: Omit<PeerConfig, 'name' | 'address' | 'port' | 'passive' | 'source' | 'device' | 'connectRetry'>;
}

/** Milliseconds without a session after which a peer of a range is forgotten that is not called. */
const QUIET = 60_000;

/** Back-off of calls. */
const CALLING: NonNullable<PeerConfig['connectRetry']> = { initial: 2000, max: 15_000 };

/** A call comes from the address that the peer knows us by, if that is known. */
export interface Call {
  readonly source: Ip | undefined;
}

/** Waited for, or called. */
export function dynamicPeer(group: DynamicPeers, address: Ip, call?: Call): PeerConfig {
  const name = `${group.name}-${printIp(address)}`;
  if (!call || group.callPort === undefined) return { ...group.peer, name, address, passive: true };
  return { ...group.peer, name, address, port: group.callPort, connectRetry: CALLING, ...(call.source ? { source: call.source } : {}) };
}

/** Milliseconds without a session after which a peer is forgotten: not while it may keep our routes and be called. */
function quietTime({ callPort, peer: { gracefulRestart = {} } }: DynamicPeers): number {
  if (callPort === undefined || gracefulRestart === false) return QUIET;
  return Math.max(QUIET, (gracefulRestart.restartTime ?? 120) * 1000);
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
  readonly quietTime: number;
  established: boolean;
  call: Call | undefined;
}

/** Which peers have come by themselves, and for how long they have had no session. */
export class PresentPeers {
  readonly #clock: Clock;
  readonly #forget: (name: string) => void;
  readonly #present = new Map<string, Present>();
  /** Of each group all of its peers, and those without a session. */
  readonly #groups = new Map<string, { size: number; readonly idle: Set<string> }>();

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
    const { size, idle } = this.#group(name);
    if (size < limit) return true;
    const [first] = idle;
    if (first === undefined) return false;
    this.#forget(first);
    return true;
  }

  #group(name: string): { size: number; readonly idle: Set<string> } {
    const there = this.#groups.get(name);
    if (there) return there;
    const made = { size: 0, idle: new Set<string>() };
    this.#groups.set(name, made);
    return made;
  }

  add(group: DynamicPeers, name: string, call: Call | undefined): void {
    const quiet = new Deadline(this.#clock, () => this.#forget(name));
    const time = quietTime(group);
    this.#present.set(name, { group: group.name, quiet, quietTime: time, established: false, call });
    const all = this.#group(group.name);
    all.size++;
    all.idle.add(name);
    quiet.start(time);
  }

  /** How a peer is called; undefined where it is only waited for. */
  callOf(name: string): Call | undefined {
    return this.#present.get(name)?.call;
  }

  /** A peer is called from now on, or only waited for. */
  setCall(name: string, call: Call | undefined): void {
    const present = this.#present.get(name);
    if (present) present.call = call;
  }

  changed(name: string, established: boolean): void {
    const present = this.#present.get(name);
    if (!present || present.established === established) return;
    present.established = established;
    const { idle } = this.#group(present.group);
    if (established) idle.delete(name);
    else idle.add(name);
    if (established) present.quiet.stop();
    else present.quiet.start(present.quietTime);
  }

  remove(name: string): void {
    const present = this.#present.get(name);
    if (!present) return;
    present.quiet.stop();
    this.#present.delete(name);
    const all = this.#group(present.group);
    all.size--;
    all.idle.delete(name);
    if (all.size === 0) this.#groups.delete(present.group);
  }

  close(): void {
    for (const name of this.names()) this.remove(name);
  }
}
