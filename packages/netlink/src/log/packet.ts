import type { Reader, Writer } from '@weir/wire/bytes';
import {
  closeAttribute,
  eachAttribute,
  openAttribute,
  openNest,
  putBytes,
  putString,
  putU16,
  putU32,
  readBytes,
  readString,
} from '../message/index.ts';

/** NF_INET_* as numbers of the packet header. */
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress'] as const;

export type LogHook = (typeof HOOKS)[number];

/** State of the tracked connection (`enum ip_conntrack_info`), whichever its direction. */
export type LogConnection = 'established' | 'related' | 'new' | 'untracked';

/** IP_CT_*: the second three are the same in the direction of replies. */
const CONNECTIONS: readonly (LogConnection | undefined)[] = [
  'established',
  'related',
  'new',
  'established',
  'related',
  undefined,
  undefined,
  'untracked',
];

/** A packet that a rule with `log group` has seen (`enum nfulnl_attr_type`). What the kernel did not tell is absent. */
export interface LogPacket {
  /** NFPROTO_*: 2 IPv4, 10 IPv6, 5 netdev, 7 bridge. */
  readonly family: number;
  readonly group: number;
  /** EtherType. */
  readonly protocol?: number;
  /** Number of the hook, as the kernel gives it; see `hookName`. */
  readonly hook?: number;
  /** What the rule calls it; at most 127 octets. */
  readonly prefix?: string;
  readonly mark?: number;
  /** When the packet arrived; absent for what this machine sends. */
  readonly time?: { readonly seconds: bigint; readonly microseconds: bigint };
  /** Interface indices; the physical ones are ports of a bridge. */
  readonly input?: number;
  readonly output?: number;
  readonly physicalInput?: number;
  readonly physicalOutput?: number;
  /** Link-layer address of the sender. */
  readonly sourceAddress?: Uint8Array;
  /** ARPHRD_*: 1 Ethernet. */
  readonly linkType?: number;
  readonly linkHeader?: Uint8Array;
  /** Tag that the network card or the kernel took off. */
  readonly vlan?: { readonly protocol: number; readonly tci: number };
  /** The packet from its network header on, as the hook saw it, cut after as many octets as were asked for. */
  readonly payload?: Uint8Array;
  /** Of the socket that sends it. */
  readonly uid?: number;
  readonly gid?: number;
  /** Numbers of the packet in its group and among all groups, where they were asked for: a gap means that packets were lost. */
  readonly sequence?: number;
  readonly globalSequence?: number;
  /** `enum ip_conntrack_info`, where connections were asked for; absent for packets that are invalid to connection tracking. See `connectionState`. */
  readonly connection?: number;
  /** The attributes of its entry, as conntrack's own messages have them. */
  readonly conntrack?: Uint8Array;
}

const PACKET_HEADER = 1;
const MARK = 2;
const TIMESTAMP = 3;
const INDEV = 4;
const OUTDEV = 5;
const PHYS_INDEV = 6;
const PHYS_OUTDEV = 7;
const HARDWARE_ADDRESS = 8;
const PAYLOAD = 9;
const PREFIX = 10;
const UID = 11;
const SEQUENCE = 12;
const GLOBAL_SEQUENCE = 13;
const GID = 14;
const LINK_TYPE = 15;
const LINK_HEADER = 16;
const LINK_HEADER_LENGTH = 17;
const CONNTRACK = 18;
const CONNECTION = 19;
const VLAN = 20;
const LINK_LAYER = 21;
/** An address field of `struct nfulnl_msg_packet_hw`. */
const ADDRESS = 8;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** `prerouting` and so on; undefined for a number that is none of the inet hooks. */
export function hookName(hook: number): LogHook | undefined {
  return HOOKS[hook];
}

export function connectionState(info: number): LogConnection | undefined {
  return CONNECTIONS[info];
}

/** The attributes of NFULNL_MSG_PACKET. `family` and `group` are those of the message's netfilter header (its resource id). */
export function decodeLogPacket(family: number, group: number, r: Reader): LogPacket {
  const packet: Mutable<LogPacket> = { family, group };
  eachAttribute(r, (type, value) => {
    if (type === PACKET_HEADER) {
      packet.protocol = value.u16('hw_protocol');
      packet.hook = value.u8('hook');
    } else if (type === MARK) packet.mark = value.u32('NFULA_MARK');
    else if (type === TIMESTAMP) packet.time = { seconds: value.u64('sec'), microseconds: value.u64('usec') };
    else if (type === INDEV) packet.input = value.u32('NFULA_IFINDEX_INDEV');
    else if (type === OUTDEV) packet.output = value.u32('NFULA_IFINDEX_OUTDEV');
    else if (type === PHYS_INDEV) packet.physicalInput = value.u32('NFULA_IFINDEX_PHYSINDEV');
    else if (type === PHYS_OUTDEV) packet.physicalOutput = value.u32('NFULA_IFINDEX_PHYSOUTDEV');
    else if (type === HARDWARE_ADDRESS) {
      const length = Math.min(value.u16('hw_addrlen'), ADDRESS);
      value.skip(2);
      packet.sourceAddress = value.take(length, 'hw_addr').slice();
    } else if (type === PAYLOAD) packet.payload = readBytes(value);
    else if (type === PREFIX) packet.prefix = readString(value);
    else if (type === UID) packet.uid = value.u32('NFULA_UID');
    else if (type === GID) packet.gid = value.u32('NFULA_GID');
    else if (type === SEQUENCE) packet.sequence = value.u32('NFULA_SEQ');
    else if (type === GLOBAL_SEQUENCE) packet.globalSequence = value.u32('NFULA_SEQ_GLOBAL');
    else if (type === LINK_TYPE) packet.linkType = value.u16('NFULA_HWTYPE');
    else if (type === LINK_HEADER || type === LINK_LAYER) packet.linkHeader = readBytes(value);
    else if (type === CONNTRACK) packet.conntrack = readBytes(value);
    else if (type === CONNECTION) packet.connection = value.u32('NFULA_CT_INFO');
    else if (type === VLAN) {
      const vlan = decodeVlan(value);
      if (vlan) packet.vlan = vlan;
    }
  });
  return packet;
}

function decodeVlan(r: Reader): LogPacket['vlan'] {
  let protocol: number | undefined;
  let tci: number | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) protocol = value.u16('NFULA_VLAN_PROTO');
    else if (type === 2) tci = value.u16('NFULA_VLAN_TCI');
  });
  return protocol === undefined || tci === undefined ? undefined : { protocol, tci };
}

/** The same attributes as the kernel writes them, for what stands in for it. */
export function encodeLogPacket(w: Writer, packet: LogPacket): void {
  const u32 = (type: number, value: number | undefined): void => {
    if (value !== undefined) putU32(w, type, value);
  };
  const bytes = (type: number, value: Uint8Array | undefined): void => {
    if (value) putBytes(w, type, value);
  };
  if (packet.protocol !== undefined && packet.hook !== undefined) {
    const at = openAttribute(w, PACKET_HEADER);
    w.u16(packet.protocol).u8(packet.hook).u8(0);
    closeAttribute(w, at);
  }
  if (packet.prefix !== undefined) putString(w, PREFIX, packet.prefix);
  u32(INDEV, packet.input);
  u32(PHYS_INDEV, packet.physicalInput);
  u32(OUTDEV, packet.output);
  u32(PHYS_OUTDEV, packet.physicalOutput);
  u32(MARK, packet.mark);
  if (packet.sourceAddress) {
    const at = openAttribute(w, HARDWARE_ADDRESS);
    w.u16(packet.sourceAddress.length)
      .u16(0)
      .bytes(packet.sourceAddress)
      .zeros(ADDRESS - packet.sourceAddress.length);
    closeAttribute(w, at);
  }
  if (packet.linkType !== undefined) putU16(w, LINK_TYPE, packet.linkType);
  if (packet.linkHeader) {
    putU16(w, LINK_HEADER_LENGTH, packet.linkHeader.length);
    bytes(LINK_HEADER, packet.linkHeader);
  }
  if (packet.vlan) {
    const at = openNest(w, VLAN);
    putU16(w, 1, packet.vlan.protocol);
    putU16(w, 2, packet.vlan.tci);
    closeAttribute(w, at);
  }
  if (packet.time) {
    const at = openAttribute(w, TIMESTAMP);
    w.u64(packet.time.seconds).u64(packet.time.microseconds);
    closeAttribute(w, at);
  }
  u32(UID, packet.uid);
  u32(GID, packet.gid);
  u32(SEQUENCE, packet.sequence);
  u32(GLOBAL_SEQUENCE, packet.globalSequence);
  bytes(CONNTRACK, packet.conntrack);
  u32(CONNECTION, packet.connection);
  bytes(PAYLOAD, packet.payload);
}
