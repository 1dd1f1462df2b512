import { Writer } from '@weir/wire/bytes';
import { type Asn, type Ip, type Prefix, printPrefix } from '@weir/wire/inet';
import {
  type AsPathSegment,
  encodeAttributes,
  encodeUpdate,
  type FamilyName,
  type NextHop,
  nlriRun,
  type PathAttributes,
  type SessionContext,
  sessionContext,
  type UnicastFamily,
} from '../codec/index.ts';
import type { Announcer, OutgoingSession } from './announcer.ts';
import { endOfRibBytes, refreshBytes } from './message-bytes.ts';
import { socketAddress } from './tcp.ts';

/** What prefixes are announced with. */
export interface RouteOptions {
  /** ORIGIN is igp, AS_PATH empty and LOCAL_PREF 100 (to internal peers alone) when absent. Our own AS goes in front of the path to external peers. */
  readonly attributes?: PathAttributes;
  /** Our address on the session when absent; needed where that is of the other address family. */
  readonly nextHop?: NextHop;
  /** Names of the peers that get it; all when absent. */
  readonly peers?: readonly string[];
}

interface Route {
  readonly prefix: Prefix;
  /** Shared by what was announced together. */
  readonly options: RouteOptions;
}

/** Sending everything of some families once, between a beginning and an end. */
interface Dump {
  readonly families: readonly FamilyName[];
  readonly begin: readonly Uint8Array[];
  readonly end: readonly Uint8Array[];
}

interface Outbox {
  readonly session: OutgoingSession;
  /** Prefixes whose present state the peer has not been told. */
  readonly pending: Set<string>;
  /** What the peer has been told to be reachable. */
  readonly told: Map<string, Prefix>;
  /** Encoded, but not taken by the session yet. */
  backlog: Uint8Array[];
  dumps: Dump[];
  dumping: Dump | undefined;
  scheduled: boolean;
}

/** Octets of path attributes that leave room in 4,096 for the rest of an UPDATE. */
const MAX_ATTRIBUTES = 3900;
/** A session on which attributes are longest. */
const WIDEST = sessionContext();
/** Prefixes that are encoded at a time. */
const BATCH = 4096;

/**
 * A fixed table of routes of our own that every session is told: after it is established, on route refresh, and as routes come and go. One route for each
 * prefix: announcing it again replaces it. For each session it holds one entry for each route, and at most one batch of encoded messages.
 */
export class StaticRoutes implements Announcer {
  readonly #routes = new Map<string, Route>();
  readonly #outboxes = new Map<string, Outbox>();
  #unsendable = 0;

  get size(): number {
    return this.#routes.size;
  }

  /** Announcements left out because a session has no next hop for them. */
  get unsendable(): number {
    return this.#unsendable;
  }

  /** RangeError when the attributes are longer than a message has room for. */
  announce(prefixes: Iterable<Prefix>, options: RouteOptions = {}): void {
    const w = new Writer(256);
    encodeAttributes(w, attributesFor(WIDEST, options), WIDEST);
    const size = w.length;
    if (size > MAX_ATTRIBUTES) throw new RangeError(`path attributes of ${size} octets, at most ${MAX_ATTRIBUTES}`);
    for (const prefix of prefixes) this.#set(printPrefix(prefix), { prefix, options });
  }

  withdraw(prefixes: Iterable<Prefix>): void {
    for (const prefix of prefixes) this.#set(printPrefix(prefix), undefined);
  }

  #set(key: string, route: Route | undefined): void {
    if (route) this.#routes.set(key, route);
    else if (!this.#routes.delete(key)) return;
    for (const outbox of this.#outboxes.values()) {
      outbox.pending.add(key);
      this.#schedule(outbox);
    }
  }

  established(session: OutgoingSession): void {
    const end = session.context.families.map((name) => endOfRibBytes(name));
    const outbox: Outbox = { session, pending: new Set(), told: new Map(), backlog: [], dumps: [], dumping: undefined, scheduled: false };
    outbox.dumps.push({ families: session.context.families, begin: [], end });
    this.#outboxes.set(session.peer, outbox);
    this.#flush(outbox);
  }

  refresh(peer: string, name: FamilyName): void {
    const outbox = this.#outboxes.get(peer);
    // One that has not begun answers this request too.
    if (!outbox || outbox.dumps.some((dump) => dump.families.length === 1 && dump.families[0] === name)) return;
    const mark = (subtype: 1 | 2): Uint8Array[] => (outbox.session.enhancedRefresh ? [refreshBytes(name, subtype)] : []);
    outbox.dumps.push({ families: [name], begin: mark(1), end: mark(2) });
    this.#flush(outbox);
  }

  drained(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (outbox) this.#flush(outbox);
  }

  down(peer: string): void {
    this.#outboxes.delete(peer);
  }

  #schedule(outbox: Outbox): void {
    if (outbox.scheduled) return;
    outbox.scheduled = true;
    queueMicrotask(() => {
      outbox.scheduled = false;
      this.#flush(outbox);
    });
  }

  /** Sends until there is nothing left to tell or the session takes no more. */
  #flush(outbox: Outbox): void {
    for (;;) {
      if (!this.#sendBacklog(outbox)) return;
      if (outbox.pending.size > 0) this.#encodePending(outbox);
      else if (outbox.dumping) {
        outbox.backlog.push(...outbox.dumping.end);
        outbox.dumping = undefined;
      } else if (!this.#beginDump(outbox)) return;
    }
  }

  #sendBacklog(outbox: Outbox): boolean {
    let sent = 0;
    for (const message of outbox.backlog) {
      if (outbox.session.send(message) !== 'queued') break;
      sent++;
    }
    outbox.backlog.splice(0, sent);
    return outbox.backlog.length === 0;
  }

  #beginDump(outbox: Outbox): boolean {
    const dump = outbox.dumps.shift();
    if (!dump) return false;
    outbox.dumping = dump;
    outbox.backlog.push(...dump.begin);
    for (const [key, route] of this.#routes) if (dump.families.includes(familyOfPrefix(route.prefix))) outbox.pending.add(key);
    return true;
  }

  #encodePending(outbox: Outbox): void {
    const { session, pending, told } = outbox;
    const withdraw: Record<UnicastFamily, Prefix[]> = { 'ipv4 unicast': [], 'ipv6 unicast': [] };
    const announce = new Map<RouteOptions, Record<UnicastFamily, Prefix[]>>();
    let taken = 0;
    for (const key of pending) {
      if (++taken > BATCH) break;
      pending.delete(key);
      const route = this.#routes.get(key);
      const gone = told.get(key);
      if (route && this.#wants(session, route)) {
        told.set(key, route.prefix);
        const group: Record<UnicastFamily, Prefix[]> = announce.get(route.options) ?? { 'ipv4 unicast': [], 'ipv6 unicast': [] };
        announce.set(route.options, group);
        group[familyOfPrefix(route.prefix)].push(route.prefix);
      } else if (gone) {
        told.delete(key);
        withdraw[familyOfPrefix(gone)].push(gone);
      }
    }
    for (const name of PREFIX_FAMILIES) {
      if (withdraw[name].length > 0)
        outbox.backlog.push(...encodeUpdate({ withdraw: [run(session, name, withdraw[name])] }, session.context));
    }
    for (const [options, group] of announce) {
      for (const name of PREFIX_FAMILIES) {
        const nextHop = group[name].length > 0 ? nextHopOf(session, name, options) : undefined;
        if (!nextHop) continue;
        const batch = {
          attributes: attributesFor(session.context, options),
          announce: [{ nextHop, run: run(session, name, group[name]) }],
        };
        outbox.backlog.push(...encodeUpdate(batch, session.context));
      }
    }
  }

  /** Whether a route goes to a session; counts those that have no next hop there. */
  #wants(session: OutgoingSession, { prefix, options }: Route): boolean {
    const name = familyOfPrefix(prefix);
    if (!session.context.families.includes(name) || (options.peers && !options.peers.includes(session.peer))) return false;
    if (nextHopOf(session, name, options)) return true;
    this.#unsendable++;
    return false;
  }
}

const PREFIX_FAMILIES: readonly UnicastFamily[] = ['ipv4 unicast', 'ipv6 unicast'];

function familyOfPrefix(prefix: Prefix): UnicastFamily {
  return prefix.family === 4 ? 'ipv4 unicast' : 'ipv6 unicast';
}

function run(session: OutgoingSession, name: UnicastFamily, prefixes: readonly Prefix[]): ReturnType<typeof nlriRun> {
  // With add-path every prefix has one path, so one identifier does for all (RFC 7911 section 3).
  return nlriRun(name, prefixes, session.context.addPath.includes(name) ? prefixes.map(() => 1) : undefined);
}

function nextHopOf(session: OutgoingSession, name: UnicastFamily, options: RouteOptions): NextHop | undefined {
  const own: Ip | undefined = options.nextHop ? undefined : socketAddress(session.localAddress);
  const nextHop = options.nextHop ?? (own && { address: own });
  if (!nextHop) return undefined;
  const fits = nextHop.address.family === (name === 'ipv4 unicast' ? 4 : 6) || (name === 'ipv4 unicast' && session.context.extendedNextHop);
  return fits ? nextHop : undefined;
}

function attributesFor(context: SessionContext, { attributes = {} }: RouteOptions): PathAttributes {
  const asPath = attributes.asPath ?? [];
  const given: PathAttributes = { origin: 'igp', ...attributes };
  if (context.peerKind === 'ibgp') return { localPref: 100, ...given, asPath };
  const { localPref: _internal, ...external } = given;
  return { ...external, asPath: prepend(context.localAs, asPath) };
}

function prepend(as: Asn, path: readonly AsPathSegment[]): readonly AsPathSegment[] {
  const [first, ...rest] = path;
  if (first?.kind === 'sequence' && first.asns.length < 255) return [{ kind: 'sequence', asns: [as, ...first.asns] }, ...rest];
  return [{ kind: 'sequence', asns: [as] }, ...path];
}
