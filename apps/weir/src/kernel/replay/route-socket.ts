import { closeAttribute, NLM_F_CREATE, NLM_F_EXCL, openNest, putBytes, putString, putU32Host } from '@weir/netlink/message';
import { RouteConnection } from '@weir/netlink/socket';
import type { Writer } from '@weir/wire/bytes';
import { type Family, type Ip, ipBytes } from '@weir/wire/inet';

const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const AF_UNSPEC = 0;
const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

const IFF_UP = 0x1;
const IFF_NOARP = 0x80;
const IFLA = { address: 1, name: 3, mtu: 4, linkInfo: 18 } as const;
const IFLA_INFO = { kind: 1, data: 2 } as const;
const VETH_INFO_PEER = 1;
const IFA = { address: 1, local: 2, flags: 8 } as const;
const IFA_F_NODAD = 0x02;
const IFA_F_MCAUTOJOIN = 0x400;
const RTA = { oif: 4, gateway: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE = { universe: 0, host: 254 } as const;
const RTN = { unicast: 1, local: 2 } as const;
const RTNH_F_ONLINK = 4;

/** One end of a pair of interfaces. */
export interface VethEnd {
  readonly name: string;
  /** Six octets. */
  readonly address: Uint8Array;
  readonly mtu: number;
}

/**
 * Interfaces, addresses and routes of one network namespace over NETLINK_ROUTE (rtnetlink(7)). Calls are synchronous. KernelError where the kernel refuses, SystemError
 * where the socket fails.
 */
export class RouteSocket {
  readonly #connection: RouteConnection;

  constructor(netns: string) {
    this.#connection = new RouteConnection(netns);
  }

  /** As `ip link add A type veth peer name B`. */
  addVeth(one: VethEnd, other: VethEnd): void {
    this.#request(`add the interfaces ${one.name} and ${other.name}`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, (w) => {
      linkHeader(w, 0, 0, 0);
      end(w, one);
      const info = openNest(w, IFLA.linkInfo);
      putString(w, IFLA_INFO.kind, 'veth');
      const data = openNest(w, IFLA_INFO.data);
      const peer = openNest(w, VETH_INFO_PEER);
      linkHeader(w, 0, 0, 0);
      end(w, other);
      closeAttribute(w, peer);
      closeAttribute(w, data);
      closeAttribute(w, info);
    });
  }

  /** As `ip link set ... up`; without address resolution where `resolve` is false. */
  setUp(index: number, resolve = true): void {
    const flags = IFF_UP | (resolve ? 0 : IFF_NOARP);
    this.#request(`set interface ${index} up`, RTM_NEWLINK, 0, (w) => linkHeader(w, index, flags, IFF_UP | IFF_NOARP));
  }

  /** As `ip address add`. `join`: the address is a group, which the interface joins. */
  addAddress(index: number, address: Ip, options: { readonly length: number; readonly join?: boolean }): void {
    const flags = (address.family === 6 ? IFA_F_NODAD : 0) | (options.join ? IFA_F_MCAUTOJOIN : 0);
    this.#request('add an address', RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, (w) => {
      w.u8(AF[address.family]).u8(options.length).u8(0).u8(0).u32LE(index);
      putBytes(w, IFA.local, ipBytes(address));
      putBytes(w, IFA.address, ipBytes(address));
      putU32Host(w, IFA.flags, flags);
    });
  }

  /** Every destination belongs to this machine: as `ip route add local default dev lo`. */
  routeToSelf(family: Family, loopback: number): void {
    this.#request('add a route to this machine', RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, (w) => {
      routeHeader(w, family, RT_SCOPE.host, RTN.local, 0);
      putU32Host(w, RTA.oif, loopback);
    });
  }

  /** Every destination lies behind a neighbour: as `ip route add default via GATEWAY dev ... onlink`. */
  routeTo(gateway: Ip, index: number): void {
    this.#request('add a default route', RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, (w) => {
      routeHeader(w, gateway.family, RT_SCOPE.universe, RTN.unicast, RTNH_F_ONLINK);
      putBytes(w, RTA.gateway, ipBytes(gateway));
      putU32Host(w, RTA.oif, index);
    });
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#connection.close();
  }

  #request(operation: string, type: number, flags: number, encode: (w: Writer) => void): void {
    this.#connection.request({ operation, type, flags, encode });
  }
}

/** `struct ifinfomsg`: family u8, padding u8, type u16, index i32, flags u32, changed flags u32. */
function linkHeader(w: Writer, index: number, flags: number, change: number): void {
  w.u8(AF_UNSPEC).u8(0).u16LE(0).u32LE(index).u32LE(flags).u32LE(change);
}

function end(w: Writer, { name, address, mtu }: VethEnd): void {
  putString(w, IFLA.name, name);
  putBytes(w, IFLA.address, address);
  putU32Host(w, IFLA.mtu, mtu);
}

/** `struct rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type (u8 each), flags u32. */
function routeHeader(w: Writer, family: Family, scope: number, type: number, flags: number): void {
  w.u8(AF[family]).u8(0).u8(0).u8(0).u8(RT_TABLE_MAIN).u8(RTPROT_STATIC).u8(scope).u8(type).u32LE(flags);
}
