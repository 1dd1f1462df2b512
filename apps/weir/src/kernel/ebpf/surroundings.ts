import { type FeatureReport, listInterfaces } from '@weir/ebpf/kernel';
import { NETLINK_ROUTE, NetlinkSocket } from '@weir/sys';
import type { Surroundings } from './attachment.ts';

/** RTNLGRP_LINK: interfaces come, go, and are called otherwise. */
const LINK_GROUP = 1;
const BUFFER = 32 * 1024;
/** Messages that one look drains at most. */
const MAX_MESSAGES = 10_000;

/** The interfaces of a network namespace, and whether they have changed. SystemError, BpfError. */
export class InterfaceWatch {
  readonly #netns: string | undefined;
  readonly #socket: NetlinkSocket;
  readonly #buffer = new Uint8Array(BUFFER);

  constructor(netns: string | undefined) {
    this.#netns = netns;
    this.#socket = NetlinkSocket.open(NETLINK_ROUTE, { groups: [LINK_GROUP], ...(netns === undefined ? {} : { netns }) });
  }

  /** Whether anything about interfaces has changed since the last call. */
  changed(): boolean {
    let any = false;
    for (let i = 0; i < MAX_MESSAGES && this.#socket.receive(this.#buffer).kind !== 'empty'; i++) any = true;
    return any;
  }

  look(features: FeatureReport): Surroundings {
    const interfaces = new Map(listInterfaces(this.#netns).map((one) => [one.name, one]));
    return { netns: this.#netns, interfaces, tcx: features.has('tcx') };
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#socket.close();
  }
}
