import { NETLINK_NETFILTER, NetlinkSocket } from '@weir/sys';
import { Reader } from '@weir/wire/bytes';
import { decodeMessages, decodeNetfilterHeader } from '../message/index.ts';
import type { Visit } from './connection.ts';

/** Multicast groups of NETLINK_NETFILTER (`enum nfnetlink_groups`). */
export const NFNLGRP_CONNTRACK_NEW = 1;
export const NFNLGRP_CONNTRACK_UPDATE = 2;
export const NFNLGRP_CONNTRACK_DESTROY = 3;
export const NFNLGRP_NFTABLES = 7;
export const NFNLGRP_NFTRACE = 9;

const BUFFER = 1024 * 1024;

export interface MonitorOptions {
  readonly groups: readonly number[];
  readonly netns?: string;
  /** Bytes that may wait before the kernel drops; 8 MiB unless told. */
  readonly receiveBuffer?: number;
}

/**
 * `empty`: everything that waited was read. `more`: the limit was reached. `overrun`: notifications were lost: read the state again. What
 * came before and after the gap was given to the visitor.
 */
export type MonitorOutcome = 'empty' | 'more' | 'overrun';

/** Notifications of NETLINK_NETFILTER. Its own socket, so that they never mix with answers. */
export class NetfilterMonitor {
  readonly #socket: NetlinkSocket;
  readonly #groups: readonly number[];
  readonly #buffer = new Uint8Array(BUFFER);

  constructor(options: MonitorOptions) {
    this.#groups = options.groups;
    this.#socket = NetlinkSocket.open(NETLINK_NETFILTER, {
      groups: options.groups,
      receiveBuffer: options.receiveBuffer ?? 8 * 1024 * 1024,
      ...(options.netns === undefined ? {} : { netns: options.netns }),
    });
  }

  /** Gives what waits to `visit`, at most `limit` datagrams of it. Does not wait. DecodeError when the bytes are not netlink messages. */
  read(visit: Visit, limit = 256): MonitorOutcome {
    let lost = false;
    for (let i = 0; i < limit; i++) {
      const got = this.#socket.receive(this.#buffer);
      if (got.kind === 'empty') return lost ? 'overrun' : 'empty';
      if (got.kind === 'overrun' || got.kind === 'truncated') lost = true;
      else {
        decodeMessages(new Reader(this.#buffer, 0, got.length), (header, r) => {
          if (header.type >= 16) visit(header, decodeNetfilterHeader(r), r);
          return true;
        });
      }
    }
    return lost ? 'overrun' : 'more';
  }

  /** Leaves the groups: the kernel makes no notifications for this socket until `resume`. What waits already can still be read. */
  pause(): void {
    for (const group of this.#groups) this.#socket.leave(group);
  }

  /** Joins the groups again. */
  resume(): void {
    for (const group of this.#groups) this.#socket.join(group);
  }

  /** Resolves to true when something waits, to false after `timeout` ms or when the monitor is closed. The thread's event loop stays free. */
  waitReadable(timeout: number): Promise<boolean> {
    return this.#socket.waitReadable(timeout);
  }

  /** Blocks this thread until something waits, at most `timeout` ms. */
  wait(timeout: number): boolean {
    return this.#socket.wait(timeout);
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#socket.close();
  }
}
