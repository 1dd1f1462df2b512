import { NETLINK_NETFILTER, NetlinkSocket } from '@weir/sys';

/** Multicast group of traces (`NFNLGRP_NFTRACE`). */
const NFTRACE = 9;
const RECEIVE_BUFFER = 64 << 20;
const MESSAGE_HEADERS = 16 + 4;
const MAX_MESSAGES = 1_000_000;

const TABLE = 1;
const CHAIN = 2;
const RULE_HANDLE = 3;
const TYPE = 4;
const VERDICT = 5;
const ID = 6;
const LINK_HEADER = 7;
const OIF = 12;
const NETWORK_HEADER = 8;
const POLICY = 16;

export type TraceKind = 'policy' | 'return' | 'rule' | 'unknown';

const KINDS: readonly TraceKind[] = ['unknown', 'policy', 'return', 'rule'];

/** A step of a packet through the ruleset. The object is used again for the next one. */
export interface TraceStep {
  id: number;
  kind: TraceKind;
  table: string;
  chain: string;
  handle: number;
  /** Of a rule: the verdict's code as the kernel writes it (NF_DROP 0, NF_ACCEPT 1, NFT_* negative). Of a policy: 0 or 1. */
  verdict: number;
  /** Octets 6 to 11 of the link header as two numbers of 24 bits; -1 where the message has none. */
  sourceHigh: number;
  sourceLow: number;
  /** Index of the interface that it goes out by; 0 where it is not known. */
  oif: number;
  /** Where the network header begins in what was read, and how much of it there is; -1 where the message has none. */
  networkAt: number;
  networkLength: number;
}

const NAMES = new TextDecoder('latin1');

/**
 * Reads what `meta nftrace` tells about packets, without an object for each message. It reads the attributes by hand, as this is where the time goes: two
 * or three messages for every packet.
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
    verdict: 0,
    sourceHigh: -1,
    sourceLow: -1,
    oif: 0,
    networkAt: -1,
    networkLength: 0,
  };
  /** Texts that were read before, by their octets, so that names cost nothing. */
  readonly #texts = new Map<number, string>();

  constructor(netns: string) {
    this.#socket = NetlinkSocket.open(NETLINK_NETFILTER, { groups: [NFTRACE], netns, receiveBuffer: RECEIVE_BUFFER });
  }

  /** Gives what waits to `visit`. False when messages were lost. */
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
  network(step: TraceStep): Uint8Array {
    return step.networkAt < 0 ? this.#bytes.subarray(0, 0) : this.#bytes.subarray(step.networkAt, step.networkAt + step.networkLength);
  }

  /** Blocks until something waits, at most so many milliseconds. */
  wait(milliseconds: number): boolean {
    return this.#socket.wait(milliseconds);
  }

  close(): void {
    this.#socket.close();
  }

  #decode(length: number): void {
    const view = this.#view;
    const step = this.#step;
    step.kind = 'unknown';
    step.handle = 0;
    step.verdict = 0;
    step.sourceHigh = -1;
    step.oif = 0;
    step.networkAt = -1;
    for (let at = MESSAGE_HEADERS; at + 4 <= length; ) {
      const size = view.getUint16(at, true);
      const type = view.getUint16(at + 2, true) & 0x3fff;
      const value = at + 4;
      if (size < 4 || at + size > length) throw new RangeError(`an attribute of ${size} bytes at ${at} of ${length}`);
      if (type === TABLE) step.table = this.#text(value, size - 5);
      else if (type === CHAIN) step.chain = this.#text(value, size - 5);
      else if (type === RULE_HANDLE) step.handle = view.getUint32(value + 4);
      else if (type === TYPE) step.kind = KINDS[view.getUint32(value)] ?? 'unknown';
      // The verdict's code is the first attribute inside.
      else if (type === VERDICT) step.verdict = view.getInt32(value + 4);
      else if (type === POLICY) step.verdict = view.getUint32(value);
      else if (type === OIF) step.oif = view.getUint32(value);
      else if (type === ID) step.id = view.getUint32(value);
      else if (type === NETWORK_HEADER) {
        step.networkAt = value;
        step.networkLength = size - 4;
      } else if (type === LINK_HEADER && size >= 4 + 12) {
        step.sourceHigh = view.getUint32(value + 5) & 0xffffff;
        step.sourceLow = view.getUint32(value + 8) & 0xffffff;
      }
      at += (size + 3) & ~3;
    }
  }

  #text(at: number, length: number): string {
    let hash = length;
    for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + (this.#bytes[i] ?? 0)) | 0;
    const known = this.#texts.get(hash);
    if (known !== undefined && this.#same(known, at, length)) return known;
    const text = NAMES.decode(this.#bytes.subarray(at, at + length));
    if (this.#texts.size > 10_000) this.#texts.clear();
    this.#texts.set(hash, text);
    return text;
  }

  #same(text: string, at: number, length: number): boolean {
    if (text.length !== length) return false;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== this.#bytes[at + i]) return false;
    return true;
  }
}
