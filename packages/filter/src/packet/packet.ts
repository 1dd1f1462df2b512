import { type Link, readEthernet, readLink, readNetwork } from '@weir/wire/capture';
import type { Ip } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';
import { finishChecksum, sumWords } from './checksum.ts';
import type { PacketContext } from './context.ts';
import { FIELDS } from './fields.ts';
import { findHeaders, type Headers } from './headers.ts';
import { bitsAt } from './octets.ts';
import { sliceStart } from './slice.ts';

/** A value of a packet's field. */
export type FieldValue = boolean | Int | Ip | Uint8Array;

const NOTHING: PacketContext = {};
const NO_BYTES = new Uint8Array();

/**
 * A packet as expressions see it (a `Subject`): fields are read from the bytes when they are asked for. It looks at the bytes the way the kernel's nf_tables does at the inet
 * hooks: what cannot be loaded there is missing here. Bytes are not copied; byte fields are views of them. No bytes make it throw.
 */
export class Packet {
  /** As they were given, link header and padding included. */
  readonly bytes: Uint8Array;
  readonly context: PacketContext;
  readonly link: Link;
  #headers: Headers | undefined;

  private constructor(bytes: Uint8Array, link: Link, context: PacketContext) {
    this.bytes = bytes;
    this.link = link;
    this.context = context;
  }

  /** Bytes that begin with the IP header, as the netfilter hooks see them. */
  static fromNetwork(bytes: Uint8Array, context: PacketContext = NOTHING): Packet {
    return new Packet(bytes, readNetwork(bytes), context);
  }

  /** An Ethernet frame, as XDP, tc and captures see it; VLAN tags are stepped over. The type field says the family. */
  static fromEthernet(bytes: Uint8Array, context: PacketContext = NOTHING): Packet {
    return new Packet(bytes, readEthernet(bytes), context);
  }

  /** A captured frame of any link type that is read (`readsLinkType`); undefined for one of another. */
  static fromCapture(bytes: Uint8Array, linkType: number, context: PacketContext = NOTHING): Packet | undefined {
    const link = readLink(bytes, linkType);
    return link && new Packet(bytes, link, context);
  }

  /** The same octets as something else is known of them. */
  withContext(context: PacketContext): Packet {
    return new Packet(this.bytes, this.link, context);
  }

  /** A copy with another codepoint (RFC 2474) in its IP header, and a checksum of that header as right as it was; itself where the header is not whole. */
  withDscp(dscp: number): Packet {
    const { network, family } = this.link;
    if (family === undefined || this.bytes.length < network + (family === 4 ? 20 : 40)) return this;
    const bytes = this.bytes.slice();
    const view = new DataView(bytes.buffer, bytes.byteOffset + network);
    const shift = family === 4 ? 2 : 6;
    const before = view.getUint16(0);
    const after = (before & ~(0x3f << shift)) | (dscp << shift);
    view.setUint16(0, after);
    // RFC 1624, equation 3; nf_tables writes 0xffff, which says the same, for 0.
    if (family === 4) {
      const sum = sumWords(NO_BYTES, (~view.getUint16(10) & 0xffff) + (~before & 0xffff) + after);
      view.setUint16(10, finishChecksum(sum) || 0xffff);
    }
    return new Packet(bytes, this.link, this.context);
  }

  /** Where its headers are; found at the first call. */
  get headers(): Headers {
    this.#headers ??= findHeaders(this.bytes, this.link.network, this.link.family, this.context.wireLength);
    return this.#headers;
  }

  /** The value of a field of PACKET_SCHEME; undefined when the packet has none, and for names that are not fields. */
  field(name: string): FieldValue | undefined {
    return FIELDS.get(name)?.(this);
  }

  /**
   * `bit_slice`: bits [start, end) from the start of a header, as an unsigned number. `icmp` is ICMP over IPv4, `icmpv6` ICMPv6 over IPv6. Undefined when the packet does
   * not have the header or the bits are not all in it, and for fewer than 1 or more than 32 bits.
   */
  slice(protocol: string, start: number, end: number): number | undefined {
    const at = sliceStart(this.headers, protocol);
    return at === undefined ? undefined : bitsAt(this.bytes, at, this.headers.end, start, end);
  }
}
