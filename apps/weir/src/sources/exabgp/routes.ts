import { type Announcement, type NextHop, type NlriRun, nlriRun, parseFamily } from '@weir/bgp/codec';
import { type Ip, type Prefix, parseIp, parsePrefix } from '@weir/wire/inet';
import { array, isObject, type JsonObject, type JsonValue, LineError, object, text } from './json.ts';

type Unicast = NlriRun['family'];

interface Route {
  readonly prefix: Prefix;
  readonly pathId: number | undefined;
}

/** Unicast routes of `announce`, by family and next hop. Families that Weir has no name for, and flows, are left to others. Throws LineError. */
export function readAnnouncements(value: JsonObject): readonly Announcement[] {
  return Object.entries(value).flatMap(([name, hops]) => {
    const family = unicast(name);
    return family === undefined ? [] : announcements(family, object(hops, name));
  });
}

/** Unicast routes of `withdraw`. */
export function readWithdrawals(value: JsonObject): readonly NlriRun[] {
  return Object.entries(value).flatMap(([name, entries]) => {
    const family = unicast(name);
    return family === undefined ? [] : runs(family, array(entries, name).map(routeOf));
  });
}

function unicast(name: string): Unicast | undefined {
  const family = parseFamily(name);
  return family === 'ipv4 unicast' || family === 'ipv6 unicast' ? family : undefined;
}

function announcements(family: Unicast, hops: JsonObject): readonly Announcement[] {
  const entries = Object.entries(hops).map(([hop, list]) => ({ hop: nextHop(hop), list: array(list, family) }));
  const [only] = entries;
  if (entries.length === 1 && only) {
    const { hop, list } = only;
    return runs(family, list.map(routeOf)).map((run) => ({ nextHop: hop && { address: hop }, run }));
  }
  return severalHops(family, entries);
}

/** A message with a global and a link-local next hop is printed as if there were two of them, with the same routes (RFC 2545 section 3). */
function severalHops(
  family: Unicast,
  entries: readonly { readonly hop: Ip | undefined; readonly list: readonly JsonValue[] }[],
): readonly Announcement[] {
  const routes = new Map<string, { readonly route: Route; readonly hops: Ip[] }>();
  for (const { hop, list } of entries) {
    for (const entry of list) {
      const route = routeOf(entry);
      const key = `${isObject(entry) ? String(entry['nlri']) : String(entry)} ${route.pathId}`;
      const known = routes.get(key) ?? { route, hops: [] };
      if (hop) known.hops.push(hop);
      routes.set(key, known);
    }
  }
  const groups = new Map<string, { readonly nextHop: NextHop | undefined; readonly routes: Route[] }>();
  for (const { route, hops } of routes.values()) {
    const hop = combine(hops);
    const key = JSON.stringify(hop ?? null);
    const group = groups.get(key) ?? { nextHop: hop, routes: [] };
    group.routes.push(route);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((group) => runs(family, group.routes).map((run) => ({ nextHop: group.nextHop, run })));
}

function combine(hops: readonly Ip[]): NextHop | undefined {
  const linkLocal = hops.find(isLinkLocal);
  const address = hops.find((hop) => hop !== linkLocal) ?? linkLocal;
  if (!address) return undefined;
  return linkLocal && linkLocal !== address ? { address, linkLocal } : { address };
}

function isLinkLocal(ip: Ip): boolean {
  return ip.family === 6 && ip.w0 >>> 22 === 0xfe80 >>> 6;
}

/** Of a flow, and of what is withdrawn, there may be none. */
export function nextHop(written: string): Ip | undefined {
  if (written === 'no-nexthop' || written === 'null') return undefined;
  const address = parseIp(written);
  if (address) return address;
  throw new LineError('a next hop is not an address');
}

/** `{ "nlri": "192.0.2.0/24", "path-information": "0.0.0.7" }`, or the prefix alone where `api.compact` is on. */
function routeOf(value: JsonValue): Route {
  const entry = isObject(value) ? value : { nlri: value };
  const result = parsePrefix(text(entry['nlri'], 'a route'));
  const prefix = result.ok ? result.prefix : result.error.kind === 'host-bits' ? result.error.masked : undefined;
  if (!prefix) throw new LineError('a route is not a prefix');
  return { prefix, pathId: entry['path-information'] === undefined ? undefined : pathId(entry['path-information']) };
}

/** Printed like an address. */
function pathId(value: JsonValue): number {
  const address = parseIp(text(value, 'path-information'));
  if (address?.family !== 4) throw new LineError('path-information is not an identifier');
  return address.w0;
}

/** At most two runs: those with a path identifier are apart from those without. */
function runs(family: Unicast, routes: readonly Route[]): readonly NlriRun[] {
  const [bits, other] = family === 'ipv4 unicast' ? [4, 6] : [6, 4];
  if (routes.some(({ prefix }) => prefix.family !== bits)) throw new LineError(`${family} has an IPv${other} prefix`);
  const plain = routes.filter((route) => route.pathId === undefined);
  const paths = routes.filter((route) => route.pathId !== undefined);
  const prefixes = (list: readonly Route[]): readonly Prefix[] => list.map(({ prefix }) => prefix);
  return [
    ...(plain.length > 0 ? [nlriRun(family, prefixes(plain))] : []),
    ...(paths.length > 0
      ? [
          nlriRun(
            family,
            prefixes(paths),
            paths.map((route) => route.pathId ?? 0),
          ),
        ]
      : []),
  ];
}
