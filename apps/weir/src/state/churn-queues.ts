import type { NamedSet } from '../model/named-set.ts';
import { TokenBucket } from './token-bucket.ts';

type Churn = NamedSet['guard']['churn'];

/** What one peer may still add now, and the keys of the members that wait for a token, in order. */
export interface PeerChurn {
  readonly bucket: TokenBucket;
  readonly waiting: Set<number>;
}

/** Additions admitted late come in batches of at least this many milliseconds. */
const ADMISSION_TICK = 20;

/** The churn of one set, peer by peer. */
export class ChurnQueues {
  readonly #peers = new Map<number, PeerChurn>();
  #limit: Churn;

  constructor(limit: Churn) {
    this.#limit = limit;
  }

  change(limit: Churn, now: number): void {
    this.#limit = limit;
    for (const { bucket } of this.#peers.values()) bucket.change(limit, now);
  }

  of(peer: number, now: number): PeerChurn {
    let churn = this.#peers.get(peer);
    if (!churn) {
      churn = { bucket: new TokenBucket(this.#limit, now), waiting: new Set() };
      this.#peers.set(peer, churn);
    }
    return churn;
  }

  entries(): Iterable<readonly [peer: number, churn: PeerChurn]> {
    return this.#peers;
  }

  /** A member waits no more. */
  drop(key: number): void {
    for (const { waiting } of this.#peers.values()) waiting.delete(key);
  }

  forget(peer: number): void {
    this.#peers.delete(peer);
  }

  /** When a batch of those that wait has its tokens; infinite when none waits. */
  readyAt(now: number): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { bucket, waiting } of this.#peers.values()) {
      if (waiting.size === 0) continue;
      first = Math.min(first, bucket.readyAt(Math.min(waiting.size, Math.max(1, (this.#limit.rate * ADMISSION_TICK) / 1000)), now));
    }
    return first;
  }
}
