import { Writer } from '@weir/wire/bytes';
import { type Prefix, printIp } from '@weir/wire/inet';
import { encodeAttributes, type FamilyName, sessionContext, type UnicastFamily } from '../codec/index.ts';
import type { Announcer, OutgoingSession } from './announcer.ts';
import { endOfRibBytes, refreshBytes } from './message-bytes.ts';
import { OwnRoutes, type RouteOptions, UNICAST } from './own-routes.ts';
import { attributesFor, type RouteIds, RouteView, takeSome } from './route-view.ts';
import { socketAddress } from './tcp.ts';

/** A session and what it is still to be told: `queue`, then what it missed, or else the view's log from `next` on, then refreshes. */
interface Outbox {
  readonly session: OutgoingSession;
  readonly view: RouteView;
  readonly queue: (readonly Uint8Array[])[];
  /** Messages of the first of `queue` that are sent. */
  sent: number;
  next: number;
  /** Of a session that is too far behind for the log. */
  behind: { readonly told: RouteIds; readonly missed: RouteIds } | undefined;
  readonly refreshes: UnicastFamily[];
}

export interface StaticRoutesOptions {
  /** Peers of one audience are told the same routes; each is one of its own, by its name, when absent. */
  readonly audienceOf?: (peer: string) => string;
  /** Octets of changes that are kept, for all sessions that get the same octets, until the slowest has had them; 1 MiB. */
  readonly history?: number;
}

/** Octets of path attributes that leave room in 4,096 for the rest of an UPDATE. */
const MAX_ATTRIBUTES = 3900;
/** A session on which attributes are longest. */
const WIDEST = sessionContext();
/** Withdrawn prefixes that are forgotten together. */
const SWEEP = 1024;

/**
 * Routes of our own that sessions are told: after they are established, on route refresh, and as routes come and go. One route for each prefix: announcing it again replaces it.
 * Sessions that get the same octets share them, so that a route costs its columns and one encoding, and a session next to nothing.
 */
export class StaticRoutes implements Announcer {
  readonly #tables: Readonly<Record<UnicastFamily, OwnRoutes>> = {
    'ipv4 unicast': new OwnRoutes('ipv4 unicast'),
    'ipv6 unicast': new OwnRoutes('ipv6 unicast'),
  };
  readonly #audienceOf: (peer: string) => string;
  readonly #history: number;
  readonly #views = new Map<string, RouteView>();
  readonly #outboxes = new Map<string, Outbox>();
  /** What those have missed that are too far behind. */
  readonly #missed = new Set<RouteIds>();
  /** Ids of withdrawn routes of which some session may not know yet. */
  readonly #withdrawn: Record<UnicastFamily, number[]> = { 'ipv4 unicast': [], 'ipv6 unicast': [] };
  #unsendable = 0;
  #scheduled = false;

  constructor({ audienceOf = (peer) => peer, history = 1 << 20 }: StaticRoutesOptions = {}) {
    this.#audienceOf = audienceOf;
    this.#history = history;
  }

  get size(): number {
    return this.#tables['ipv4 unicast'].size + this.#tables['ipv6 unicast'].size;
  }

  /** Announcements left out because a session has no next hop for them; sessions that share their octets count once. */
  get unsendable(): number {
    return [...this.#views.values()].reduce((sum, view) => sum + view.unsendable, this.#unsendable);
  }

  /** RangeError when the attributes are longer than a message has room for. */
  announce(prefixes: Iterable<Prefix>, options: RouteOptions = {}): void {
    for (const one of options.audiences?.values() ?? [options]) checkLength(one);
    for (const prefix of prefixes) {
      const name = familyOfPrefix(prefix);
      this.#changed(name, this.#tables[name].set(prefix, options));
    }
  }

  withdraw(prefixes: Iterable<Prefix>): void {
    for (const prefix of prefixes) {
      const name = familyOfPrefix(prefix);
      const id = this.#tables[name].unset(prefix);
      if (id < 0) continue;
      this.#withdrawn[name].push(id);
      this.#changed(name, id);
    }
  }

  established(session: OutgoingSession): void {
    const view = this.#viewOf(session);
    const families = UNICAST.filter((name) => session.context.families.includes(name));
    const queue = families.flatMap((name) => view.all(name));
    queue.push(session.context.families.map(endOfRibBytes));
    const outbox: Outbox = { session, view, queue, sent: 0, next: view.head, behind: undefined, refreshes: [] };
    this.#outboxes.set(session.peer, outbox);
    this.#flush(outbox);
  }

  refresh(peer: string, name: FamilyName): void {
    const outbox = this.#outboxes.get(peer);
    const unicast = UNICAST.find((one) => one === name);
    if (!outbox) return;
    if (unicast === undefined) this.#mark(outbox, name, []);
    // One that has not begun answers this request too.
    else if (!outbox.refreshes.includes(unicast)) outbox.refreshes.push(unicast);
    this.#flush(outbox);
  }

  drained(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (outbox) this.#flush(outbox);
  }

  down(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (!outbox) return;
    this.#outboxes.delete(peer);
    const { view, behind } = outbox;
    if (behind) this.#missed.delete(behind.missed);
    this.#forgetUnused(view);
  }

  /** How many routes a session is told, and whether it has been told all that there is; undefined for one that is not there. */
  progress(peer: string): { readonly routes: number; readonly inStep: boolean } | undefined {
    const outbox = this.#outboxes.get(peer);
    if (!outbox) return undefined;
    const { view, queue, next, behind } = outbox;
    return { routes: view.size, inStep: queue.length === 0 && behind === undefined && next === view.head };
  }

  #forgetUnused(view: RouteView): void {
    if ([...this.#outboxes.values()].some((other) => other.view === view)) return;
    for (const [key, one] of this.#views) if (one === view) this.#views.delete(key);
    this.#unsendable += view.unsendable;
  }

  /** A session is of another audience from now on: it is told what that gets, and that the rest is gone. */
  regroup(peer: string): void {
    const before = this.#outboxes.get(peer);
    if (!before) return;
    const view = this.#viewOf(before.session);
    if (view === before.view) return;
    const behind = before.behind ?? before.view.missedSince(before.next);
    for (const name of UNICAST) for (let id = 0; id < this.#tables[name].limit; id++) behind.missed[name].add(id);
    this.#missed.add(behind.missed);
    this.#outboxes.set(peer, { ...before, view, behind });
    this.#forgetUnused(before.view);
    this.drained(peer);
  }

  #viewOf({ peer, context, localAddress }: OutgoingSession): RouteView {
    const address = socketAddress(localAddress);
    const recipient = { audience: this.#audienceOf(peer), context, localAddress: address };
    const key = JSON.stringify([recipient.audience, address && printIp(address), encodingOf(context)]);
    const known = this.#views.get(key);
    if (known) return known;
    const view = new RouteView(this.#tables, recipient);
    this.#views.set(key, view);
    return view;
  }

  #changed(name: UnicastFamily, id: number): void {
    for (const view of this.#views.values()) view.mark(name, id);
    for (const missed of this.#missed) missed[name].add(id);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flushAll();
    });
  }

  #flushAll(): void {
    for (const view of this.#views.values()) view.encode();
    for (const outbox of this.#outboxes.values()) this.#flush(outbox);
    this.#trim();
    this.#sweep();
  }

  /** Sends until there is nothing left to tell or the session takes no more. */
  #flush(outbox: Outbox): void {
    while (this.#sendQueue(outbox)) {
      const { view, behind, queue, refreshes } = outbox;
      if (behind) {
        const missed = takeSome(behind.missed);
        if (UNICAST.some((name) => missed[name].length > 0)) queue.push(view.tell(missed, behind.told));
        else {
          // What is pending there is in step with nobody, and so it goes into the log first.
          view.encode();
          this.#missed.delete(behind.missed);
          outbox.behind = undefined;
          outbox.next = view.head;
        }
        continue;
      }
      view.encode();
      if (outbox.next < view.head) queue.push(view.chunk(outbox.next++));
      else {
        const name = refreshes.shift();
        if (name === undefined) return;
        this.#mark(outbox, name, view.all(name));
      }
    }
  }

  /** Queues all routes of a family, between beginning and end where the peer understands those. */
  #mark({ session, queue }: Outbox, name: FamilyName, routes: readonly (readonly Uint8Array[])[]): void {
    const mark = (subtype: 1 | 2): Uint8Array[] => (session.enhancedRefresh ? [refreshBytes(name, subtype)] : []);
    queue.push(mark(1), ...routes, mark(2));
  }

  #sendQueue(outbox: Outbox): boolean {
    const { session, queue } = outbox;
    let done = 0;
    for (const messages of queue) {
      while (outbox.sent < messages.length) {
        if (session.send(messages[outbox.sent] as Uint8Array) !== 'queued') {
          queue.splice(0, done);
          return false;
        }
        outbox.sent++;
      }
      outbox.sent = 0;
      done++;
    }
    queue.length = 0;
    return true;
  }

  /** Forgets what all sessions have had of the logs; those that hold a log back for too long go on without it. */
  #trim(): void {
    const oldest = new Map<RouteView, number>();
    for (const outbox of this.#outboxes.values()) {
      const { view, next } = outbox;
      if (outbox.behind) continue;
      if (view.octets > this.#history && next < view.head) {
        outbox.behind = view.missedSince(next);
        this.#missed.add(outbox.behind.missed);
      } else oldest.set(view, Math.min(next, oldest.get(view) ?? next));
    }
    for (const view of this.#views.values()) view.drop(oldest.get(view) ?? view.head);
  }

  /** Forgets withdrawn prefixes that every session knows to be withdrawn. */
  #sweep(): void {
    for (const name of UNICAST) {
      const ids = this.#withdrawn[name];
      if (ids.length < SWEEP || ids.length < this.#tables[name].size / 4) continue;
      // What a log still tells of is an id of its prefix for as long.
      if ([...this.#views.values()].some((view) => view.base < view.head)) continue;
      const behind = [...this.#outboxes.values()].flatMap((outbox) => (outbox.behind ? [outbox.behind] : []));
      const left = new Set<number>();
      for (const id of new Set(ids)) {
        if (this.#tables[name].options(id)) continue;
        const awaited =
          [...this.#views.values()].some((view) => view.awaits(name, id)) ||
          behind.some(({ told, missed }) => told[name].has(id) || missed[name].has(id));
        if (awaited) left.add(id);
        else this.#tables[name].release(id);
      }
      this.#withdrawn[name] = [...left];
    }
  }
}

function checkLength(options: RouteOptions): void {
  const w = new Writer(256);
  encodeAttributes(w, attributesFor(WIDEST, options), WIDEST);
  const size = w.length;
  if (size > MAX_ATTRIBUTES) throw new RangeError(`path attributes of ${size} octets, at most ${MAX_ATTRIBUTES}`);
}

function familyOfPrefix(prefix: Prefix): UnicastFamily {
  return prefix.family === 4 ? 'ipv4 unicast' : 'ipv6 unicast';
}

/** What of a session the octets of its messages depend on. */
function encodingOf(context: ReturnType<typeof sessionContext>): readonly unknown[] {
  const { peerKind, localAs, fourOctetAs, extendedMessage, extendedNextHop, families, addPath } = context;
  return [peerKind, localAs, fourOctetAs, extendedMessage, extendedNextHop, [...families].sort(), [...addPath].sort()];
}
