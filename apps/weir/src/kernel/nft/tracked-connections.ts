import { ConntrackClient, type ConntrackKey, CT_STATUS, decodeTuple, type Tuple } from '@weir/netlink/conntrack';
import { Reader } from '@weir/wire/bytes';
import type { Family } from '@weir/wire/inet';
import type { AddressTest, TrackedConnection } from '../backend.ts';

/** The tracked connections of one network namespace. The socket is opened when it is first needed. */
export class TrackedConnections {
  readonly #netns: { readonly netns?: string };
  #client: ConntrackClient | undefined;

  constructor(netns: string | undefined) {
    this.#netns = netns === undefined ? {} : { netns };
  }

  /** Deletes the entries of a family to addresses that `closed` accepts, before or after translation; returns how many. */
  cut(family: Family, closed: AddressTest): number {
    let keys: ConntrackKey[] = [];
    this.#open().each(
      (entry) => {
        const before = entry.original.destination;
        const after = entry.reply.source;
        if (closed(before.w0, before.w1, before.w2, before.w3) || closed(after.w0, after.w1, after.w2, after.w3)) {
          keys.push(entry.key);
        }
      },
      {
        family,
        restart: () => {
          keys = [];
        },
      },
    );
    return this.delete(keys);
  }

  /** As many as are asked for, and how many there are. */
  list(most: number): { readonly connections: readonly TrackedConnection[]; readonly total: number } {
    let connections: TrackedConnection[] = [];
    let total = 0;
    this.#open().each(
      ({ key, reply, status }) => {
        total++;
        if (connections.length >= most) return;
        const translated = (status & (CT_STATUS.sourceNat | CT_STATUS.destinationNat)) !== 0;
        connections.push({ key, reply: translated ? reply : undefined, expected: (status & CT_STATUS.expected) !== 0 });
      },
      {
        restart: () => {
          connections = [];
          total = 0;
        },
      },
    );
    return { connections, total };
  }

  delete(keys: readonly ConntrackKey[]): number {
    return this.#open().delete(keys);
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#client?.close();
  }

  #open(): ConntrackClient {
    this.#client ??= new ConntrackClient(this.#netns);
    return this.#client;
  }
}

/** The direction of a connection's first packet. */
export function originalOf({ key }: TrackedConnection): Tuple | undefined {
  return decodeTuple(new Reader(key.tuple));
}
