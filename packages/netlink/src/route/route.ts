import { DecodeError, type Reader, type Writer } from '@weir/wire/bytes';
import { bitsOf, decodeIp, type Family, type Ip, ipBytes } from '@weir/wire/inet';
import { closeAttribute, eachAttribute, openAttribute, putBytes, putU32Host, readBytes } from '../message/index.ts';
import { AF, type OtherAttribute, readFamily } from './family.ts';

/** What a route does (`RTN_*` of `linux/rtnetlink.h`). */
export const RTN = { unicast: 1, local: 2, broadcast: 3, anycast: 4, multicast: 5, blackhole: 6, unreachable: 7, prohibit: 8 } as const;
/** The gateway is taken to be on the link (`RTNH_F_ONLINK`). */
export const ONLINK = 4;

const RTA = { destination: 1, interface: 4, gateway: 5, metric: 6, table: 15, via: 18 } as const;
/** In the header a table above 255 is this. */
const RT_TABLE_COMPAT = 252;

/** A route, or what a look-up answers. */
export interface Route {
  readonly family: Family;
  /** Absent: 0 bits, the default route. */
  readonly destination?: { readonly address: Ip; readonly length: number } | undefined;
  /** Bits of the source, with the address among `others`. */
  readonly sourceLength?: number | undefined;
  readonly tos?: number | undefined;
  readonly table: number;
  /** Who made it (`RTPROT_*`). */
  readonly protocol: number;
  readonly scope: number;
  /** One of RTN. */
  readonly type: number;
  readonly flags: number;
  /** The next router, which may be of the other family. */
  readonly gateway?: Ip | undefined;
  /** Index of the interface that packets leave by. */
  readonly interface?: number | undefined;
  /** Lower goes first. */
  readonly metric?: number | undefined;
  /** In the order in which they came; RTA_MULTIPATH is one of them. */
  readonly others?: readonly OtherAttribute[] | undefined;
}

/** `struct rtmsg` (family, lengths of destination and source, TOS, table, protocol, scope, type: u8 each; flags u32) and attributes. DecodeError. */
export function decodeRoute(r: Reader): Route {
  const family = readFamily(r);
  const [length, sourceLength, tos] = [r.u8('rtm_dst_len'), r.u8('rtm_src_len'), r.u8('rtm_tos')];
  if (length > bitsOf(family)) throw new DecodeError(`rtm_dst_len is ${length}`, r.pos - 3, 'rtm_dst_len');
  let table = r.u8('rtm_table');
  const [protocol, scope, type, flags] = [r.u8('rtm_protocol'), r.u8('rtm_scope'), r.u8('rtm_type'), r.u32LE('rtm_flags')];
  let address: Ip | undefined;
  const known: { gateway?: Ip; interface?: number; metric?: number } = {};
  const others: OtherAttribute[] = [];
  eachAttribute(r, (attribute, value) => {
    if (attribute === RTA.destination) address = decodeIp(value, family, 'RTA_DST');
    else if (attribute === RTA.interface) known.interface = value.u32LE('RTA_OIF');
    else if (attribute === RTA.gateway) known.gateway = decodeIp(value, family, 'RTA_GATEWAY');
    else if (attribute === RTA.via) known.gateway = decodeVia(value);
    else if (attribute === RTA.metric) known.metric = value.u32LE('RTA_PRIORITY');
    else if (attribute === RTA.table) table = value.u32LE('RTA_TABLE');
    else others.push({ type: attribute, bytes: readBytes(value) });
  });
  if (!address && length > 0) throw new DecodeError(`${length} bits of no destination`, r.pos, 'RTA_DST');
  return {
    family,
    ...(address ? { destination: { address, length } } : {}),
    ...(sourceLength > 0 ? { sourceLength } : {}),
    ...(tos > 0 ? { tos } : {}),
    table,
    protocol,
    scope,
    type,
    flags,
    ...known,
    ...(others.length > 0 ? { others } : {}),
  };
}

export function encodeRoute(w: Writer, route: Route): void {
  const { family, destination, sourceLength = 0, tos = 0, table, protocol, scope, type, flags, gateway, metric } = route;
  const head = table > 255 ? RT_TABLE_COMPAT : table;
  w.u8(AF[family])
    .u8(destination?.length ?? 0)
    .u8(sourceLength)
    .u8(tos);
  w.u8(head).u8(protocol).u8(scope).u8(type).u32LE(flags);
  if (destination) putBytes(w, RTA.destination, ipBytes(destination.address));
  if (gateway?.family === family) putBytes(w, RTA.gateway, ipBytes(gateway));
  else if (gateway) encodeVia(w, gateway);
  putU32Host(w, RTA.table, table);
  if (route.interface !== undefined) putU32Host(w, RTA.interface, route.interface);
  if (metric !== undefined) putU32Host(w, RTA.metric, metric);
  for (const other of route.others ?? []) putBytes(w, other.type, other.bytes);
}

/** `struct rtvia`: family u16, address. */
function decodeVia(r: Reader): Ip {
  const at = r.pos;
  const family = r.u16LE('rtvia_family');
  if (family !== AF[4] && family !== AF[6]) throw new DecodeError(`address family ${family} is not IPv4 or IPv6`, at, 'rtvia_family');
  return decodeIp(r, family === AF[4] ? 4 : 6, 'rtvia_addr');
}

function encodeVia(w: Writer, gateway: Ip): void {
  const at = openAttribute(w, RTA.via);
  w.u16LE(AF[gateway.family]).bytes(ipBytes(gateway));
  closeAttribute(w, at);
}
