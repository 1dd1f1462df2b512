import type { Ip } from '@weir/wire/inet';

/** A packet as a person or a test writes it down. Whatever is left out has its usual value, checksums and lengths are right unless they are given. */
export interface PacketDescription {
  /** Undefined: the bytes begin with the IP header. */
  readonly ethernet?: EthernetDescription | undefined;
  /** Of the same family as `destination`. */
  readonly source: Ip;
  readonly destination: Ip;
  /** TTL or hop limit; 64. */
  readonly ttl?: number | undefined;
  /** TOS or traffic class. */
  readonly tos?: number | undefined;
  /** IPv4: identification; in `buildFragments` of IPv6 too. */
  readonly id?: number | undefined;
  readonly dontFragment?: boolean | undefined;
  /** IPv4: options, filled up to a multiple of four with zeros; at most 40 octets. */
  readonly options?: Uint8Array | undefined;
  /** IPv6. */
  readonly flowLabel?: number | undefined;
  /** IPv6, in order. */
  readonly extensions?: readonly Extension[] | undefined;
  /** In IPv6 its header comes after the other extensions. What `transport` gives is the fragment's data then, from its first octet on. */
  readonly fragment?: FragmentDescription | undefined;
  readonly transport: Transport;
  /** Octets from the IP header on after which the packet ends, its length field included: a packet whose sender cut it. */
  readonly cut?: number | undefined;
  /** Octets from the IP header on after which the bytes end, whatever the length field says: what a capture kept, or a damaged packet. */
  readonly captured?: number | undefined;
  readonly wrong?: WrongHeader | undefined;
}

/** Fields of the IP header with other values than they should have. */
export interface WrongHeader {
  readonly version?: number | undefined;
  /** IPv4, in 32-bit words. */
  readonly headerLength?: number | undefined;
  /** IPv4 total length, or IPv6 payload length. */
  readonly length?: number | undefined;
  /** IPv4. */
  readonly checksum?: number | undefined;
}

export interface EthernetDescription {
  /** Six octets; 02:00:00:00:00:01 and :02 when left out. */
  readonly source?: Uint8Array | undefined;
  readonly destination?: Uint8Array | undefined;
  /** Outermost first. */
  readonly tags?: readonly VlanTag[] | undefined;
}

export interface VlanTag {
  /** 0-4095. */
  readonly id: number;
  readonly priority?: number | undefined;
  /** 0x8100 (802.1Q) when left out; 0x88a8 is 802.1ad. */
  readonly type?: number | undefined;
}

export interface FragmentDescription {
  /** In units of 8 octets. */
  readonly offset: number;
  readonly more: boolean;
  /** IPv6; in IPv4 `id` of the packet. */
  readonly id?: number | undefined;
}

/** An extension header of IPv6 (RFC 8200 section 4). Options and data are filled up to the multiple of eight that the header needs. */
export type Extension =
  | { readonly kind: 'hop-by-hop' | 'destination-options'; readonly options?: Uint8Array | undefined }
  | { readonly kind: 'routing'; readonly type: number; readonly segmentsLeft: number; readonly data?: Uint8Array | undefined }
  | ({ readonly kind: 'fragment' } & FragmentDescription)
  | { readonly kind: 'ah'; readonly spi: number; readonly sequence: number; readonly icv?: Uint8Array | undefined }
  /** Octets as they are but for the first, which names what follows. */
  | { readonly kind: 'unknown'; readonly header: number; readonly bytes: Uint8Array };

export type Transport =
  | TcpDescription
  | UdpDescription
  /** ICMP or ICMPv6 by the family of the addresses. `rest` is the second word of the header. */
  | {
      readonly kind: 'icmp';
      readonly type: number;
      readonly code: number;
      readonly rest?: number | undefined;
      readonly payload?: Uint8Array | undefined;
      readonly checksum?: number | undefined;
    }
  | {
      readonly kind: 'sctp';
      readonly sourcePort: number;
      readonly destinationPort: number;
      readonly tag?: number | undefined;
      readonly chunks?: Uint8Array | undefined;
      readonly checksum?: number | undefined;
    }
  | {
      readonly kind: 'gre';
      /** An Ethernet type. */
      readonly protocol: number;
      readonly key?: number | undefined;
      readonly payload?: Uint8Array | undefined;
    }
  | { readonly kind: 'esp'; readonly spi: number; readonly sequence: number; readonly payload?: Uint8Array | undefined }
  /** Anything else, by its protocol number; also the data of later fragments. 59 in IPv6: no next header. */
  | { readonly kind: 'raw'; readonly protocol: number; readonly payload?: Uint8Array | undefined };

export interface TcpDescription {
  readonly kind: 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** As `tcp.flags`: TCP_FLAGS added up. */
  readonly flags?: number | undefined;
  readonly sequence?: number | undefined;
  readonly acknowledgement?: number | undefined;
  /** 65535 when left out. */
  readonly window?: number | undefined;
  readonly urgent?: number | undefined;
  /** Filled up to a multiple of four with zeros; at most 40 octets. */
  readonly options?: Uint8Array | undefined;
  /** In 32-bit words, instead of the right one. */
  readonly dataOffset?: number | undefined;
  readonly payload?: Uint8Array | undefined;
  readonly checksum?: number | undefined;
}

export interface UdpDescription {
  readonly kind: 'udp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Instead of the right one. */
  readonly length?: number | undefined;
  readonly payload?: Uint8Array | undefined;
  readonly checksum?: number | undefined;
}

/** Bits of `tcp.flags`. */
export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;
