import type { Writer } from '@weir/wire/bytes';
import { bitsOf, type Family, type Ip, ipBytes } from '@weir/wire/inet';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, putBytes, putU32Host } from '../message/index.ts';
import { KernelError, RouteConnection } from '../socket/index.ts';
import { AF } from './family.ts';
import { decodeRoute, encodeRoute, type Route } from './route.ts';
import { decodeRoutingRule, encodeRoutingRule, type RoutingRule } from './rule.ts';

const RTM = { newRoute: 24, deleteRoute: 25, getRoute: 26, newRule: 32, deleteRule: 33, getRule: 34 } as const;
const RTA = { destination: 1, table: 15 } as const;
const ENOENT = 2;
const ESRCH = 3;
const EEXIST = 17;
/** Octets of `struct fib_rule_hdr` and of `struct rtmsg` behind the family. */
const HEADER_REST = 11;

/** The routing policy and the routes of a network namespace (rtnetlink(7)), as `ip rule` and `ip route` show them. Calls are synchronous. KernelError where the kernel refuses, SystemError where the socket fails. */
export class RoutingClient {
  readonly #connection: RouteConnection;

  /** `netns`: a name as in `ip netns`, or a path. */
  constructor(netns?: string | undefined) {
    this.#connection = new RouteConnection(netns, { strictCheck: true });
  }

  rules(family: Family): readonly RoutingRule[] {
    const found: RoutingRule[] = [];
    const encode = (w: Writer): void => {
      w.u8(AF[family]).zeros(HEADER_REST);
    };
    this.#connection.dump({ operation: 'list routing rules', type: RTM.getRule, encode }, (header, r) => {
      if (header.type === RTM.newRule) found.push(decodeRoutingRule(r));
    });
    return found;
  }

  /** Adds a rule behind those of its priority; false where there is the same one. */
  addRule(rule: RoutingRule): boolean {
    return this.#unless(EEXIST, {
      operation: 'add a routing rule',
      type: RTM.newRule,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      encode: (w) => encodeRoutingRule(w, rule),
    });
  }

  /** Deletes the first rule that is so in everything that is said; false where there is none. */
  deleteRule(rule: RoutingRule): boolean {
    return this.#unless(ENOENT, { operation: 'delete a routing rule', type: RTM.deleteRule, encode: (w) => encodeRoutingRule(w, rule) });
  }

  /** The routes of one table; none where there is no such table. */
  routes(family: Family, table: number): readonly Route[] {
    const found: Route[] = [];
    const encode = (w: Writer): void => {
      w.u8(AF[family]).zeros(HEADER_REST);
      putU32Host(w, RTA.table, table);
    };
    try {
      this.#connection.dump({ operation: `list the routes of table ${table}`, type: RTM.getRoute, encode }, (header, r) => {
        if (header.type === RTM.newRoute) found.push(decodeRoute(r));
      });
    } catch (error) {
      if (error instanceof KernelError && error.errno === ENOENT) return [];
      throw error;
    }
    return found;
  }

  /** Adds a route, or puts it in the place of one with the same destination, metric and table. */
  putRoute(route: Route): void {
    const encode = (w: Writer): void => encodeRoute(w, route);
    this.#connection.request({ operation: 'put a route', type: RTM.newRoute, flags: NLM_F_CREATE | NLM_F_REPLACE, encode });
  }

  /** False where there is none. */
  deleteRoute(route: Route): boolean {
    return this.#unless(ESRCH, { operation: 'delete a route', type: RTM.deleteRoute, encode: (w) => encodeRoute(w, route) });
  }

  /** Where packets to an address go that come from this host and have no mark. KernelError where there is no route (ENETUNREACH), or one that refuses (EHOSTUNREACH, EACCES, EINVAL). */
  lookUp(address: Ip): Route {
    let route: Route | undefined;
    const encode = (w: Writer): void => {
      w.u8(AF[address.family]).u8(bitsOf(address.family)).zeros(10);
      putBytes(w, RTA.destination, ipBytes(address));
    };
    this.#connection.request({ operation: 'look up a route', type: RTM.getRoute, encode }, (header, r) => {
      if (header.type === RTM.newRoute) route = decodeRoute(r);
    });
    if (!route) throw new KernelError('look up a route', ESRCH, { message: 'no answer' });
    return route;
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#connection.close();
  }

  #unless(errno: number, request: Parameters<RouteConnection['request']>[0]): boolean {
    try {
      this.#connection.request(request);
      return true;
    } catch (error) {
      if (error instanceof KernelError && error.errno === errno) return false;
      throw error;
    }
  }
}
