import { Writer } from '@weir/wire/bytes';
import type { Random } from '../../e2e/random.ts';
import { checksum, fixIpv4Checksum, wordSum } from './checksum.ts';
import { makeExtensions } from './extensions.ts';
import { FLOWS, type Flow } from './flows.ts';
import type { Hints } from './hints.ts';
import { ICMP, ICMPV6, icmp, icmpv6, other, type Segment, sctp, TCP, tcp, udp } from './transport.ts';

/** The first octets of every frame are for the addresses that the bed writes. */
const ADDRESSES = 12;

export interface PacketOptions {
  /** Fragments get a number of their own, and none is left without the others: the kernel would put together what does not belong together. */
  readonly wholeTrains: boolean;
  /** Some packets come in fragments. */
  readonly trains: boolean;
  /** Only options that the kernel leaves as they are when it routes a packet. */
  readonly plainOptions: boolean;
  /** Some IPv6 packets have more extension headers than anything needs. */
  readonly longChains?: boolean;
  /** VLANs that reach the hook beside VLAN 0. */
  readonly vlans: readonly number[];
}

/** What is sent for one packet: one frame, or its fragments in order. */
export interface Specimen {
  readonly frames: readonly Uint8Array[];
  /** The IP packet before it was cut into fragments; undefined for a packet that was not. */
  readonly whole: Uint8Array | undefined;
}

interface PacketFlow extends Flow {
  readonly quotes: boolean;
}

/** Makes packets that a policy with these hints is likely to care about, broken ones among them. */
export class PacketMaker {
  readonly #random: Random;
  readonly #options: PacketOptions;
  #train = 1;

  constructor(random: Random, options: PacketOptions) {
    this.#random = random;
    this.#options = options;
  }

  make(hints: Hints): Specimen {
    const random = this.#random;
    const flow = random.below(5) === 0 ? this.#flow() : undefined;
    const family = flow?.family ?? (random.below(2) === 0 ? 4 : 6);
    const packet = family === 4 ? this.#ipv4(hints, flow) : this.#ipv6(hints, flow);
    if (this.#options.trains && packet.length > 60 && packet.length < 300 && random.below(8) === 0) {
      const fragments = family === 4 ? this.#cut4(packet) : this.#cut6(packet);
      if (fragments.length > 1) return { frames: fragments.map((one) => this.#frame(one.bytes, family)), whole: fragments[0]?.whole };
    }
    return { frames: [this.#frame(packet, family)], whole: undefined };
  }

  /** A packet of a tracked connection, or an ICMP error about one, which goes to its source. */
  #flow(): PacketFlow {
    const flow = this.#random.pick(FLOWS);
    if (this.#random.below(3) > 0) return { ...flow, quotes: false };
    return { ...flow, source: flow.destination, destination: flow.source, quotes: true };
  }

  #segment(family: 4 | 6, hints: Hints, flow: PacketFlow | undefined): Segment {
    const random = this.#random;
    if (flow) {
      const ports = { source: flow.sourcePort, destination: flow.destinationPort };
      if (flow.quotes) return family === 4 ? icmp(random, hints, flow.quoted) : icmpv6(random, hints, flow.quoted);
      return flow.protocol === 6 ? tcp(random, hints, ports) : udp(random, hints, ports);
    }
    const kind = random.below(12);
    if (kind < 4) return tcp(random, hints);
    if (kind < 7) return udp(random, hints);
    if (kind < 9) return (random.below(12) === 0) === (family === 4) ? icmpv6(random, hints) : icmp(random, hints);
    return kind === 9 ? sctp(random, hints) : other(random, hints);
  }

  #ipv4(hints: Hints, flow: PacketFlow | undefined): Uint8Array {
    const random = this.#random;
    const segment = this.#segment(4, hints, flow);
    const options = random.below(6) === 0 ? this.#options4(hints) : new Uint8Array();
    const w = new Writer(128);
    w.u8(0x45 + options.length / 4)
      .u8(this.#tos(hints))
      .u16(20 + options.length + segment.bytes.length);
    w.u16(hints.int(random, 'ip.id', 16, [0, 1, 65535]));
    // Lone fragments, the evil bit, and all that may be in the flags.
    const lone = !this.#options.wholeTrains && random.below(12) === 0;
    w.u16(lone ? hints.int(random, 'ip.frag_offset', 13, [0, 1, 185]) | (random.below(2) << 13) : random.pick([0, 0, 0x4000, 0x8000]));
    w.u8(hints.int(random, 'ip.ttl', 8, [1, 2, 63, 64, 128, 255]));
    w.u8(random.below(40) === 0 ? hints.int(random, 'ip.proto.num', 8, []) : segment.protocol).u16(0);
    w.u32(flow ? Number(flow.source) : hints.v4(random)).u32(flow ? Number(flow.destination) : hints.v4(random));
    const at = w.bytes(options).length;
    const out = w.bytes(segment.bytes).finish();
    if (segment.checksumAt !== undefined && random.below(10) > 0) {
      const pseudo = segment.protocol === ICMP ? 0 : wordSum(out, 12, 20) + segment.protocol + (out.length - at);
      this.#sum(out, at, segment.checksumAt, segment.protocol === ICMPV6 ? wordSum(out, 12, 20) : pseudo);
    }
    return this.#damage(out, 4, at);
  }

  /** Some options: well-formed or not, up to 40 octets. */
  #options4(hints: Hints): Uint8Array {
    const random = this.#random;
    const w = new Writer(40);
    for (let i = random.below(3); i >= 0 && w.length < 30; i--) {
      const plain = this.#options.plainOptions;
      const type = plain ? random.pick([1, 1, 148]) : hints.int(random, 'ip.opt.type', 8, [0, 1, 1, 7, 68, 131, 137, 148]);
      w.u8(type);
      if (type < 2) continue;
      const length = type === 148 ? 4 : 3 + 4 * random.below(2);
      w.u8(random.below(10) === 0 ? random.below(40) : length).u8(type === 148 ? 0 : 4);
      w.zeros(length - 3);
    }
    return w.align(4).finish();
  }

  #tos(hints: Hints): number {
    const random = this.#random;
    if (random.below(2) === 0) return hints.int(random, 'ip.tos', 8, [0, 0x10, 0xb8, 255]);
    return (hints.int(random, 'ip.dscp', 6, [0, 10, 46, 63]) << 2) | random.below(4);
  }

  #ipv6(hints: Hints, flow: PacketFlow | undefined): Uint8Array {
    const random = this.#random;
    const segment = this.#segment(6, hints, flow);
    const headers = makeExtensions(random, hints, this.#options.wholeTrains ? undefined : () => this.#train++, this.#options.longChains);
    const kinds = [...headers.map((header) => header.kind), random.below(40) === 0 ? 59 : segment.protocol];
    const w = new Writer(160);
    w.u32((6 << 28) | (this.#tos(hints) << 20) | hints.int(random, 'ip6.flow_label', 20, [0, 1, 0xfffff]));
    w.u16(headers.reduce((sum, header) => sum + header.bytes.length, segment.bytes.length));
    w.u8(kinds[0] ?? 59).u8(hints.int(random, 'ip.ttl', 8, [1, 2, 63, 64, 255]));
    w.bytes(octets16(flow ? flow.source : hints.v6(random))).bytes(octets16(flow ? flow.destination : hints.v6(random)));
    for (const [i, header] of headers.entries()) {
      header.bytes[0] = kinds[i + 1] ?? 59;
      w.bytes(header.bytes);
    }
    const at = w.length;
    const out = w.bytes(segment.bytes).finish();
    if (segment.checksumAt !== undefined && random.below(10) > 0) {
      this.#sum(out, at, segment.checksumAt, segment.protocol === ICMP ? 0 : wordSum(out, 8, 40) + segment.protocol + (out.length - at));
    }
    return this.#damage(out, 6, at);
  }

  #sum(out: Uint8Array, at: number, offset: number, pseudo: number): void {
    const value = checksum(out, at, out.length, pseudo);
    out[at + offset] = value >>> 8;
    out[at + offset + 1] = value & 0xff;
  }

  /** Now and then cuts the packet short, or makes its length say something else; at last the header's checksum is made right. */
  #damage(packet: Uint8Array, family: 4 | 6, transport: number): Uint8Array {
    const random = this.#random;
    let out = packet;
    const setLength = (length: number): void => {
      const value = family === 4 ? length : Math.max(0, length - 40);
      const at = family === 4 ? 2 : 4;
      out[at] = value >>> 8;
      out[at + 1] = value & 0xff;
    };
    const kind = random.below(24);
    if (kind < 3) {
      // The end falls into the transport header, or into the headers before it.
      const least = family === 4 ? 20 : 40;
      const from = random.below(3) === 0 ? least : transport;
      out = packet.slice(0, Math.min(packet.length, from + random.below(24)));
      setLength(out.length);
    } else if (kind === 3) {
      // Octets after the end that the length tells: padding of the link.
      out = new Uint8Array(packet.length + 1 + random.below(20));
      out.set(packet);
    } else if (kind === 4) setLength(packet.length - random.below(Math.min(20, packet.length)));
    else if (kind === 5 && random.below(4) === 0) {
      // Options that are routed have to stay plain.
      const at = random.below(out.length);
      if (!this.#options.plainOptions || family === 6 || at < 20 || at >= transport) out[at] = random.below(256);
    }
    if (family === 4) fixIpv4Checksum(out, 0);
    return out;
  }

  /** IPv4 fragments of a packet that fills its length, with its options in each. */
  #cut4(packet: Uint8Array): { bytes: Uint8Array; whole: Uint8Array }[] {
    const random = this.#random;
    const header = ((packet[0] ?? 0) & 15) * 4;
    const total = ((packet[2] ?? 0) << 8) | (packet[3] ?? 0);
    if (header < 20 || total !== packet.length || header + 8 >= total || (((packet[6] ?? 0) << 8) | (packet[7] ?? 0)) & 0x3fff) return [];
    const whole = packet.slice();
    const id = this.#options.wholeTrains ? this.#train++ & 0xffff : ((packet[4] ?? 0) << 8) | (packet[5] ?? 0);
    // The kernel writes the flags anew, and takes the evil bit out.
    whole.set([id >>> 8, id & 0xff, 0, 0], 4);
    fixIpv4Checksum(whole, 0);
    return this.#parts(total - header).map(({ from, to, last }) => {
      const bytes = new Uint8Array(header + to - from);
      bytes.set(whole.subarray(0, header));
      bytes.set(packet.subarray(header + from, header + to), header);
      const field = (from / 8) | (last ? 0 : 0x2000);
      bytes.set([bytes.length >>> 8, bytes.length & 0xff, id >>> 8, id & 0xff, field >>> 8, field & 0xff], 2);
      bytes[8] = from === 0 ? (packet[8] ?? 0) : random.pick([packet[8] ?? 0, 64]);
      fixIpv4Checksum(bytes, 0);
      return { bytes, whole };
    });
  }

  /** IPv6 fragments of a packet without extension headers. */
  #cut6(packet: Uint8Array): { bytes: Uint8Array; whole: Uint8Array }[] {
    const next = packet[6] ?? 59;
    const payload = ((packet[4] ?? 0) << 8) | (packet[5] ?? 0);
    if (payload + 40 !== packet.length || EXTENSIONS.has(next) || next === 59 || payload <= 8) return [];
    const id = this.#train++;
    const parts = this.#parts(payload).map(({ from, to, last }) => {
      const w = new Writer(128)
        .bytes(packet.subarray(0, 4))
        .u16(8 + to - from)
        .u8(FRAGMENT);
      w.bytes(packet.subarray(7, 40)).u8(next).u8(0);
      w.u16(from | (last ? 0 : 1)).u32(id);
      return w.bytes(packet.subarray(40 + from, 40 + to)).finish();
    });
    // A first fragment that ends in the header of TCP is not put together with others: the kernel lets it pass as it is (RFC 8200 section 4.5).
    const [first] = parts;
    const whole = first && next === TCP && first.length < 48 + 20 ? first : packet;
    return parts.map((bytes) => ({ bytes, whole }));
  }

  #parts(length: number): { from: number; to: number; last: boolean }[] {
    const out: { from: number; to: number; last: boolean }[] = [];
    for (let from = 0; from < length; ) {
      const to = Math.min(length, from + 8 * (1 + this.#random.below(6)));
      out.push({ from, to, last: to === length });
      from = to;
    }
    return out;
  }

  #frame(packet: Uint8Array, family: 4 | 6): Uint8Array {
    const random = this.#random;
    const w = new Writer(128).zeros(ADDRESSES);
    if (random.below(10) === 0) {
      const tag = random.pick([0, 0, ...this.#options.vlans]) | (random.below(8) << 13);
      w.u16(random.pick([0x8100, 0x8100, 0x88a8])).u16(tag);
      if (random.below(4) === 0) w.u16(0x8100).u16(0);
    }
    return w
      .u16(family === 4 ? 0x0800 : 0x86dd)
      .bytes(packet)
      .finish();
  }
}

const FRAGMENT = 44;
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 44, 51, 60, 135, 139, 140]);

function octets16(value: bigint): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 15, left = value; i >= 0; i--, left >>= 8n) out[i] = Number(left & 0xffn);
  return out;
}
