import { printHex } from '@weir/wire/bytes';
import { finishChecksum, sumWords } from './checksum.ts';
import { FragmentQueue } from './fragment-queue.ts';
import { findFragment, findPreviousHeader, lacksTransport } from './headers.ts';
import { u16At } from './octets.ts';
import { Packet } from './packet.ts';

/** What became of a packet: it goes on (as it is, or as the whole that it completed), waits for others, or is dropped. */
export type Reassembled = { readonly kind: 'goes-on'; readonly packet: Packet } | { readonly kind: 'held' } | { readonly kind: 'dropped' };

export interface ReassemblyLimits {
  /** Incomplete packets; the oldest is given up first. 1,024 when left out. */
  readonly packets?: number | undefined;
  /** Octets of their data; 4 MiB when left out, as in Linux. */
  readonly octets?: number | undefined;
}

const HELD: Reassembled = { kind: 'held' };
const DROPPED: Reassembled = { kind: 'dropped' };
const SECOND = 1e6;
/** As in Linux: net.ipv4.ipfrag_time, net.netfilter.nf_conntrack_frag6_timeout. */
const PATIENCE = { 4: 30 * SECOND, 6: 60 * SECOND } as const;
const MAX_LENGTH = 0xffff;

interface Waiting {
  readonly queue: FragmentQueue;
  readonly since: number;
  /** Of the fragment at offset 0: everything before the data. */
  header: Uint8Array | undefined;
  /** IPv6: where the octet is that names the fragment header. */
  previous: number;
  /** IPv4: the longest fragment, and the longest that must not be fragmented. */
  longest: number;
  longestWhole: number;
}

/**
 * Puts fragments together as Linux does where connections are tracked: before nf_tables priority -300 in prerouting and output. It minds overlaps, contradictions and ECN as the kernel
 * does; it does not count how many packets of one source come in between (net.ipv4.ipfrag_max_dist).
 */
export class Reassembly {
  readonly #limits: { readonly packets: number; readonly octets: number };
  readonly #waiting = new Map<string, Waiting>();
  #octets = 0;

  constructor(limits: ReassemblyLimits = {}) {
    this.#limits = { packets: limits.packets ?? 1024, octets: limits.octets ?? 4 << 20 };
  }

  /** Incomplete packets. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Takes the next packet, which came at `time` (microseconds). What is no fragment goes on as it is. */
  push(packet: Packet, time = 0): Reassembled {
    const { family, protocol, network, end, length } = packet.headers;
    this.#expire(time);
    // Cut short by a capture: the data is not there.
    if (length > end - network) return { kind: 'goes-on', packet };
    if (family === 4)
      return protocol !== undefined && packet.field('ip.frag') === true ? this.#push4(packet, time) : { kind: 'goes-on', packet };
    return family === 6 ? this.#push6(packet, time) : { kind: 'goes-on', packet };
  }

  #push4(packet: Packet, time: number): Reassembled {
    const { bytes, headers } = packet;
    const { network, end } = headers;
    const at = network + ((bytes[network] ?? 0) & 15) * 4;
    const field = u16At(bytes, network + 6, end) ?? 0;
    const key = `4 ${printHex(bytes.subarray(network + 12, network + 20))} ${u16At(bytes, network + 4, end)} ${bytes[network + 9]}`;
    const waiting = this.#find(key, time);
    const offset = (field & 0x1fff) * 8;
    const length = end - network;
    const result = this.#add(key, waiting, offset, bytes.subarray(at, end), (field & 0x2000) !== 0, (bytes[network + 1] ?? 0) & 3, false);
    if (result !== 'held' && result !== 'complete') return DROPPED;
    if (offset === 0) waiting.header = bytes.slice(network, at);
    waiting.longest = Math.max(waiting.longest, length);
    if ((field & 0x4000) !== 0) waiting.longestWhole = Math.max(waiting.longestWhole, length);
    return result === 'complete' ? this.#finish4(key, waiting, packet) : HELD;
  }

  #finish4(key: string, { queue, header, longest, longestWhole }: Waiting, packet: Packet): Reassembled {
    this.#forget(key);
    const ecn = queue.ecn();
    if (header === undefined || ecn === undefined || header.length + queue.length > MAX_LENGTH) return DROPPED;
    const whole = queue.join(header);
    const view = new DataView(whole.buffer);
    whole[1] = (whole[1] ?? 0) | ecn;
    view.setUint16(2, whole.length);
    view.setUint16(6, longest === longestWhole ? 0x4000 : 0);
    view.setUint16(10, 0);
    view.setUint16(10, finishChecksum(sumWords(whole.subarray(0, header.length))));
    return goesOn(whole, packet);
  }

  #push6(packet: Packet, time: number): Reassembled {
    const { bytes, headers } = packet;
    const { network, end } = headers;
    const previous = findPreviousHeader(bytes, headers);
    if (previous === undefined || u16At(bytes, network + 4, end) === 0) return { kind: 'goes-on', packet };
    const at = findFragment(bytes, headers);
    if (at === undefined || at + 8 > end) return DROPPED;
    // The kernel does not put these together, but lets them pass.
    if (lacksTransport(bytes, headers, at)) return { kind: 'goes-on', packet };
    const field = u16At(bytes, at + 2, end) ?? 0;
    const offset = field & 0xfff8;
    const data = bytes.subarray(at + 8, end);
    const key = `6 ${printHex(bytes.subarray(network + 8, network + 40))} ${printHex(bytes.subarray(at + 4, at + 8))}`;
    const waiting = this.#find(key, time);
    const ecn = ((bytes[network + 1] ?? 0) >> 4) & 3;
    const result = offset + data.length > MAX_LENGTH ? 'refused' : this.#add(key, waiting, offset, data, (field & 1) !== 0, ecn, true);
    // A beginning or middle that is no multiple of eight goes on as it is.
    if (result === 'discarded' && (field & 1) !== 0 && (offset + data.length) % 8 !== 0) return { kind: 'goes-on', packet };
    if (result === 'duplicate') return HELD;
    if (result !== 'held' && result !== 'complete') return DROPPED;
    if (offset === 0) {
      waiting.header = bytes.slice(network, at + 8);
      // Linux keeps one octet of this offset: behind 256 octets of extensions another octet of the packet is overwritten, of its destination for example.
      waiting.previous = (previous - network) & 0xff;
    }
    return result === 'complete' ? this.#finish6(key, waiting, packet) : HELD;
  }

  #finish6(key: string, { queue, header, previous }: Waiting, packet: Packet): Reassembled {
    this.#forget(key);
    const ecn = queue.ecn();
    const before = (header?.length ?? 0) - 8;
    if (header === undefined || ecn === undefined || before - 40 + queue.length > MAX_LENGTH) return DROPPED;
    header[previous] = header[before] ?? 0;
    const whole = queue.join(header.subarray(0, before));
    new DataView(whole.buffer).setUint16(4, whole.length - 40);
    whole[1] = (whole[1] ?? 0) | (ecn << 4);
    return goesOn(whole, packet);
  }

  #find(key: string, time: number): Waiting {
    const found = this.#waiting.get(key);
    if (found !== undefined) return found;
    const made = { queue: new FragmentQueue(), since: time, header: undefined, previous: 0, longest: 0, longestWhole: 0 };
    this.#waiting.set(key, made);
    return made;
  }

  #add(
    key: string,
    { queue }: Waiting,
    offset: number,
    data: Uint8Array,
    more: boolean,
    ecn: number,
    strict: boolean,
  ): ReturnType<FragmentQueue['add']> {
    const before = queue.octets;
    // A copy: what waits must not hold the buffer that it came in.
    const result = queue.add(offset, data.slice(), more, ecn, strict);
    this.#octets += queue.octets - before;
    if (result === 'discarded') this.#forget(key);
    for (const [oldest] of this.#waiting) {
      if (this.#waiting.size <= this.#limits.packets && this.#octets <= this.#limits.octets) break;
      if (oldest !== key) this.#forget(oldest);
      else if (this.#waiting.size === 1) break;
    }
    return result;
  }

  #forget(key: string): void {
    this.#octets -= this.#waiting.get(key)?.queue.octets ?? 0;
    this.#waiting.delete(key);
  }

  #expire(time: number): void {
    for (const [key, { since }] of this.#waiting) {
      if (time - since < PATIENCE[4]) break;
      if (key.startsWith('4') || time - since >= PATIENCE[6]) this.#forget(key);
    }
  }
}

function goesOn(whole: Uint8Array, { context }: Packet): Reassembled {
  const { wireLength: _, ...rest } = context;
  return { kind: 'goes-on', packet: Packet.fromNetwork(whole, rest) };
}
