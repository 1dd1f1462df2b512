import { FR_ACT, ONLINK, type Route, RoutingClient, type RoutingRule, RTN } from '@weir/netlink/route';
import { KernelError } from '@weir/netlink/socket';
import { type Family, type Ip, printIp } from '@weir/wire/inet';
import { interfacesFilteringByMark } from './return-filter.ts';

/** What Weir's own rules and routes say about who made them, as `ip rule` and `ip route` show it: `proto 87`. */
const WEIR_PROTOCOL = 87;

const EAFNOSUPPORT = 97;
const EOPNOTSUPP = 95;
const ALL_BITS = 0xffff_ffff;
/** Of routes that name none. */
const RT_SCOPE_UNIVERSE = 0;
/** Errors that say that the process lacks a right. */
const NOT_PERMITTED: ReadonlySet<string> = new Set(['EPERM', 'EACCES']);

/** Packets with a mark look into a table: `ip rule add fwmark MARK lookup TABLE priority PRIORITY`. */
export interface PolicyRule {
  readonly family: Family;
  readonly priority: number;
  readonly mark: number;
  readonly table: number;
}

/** Everything in a table goes to one router: `ip route add default via GATEWAY dev ... onlink table TABLE`. */
export interface PolicyRoute extends Hop {
  readonly family: Family;
  readonly table: number;
}

/** The next router, and the index of the interface it is behind. */
export interface Hop {
  readonly gateway: Ip;
  readonly interface: number;
}

/** The rules of the routing policy: Weir's own, and those of others. */
export interface PolicyRules {
  readonly own: readonly RoutingRule[];
  readonly foreign: readonly RoutingRule[];
}

/** The rules and routes by which redirected packets are routed, in one network namespace. Calls are synchronous. KernelError where the kernel refuses, SystemError where the socket fails. */
export class PolicyRouting {
  readonly #client: RoutingClient;
  readonly #netns: string | undefined;

  constructor(netns: string | undefined) {
    this.#netns = netns;
    this.#client = new RoutingClient(netns);
  }

  rules(): PolicyRules {
    const all = ([4, 6] as const).flatMap((family) => unlessAbsent(() => this.#client.rules(family)));
    return { own: all.filter(isOwn), foreign: all.filter((rule) => !isOwn(rule)) };
  }

  /** Weir's routes of a table, and how many others are there. */
  routes(family: Family, table: number): { readonly own: readonly Route[]; readonly foreign: number } {
    const all = unlessAbsent(() => this.#client.routes(family, table));
    const own = all.filter(isOwn);
    return { own, foreign: all.length - own.length };
  }

  addRule(rule: PolicyRule): void {
    this.#client.addRule({ ...rule, action: FR_ACT.toTable, protocol: WEIR_PROTOCOL });
  }

  /** Of Weir's own. */
  deleteRule({ family, priority, mark, mask, table, action, protocol }: RoutingRule): void {
    this.#client.deleteRule({ family, priority, mark, mask, table, action, protocol });
  }

  putRoute({ family, table, gateway, interface: index }: PolicyRoute): void {
    const route = { family, table, gateway, interface: index, protocol: WEIR_PROTOCOL, scope: RT_SCOPE_UNIVERSE };
    this.#client.putRoute({ ...route, type: RTN.unicast, flags: ONLINK });
  }

  /** Of Weir's own. */
  deleteRoute({ others: _, flags: __, ...route }: Route): void {
    this.#client.deleteRoute({ ...route, flags: 0 });
  }

  /** The next router on the way to an address, which is the address itself where it is on a link of this host; or why there is none. */
  resolve(address: Ip): Hop | string {
    const text = printIp(address);
    const unfit = unfitFor(address);
    if (unfit !== undefined) return `${text} is ${unfit}`;
    let route: Route;
    try {
      route = this.#client.lookUp(address);
    } catch (error) {
      if (error instanceof KernelError) return `there is no route to ${text} (${error.code})`;
      throw error;
    }
    if (route.type === RTN.local) return `${text} is an address of this host`;
    if (route.type !== RTN.unicast || route.interface === undefined) return `there is no route to ${text}`;
    return { gateway: route.gateway ?? address, interface: route.interface };
  }

  /** Interfaces that drop IPv4 packets because of their mark. */
  filtering(): readonly string[] {
    return interfacesFilteringByMark(this.#netns);
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#client.close();
  }
}

/** Whether a rule does what is wanted, and nothing else. */
export function isRule(rule: RoutingRule, { family, priority, mark, table }: PolicyRule): boolean {
  const plain = !rule.destinationLength && !rule.sourceLength && !rule.tos && !rule.flags;
  const same = rule.family === family && rule.priority === priority && rule.mark === mark && rule.table === table;
  return plain && same && (rule.mask ?? ALL_BITS) === ALL_BITS && rule.action === FR_ACT.toTable;
}

/** Whether an error says that the process may not do it. */
export function isNotPermitted(error: Error): boolean {
  return error instanceof KernelError && NOT_PERMITTED.has(error.code);
}

function isOwn({ protocol }: { readonly protocol?: number | undefined }): boolean {
  return protocol === WEIR_PROTOCOL;
}

/** Of a family that the kernel does not have, or not with rules. */
function unlessAbsent<T>(list: () => readonly T[]): readonly T[] {
  try {
    return list();
  } catch (error) {
    if (error instanceof KernelError && (error.errno === EAFNOSUPPORT || error.errno === EOPNOTSUPP)) return [];
    throw error;
  }
}

/** What an address is that no router has, or not everywhere. */
function unfitFor({ family, w0, w1, w2, w3 }: Ip): string | undefined {
  if (family === 4) {
    const first = w0 >>> 24;
    if (first === 0) return 'of no network';
    if (first === 127) return 'of the loopback';
    return first >= 224 ? 'not of one host' : undefined;
  }
  if (w0 === 0 && w1 === 0 && w2 === 0) return w3 <= 1 ? 'of the loopback, or none' : undefined;
  if (w0 >>> 24 === 0xff) return 'not of one host';
  return w0 >>> 22 === 0x3fa ? 'of one link only, which an announcement does not name' : undefined;
}
