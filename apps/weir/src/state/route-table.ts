import { grownU8, grownU16, grownU32 } from './column.ts';

/** No row: rows count from 1. */
export const NO_ROW = 0;

/** Row flags. */
export const ROW = {
  ipv6: 1,
  /** The path identifier is one (RFC 7911), not just 0. */
  path: 2,
  /** Not heard since the beginning of a refresh (RFC 7313). */
  refreshing: 4,
  /** Refused by what may change without the peer saying so again: kept though it gives nothing. */
  kept: 8,
  /** A route leak (RFC 9234 section 5): it gives nothing. */
  leak: 16,
} as const;

/**
 * Routes in columns, 29 bytes each: prefix id, next row of the same prefix, attributes id, feed id, path id, seconds of the last
 * announcement, peer index, flags, the epoch of the session loss since which the route is stale (0 is fresh), and whether it lives. Rows are reused.
 */
export class RouteTable {
  prefix: Uint32Array = new Uint32Array(1024);
  next: Uint32Array = new Uint32Array(1024);
  attributes: Uint32Array = new Uint32Array(1024);
  feed: Uint32Array = new Uint32Array(1024);
  path: Uint32Array = new Uint32Array(1024);
  since: Uint32Array = new Uint32Array(1024);
  peer: Uint16Array = new Uint16Array(1024);
  flags: Uint8Array = new Uint8Array(1024);
  epoch: Uint8Array = new Uint8Array(1024);
  #live: Uint8Array = new Uint8Array(1024);
  #limit = 1;
  #size = 0;
  /** Head of the list of free rows, linked through `next`. */
  #free = NO_ROW;

  get size(): number {
    return this.#size;
  }

  /** One past the highest row ever used. */
  get limit(): number {
    return this.#limit;
  }

  isLive(row: number): boolean {
    return this.#live[row] === 1;
  }

  /** A row whose columns the caller fills in. */
  allocate(): number {
    let row = this.#free;
    if (row !== NO_ROW) this.#free = this.next[row] as number;
    else {
      row = this.#limit++;
      if (row >= this.prefix.length) this.#grow(row + 1);
    }
    this.#live[row] = 1;
    this.#size++;
    return row;
  }

  free(row: number): void {
    this.#live[row] = 0;
    this.next[row] = this.#free;
    this.#free = row;
    this.#size--;
  }

  #grow(need: number): void {
    this.prefix = grownU32(this.prefix, need);
    this.next = grownU32(this.next, need);
    this.attributes = grownU32(this.attributes, need);
    this.feed = grownU32(this.feed, need);
    this.path = grownU32(this.path, need);
    this.since = grownU32(this.since, need);
    this.peer = grownU16(this.peer, need);
    this.flags = grownU8(this.flags, need);
    this.epoch = grownU8(this.epoch, need);
    this.#live = grownU8(this.#live, need);
  }
}
