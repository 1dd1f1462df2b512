import { NFNLGRP_NFTRACE } from '@weir/netlink/socket';
import { NETLINK_NETFILTER, NetlinkSocket } from '@weir/sys';

const RECEIVE_BUFFER = 64 << 20;
/** `struct nlmsghdr` and `struct nfgenmsg`. */
const MESSAGE_HEADERS = 16 + 4;
const MAX_MESSAGES = 1_000_000;
/** Attributes of NFT_MSG_TRACE. */
const NFTA = {
  table: 1,
  chain: 2,
  handle: 3,
  type: 4,
  verdict: 5,
  id: 6,
  linkHeader: 7,
  networkHeader: 8,
  oif: 12,
  policy: 16,
} as const;

/** `policy`: the end of a base chain, whose policy decides. */
export type TraceKind = 'policy' | 'return' | 'rule' | 'unknown';

const KINDS: readonly TraceKind[] = ['unknown', 'policy', 'return', 'rule'];
const NAMES = new TextDecoder('latin1');
/** Names that are kept. */
const MAX_NAMES = 10_000;

/** A step of a packet through the ruleset, as `meta nftrace` tells it. The object is used again for the next one. */
export interface TraceStep {
  /** Of the packet, while it is at the hook. */
  id: number;
  kind: TraceKind;
  table: string;
  chain: string;
  /** Of the rule; 0 where there is none. */
  handle: number;
  /** As the kernel writes it: NF_DROP 0, NF_ACCEPT 1, NFT_* negative; -1 where it says nothing. */
  verdict: number;
  /** Octets 6 to 8 and 9 to 11 of the link header: -1 where the message has none. */
  sourceHigh: number;
  sourceLow: number;
  /** Index of the interface that the packet goes out by; 0 where it is not known. */
  oif: number;
  /** Where the network header is in what was read, and how much of it there is; 0 octets where the message has none. */
  networkAt: number;
  networkLength: number;
}

/**
 * Reads traces of packets (`nft monitor trace`) without an object for each message: there are several for every packet. Attributes are read in place. SystemError
 * where the socket fails; RangeError when the bytes are no traces.
 */
export class TraceReader {
  readonly #socket: NetlinkSocket;
  readonly #bytes = new Uint8Array(64 << 10);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #step: TraceStep = {
    id: 0,
    kind: 'unknown',
    table: '',
    chain: '',
    handle: 0,
    verdict: -1,
    sourceHigh: -1,
    sourceLow: -1,
    oif: 0,
    networkAt: 0,
    networkLength: 0,
  };

  /** Texts that were read before, by their octets, so that names cost nothing. */
  readonly #texts = new Map<number, string>();

  constructor(netns: string) {
    this.#socket = NetlinkSocket.open(NETLINK_NETFILTER, { groups: [NFNLGRP_NFTRACE], netns, receiveBuffer: RECEIVE_BUFFER });
  }

  /** Gives the steps that wait to `visit`. False when some were lost. */
  read(visit: (step: TraceStep) => void): boolean {
    let whole = true;
    for (let i = 0; i < MAX_MESSAGES; i++) {
      const got = this.#socket.receive(this.#bytes);
      if (got.kind === 'empty') return whole;
      if (got.kind !== 'data') whole = false;
      else {
        this.#decode(got.length);
        visit(this.#step);
      }
    }
    return whole;
  }

  /** The beginning of the packet that the step in hand is about; empty when its message does not have it. */
  network({ networkAt, networkLength }: TraceStep): Uint8Array {
    return this.#bytes.subarray(networkAt, networkAt + networkLength);
  }

  /** Blocks until something waits, at most so many milliseconds. */
  wait(milliseconds: number): boolean {
    return this.#socket.wait(milliseconds);
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#socket.close();
  }

  #decode(length: number): void {
    const view = this.#view;
    const step = this.#step;
    step.kind = 'unknown';
    step.table = '';
    step.chain = '';
    step.handle = 0;
    step.verdict = -1;
    step.sourceHigh = -1;
    step.sourceLow = -1;
    step.oif = 0;
    step.networkLength = 0;
    for (let at = MESSAGE_HEADERS; at + 4 <= length; ) {
      const size = view.getUint16(at, true);
      const type = view.getUint16(at + 2, true) & 0x3fff;
      const value = at + 4;
      if (size < 4 || at + size > length) throw new RangeError(`an attribute of ${size} octets at ${at} of ${length}`);
      if (size > 4) this.#attribute(type, value, size - 4);
      at += (size + 3) & ~3;
    }
  }

  #attribute(type: number, value: number, size: number): void {
    const view = this.#view;
    const step = this.#step;
    switch (type) {
      case NFTA.table:
        step.table = this.#text(value, size - 1);
        return;
      case NFTA.chain:
        step.chain = this.#text(value, size - 1);
        return;
      case NFTA.handle:
        // Handles of one namespace do not reach 2^32.
        if (size >= 8) step.handle = view.getUint32(value + 4);
        return;
      case NFTA.type:
        step.kind = KINDS[view.getUint32(value)] ?? 'unknown';
        return;
      case NFTA.verdict:
        // The code is the first attribute inside.
        if (size >= 8) step.verdict = view.getInt32(value + 4);
        return;
      case NFTA.policy:
        step.verdict = view.getUint32(value);
        return;
      case NFTA.oif:
        step.oif = view.getUint32(value);
        return;
      case NFTA.id:
        step.id = view.getUint32(value);
        return;
      case NFTA.networkHeader:
        step.networkAt = value;
        step.networkLength = size;
        return;
      case NFTA.linkHeader:
        if (size < 12) return;
        step.sourceHigh = view.getUint32(value + 5) & 0xffffff;
        step.sourceLow = view.getUint32(value + 8) & 0xffffff;
    }
  }

  #text(at: number, length: number): string {
    let hash = length;
    for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + (this.#bytes[i] ?? 0)) | 0;
    const known = this.#texts.get(hash);
    if (known !== undefined && this.#same(known, at, length)) return known;
    const text = NAMES.decode(this.#bytes.subarray(at, at + length));
    if (this.#texts.size >= MAX_NAMES) this.#texts.clear();
    this.#texts.set(hash, text);
    return text;
  }

  #same(text: string, at: number, length: number): boolean {
    if (text.length !== length) return false;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== this.#bytes[at + i]) return false;
    return true;
  }
}
