import { eachAttribute, type Header, putBytes, readString } from '@weir/netlink/message';
import { KernelError, RouteConnection } from '@weir/netlink/socket';
import type { Reader, Writer } from '@weir/wire/bytes';
import { bitsOf, decodeIp, type Family, type Ip, ipBytes } from '@weir/wire/inet';
import type { KernelRoute } from '../backend.ts';

const RTM = { newLink: 16, getLink: 18, newAddress: 20, getAddress: 22, newRoute: 24, getRoute: 26, newRule: 32, getRule: 34 } as const;
const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };
const AF_UNSPEC = 0;
const ETIME = 62;
/** Answers that are remembered. */
const MAX_REMEMBERED = 65_536;

const IFLA_NAME = 3;
const IFA = { address: 1, local: 2 } as const;
const RTA = { destination: 1, oif: 4, multipath: 9 } as const;
const RTN = { unicast: 1, local: 2, broadcast: 3, anycast: 4 } as const;
/** The answer is the entry of the table, with all of its next hops. */
const RTM_F_FIB_MATCH = 0x2000;
/** Attributes of a rule that do not choose between packets: priority, suppressed lengths and groups, table, who made it. */
const PLAIN_RULE_ATTRIBUTES: ReadonlySet<number> = new Set([6, 13, 14, 15, 21]);
const FRA_TABLE = 15;
const FR_ACT_TO_TABLE = 1;
/** `local`, `main` and `default`. */
const PLAIN_TABLES: ReadonlySet<number> = new Set([253, 254, 255]);

/**
 * Where the routing of a network namespace sends packets, over NETLINK_ROUTE (rtnetlink(7)). Interfaces, addresses and rules are those of when it was opened. Calls are
 * synchronous. KernelError where the kernel refuses, SystemError where the socket fails.
 */
export class RouteTable {
  readonly #connection: RouteConnection;
  readonly #names = new Map<number, string>();
  readonly #local = new Set<string>();
  /** Families whose routes depend on more than the destination. */
  readonly #chosen = new Set<Family>();
  readonly #remembered = new Map<string, KernelRoute | undefined>();

  constructor(netns: string | undefined) {
    this.#connection = new RouteConnection(netns);
    try {
      this.#readInterfaces();
      this.#readAddresses();
      for (const family of [4, 6] as const) if (!this.#readRules(family)) this.#chosen.add(family);
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  isLocal(address: Ip): boolean {
    return this.#local.has(keyOf(address)) || isLoopback(address);
  }

  /** Undefined where it depends on more than the address: on rules (`ip rule`), or on the interface as for addresses of one link and groups. */
  to(address: Ip): KernelRoute | undefined {
    if (this.isLocal(address)) return { kind: 'local' };
    if (this.#chosen.has(address.family) || needsInterface(address)) return undefined;
    const key = keyOf(address);
    if (this.#remembered.has(key)) return this.#remembered.get(key);
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    const route = this.#ask(address);
    this.#remembered.set(key, route);
    return route;
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#connection.close();
  }

  #ask(address: Ip): KernelRoute | undefined {
    let route: KernelRoute | undefined;
    const encode = (w: Writer): void => {
      routeHeader(w, address);
      putBytes(w, RTA.destination, ipBytes(address));
    };
    try {
      this.#connection.request({ operation: 'look up a route', type: RTM.getRoute, encode }, (header, r) => {
        if (header.type === RTM.newRoute) route = this.#route(r);
      });
    } catch (error) {
      // No route, or one that refuses.
      if (error instanceof KernelError && error.errno !== ETIME) return undefined;
      throw error;
    }
    return route;
  }

  /** `struct rtmsg`, whose type is its eighth octet, and attributes. */
  #route(r: Reader): KernelRoute | undefined {
    r.skip(7);
    const type = r.u8('rtm_type');
    r.skip(4);
    const indexes: number[] = [];
    eachAttribute(r, (attribute, value) => {
      if (attribute === RTA.oif) indexes.push(value.u32LE('RTA_OIF'));
      else if (attribute === RTA.multipath) indexes.push(...nextHops(value));
    });
    if (type === RTN.local || type === RTN.broadcast || type === RTN.anycast) return { kind: 'local' };
    if (type !== RTN.unicast) return undefined;
    const names = [...new Set(indexes)].map((index) => this.#names.get(index)).filter((name) => name !== undefined);
    return { kind: 'out', interfaces: names.length > 0 && names.length === new Set(indexes).size ? names : undefined };
  }

  #readInterfaces(): void {
    this.#dump('list interfaces', RTM.getLink, AF_UNSPEC, 16, (header, r) => {
      if (header.type !== RTM.newLink) return;
      r.skip(4);
      const index = r.u32LE('ifi_index');
      r.skip(8);
      eachAttribute(r, (attribute, value) => {
        if (attribute === IFLA_NAME) this.#names.set(index, readString(value));
      });
    });
  }

  #readAddresses(): void {
    this.#dump('list addresses', RTM.getAddress, AF_UNSPEC, 8, (header, r) => {
      if (header.type !== RTM.newAddress) return;
      const family = r.u8('ifa_family') === AF[4] ? 4 : 6;
      r.skip(7);
      let [address, local]: [Ip | undefined, Ip | undefined] = [undefined, undefined];
      eachAttribute(r, (attribute, value) => {
        if (attribute === IFA.address) address = decodeIp(value, family, 'IFA_ADDRESS');
        else if (attribute === IFA.local) local = decodeIp(value, family, 'IFA_LOCAL');
      });
      // Of a link from point to point `address` is the other end.
      const own = local ?? address;
      if (own) this.#local.add(keyOf(own));
    });
  }

  /** Whether a family has no rules but those that every system has: then the destination alone decides. */
  #readRules(family: Family): boolean {
    let plain = true;
    this.#dump('list routing rules', RTM.getRule, AF[family], 12, (header, r) => {
      if (header.type !== RTM.newRule) return;
      r.skip(1);
      const [toLength, fromLength, tos] = [r.u8('dst_len'), r.u8('src_len'), r.u8('tos')];
      let table = r.u8('table');
      r.skip(2);
      const action = r.u8('action');
      const inverted = (r.u32LE('flags') & 2) !== 0;
      eachAttribute(r, (attribute, value) => {
        if (attribute === FRA_TABLE) table = value.u32LE('FRA_TABLE');
        if (!PLAIN_RULE_ATTRIBUTES.has(attribute)) plain = false;
      });
      if (toLength + fromLength + tos > 0 || inverted || action !== FR_ACT_TO_TABLE || !PLAIN_TABLES.has(table)) plain = false;
    });
    return plain;
  }

  /** `length`: octets of the request's own header, whose first is the family. */
  #dump(operation: string, type: number, family: number, length: number, visit: (header: Header, r: Reader) => void): void {
    this.#connection.dump({ operation, type, encode: (w) => w.u8(family).bytes(new Uint8Array(length - 1)) }, visit);
  }
}

/** `struct rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type (u8 each), flags u32. */
function routeHeader(w: Writer, { family }: Ip): void {
  w.u8(AF[family]).u8(bitsOf(family)).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u32LE(RTM_F_FIB_MATCH);
}

/** `struct rtnexthop`: length u16, flags u8, hops u8, index i32, then attributes, filled up to a multiple of four. */
function nextHops(r: Reader): number[] {
  const indexes: number[] = [];
  while (r.remaining >= 8) {
    const length = r.u16LE('rtnh_len');
    r.skip(2);
    indexes.push(r.u32LE('rtnh_ifindex'));
    r.skip(Math.min(r.remaining, Math.max(0, ((length + 3) & ~3) - 8)));
  }
  return indexes;
}

function keyOf({ family, w0, w1, w2, w3 }: Ip): string {
  return family === 4 ? String(w0) : `${w0}:${w1}:${w2}:${w3}`;
}

/** 127.0.0.0/8; ::1 is an address of `lo`. */
function isLoopback({ family, w0 }: Ip): boolean {
  return family === 4 && w0 >>> 24 === 127;
}

/** fe80::/10, ff00::/8, 224.0.0.0/4. */
function needsInterface({ family, w0 }: Ip): boolean {
  return family === 4 ? w0 >>> 28 === 14 : w0 >>> 22 === 0x3fa || w0 >>> 24 === 0xff;
}
