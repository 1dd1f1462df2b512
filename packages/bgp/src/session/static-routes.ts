import { Writer } from '@weir/wire/bytes';
import { type Prefix, printIp } from '@weir/wire/inet';
import { encodeAttributes, type FamilyName, sessionContext, type UnicastFamily } from '../codec/index.ts';
import type { Announcer, OutgoingSession } from './announcer.ts';
import { type Clock, systemClock } from './clock.ts';
import { Outbox } from './outbox.ts';
import { OwnRoutes, type RouteOptions, UNICAST } from './own-routes.ts';
import { attributesFor, noIds, type RouteIds, RouteView } from './route-view.ts';
import type { Segment } from './segment.ts';
import { socketAddress } from './tcp.ts';

export interface StaticRoutesOptions {
  /** Peers of one audience are told the same routes; each is one of its own, by its name, when absent. */
  readonly audienceOf?: (peer: string) => string;
  /** Octets of changes that are kept, for all sessions that get the same octets, until the slowest has had them; 1 MiB. */
  readonly history?: number;
  /** Whether every route has a next hop of its own, of the family of its prefix: then sessions are told the same whichever address of ours they have. False when absent. */
  readonly ownNextHops?: () => boolean;
  readonly clock?: Clock;
}

/** Octets of path attributes that leave room in 4,096 for the rest of an UPDATE. */
const MAX_ATTRIBUTES = 3900;
/** A session on which attributes are longest. */
const WIDEST = sessionContext();
/** Withdrawn prefixes that are forgotten together. */
const SWEEP = 1024;
/** Milliseconds of this thread, and as much of the kernel, that one message to one session may cost: changes that come while sessions are told of others wait for so long, and go together. */
const PACE = 0.05;
/** Less than this is not waited. */
const LEAST_PAUSE = 2;

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
  readonly #ownNextHops: () => boolean;
  readonly #clock: Clock;
  readonly #views = new Map<string, RouteView>();
  readonly #outboxes = new Map<string, Outbox>();
  /** What those have missed that are too far behind. */
  readonly #missed = new Set<RouteIds>();
  /** Ids of withdrawn routes of which some session may not know yet. */
  readonly #withdrawn: Record<UnicastFamily, number[]> = { 'ipv4 unicast': [], 'ipv6 unicast': [] };
  /** Attributes that were found to have room. */
  readonly #checked = new WeakSet<RouteOptions>();
  /** What sessions that change from one view to another have to forget; while nothing changes. */
  readonly #forget = new Map<RouteView, Map<RouteView, readonly Segment[]>>();
  #unsendable = 0;
  #scheduled = false;
  /** Before this nothing more is told. */
  #resting = 0;

  constructor({
    audienceOf = (peer) => peer,
    history = 1 << 20,
    ownNextHops = () => false,
    clock = systemClock,
  }: StaticRoutesOptions = {}) {
    this.#audienceOf = audienceOf;
    this.#history = history;
    this.#ownNextHops = ownNextHops;
    this.#clock = clock;
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
    if (!this.#checked.has(options)) {
      for (const one of options.audiences?.values() ?? [options]) checkLength(one);
      this.#checked.add(options);
    }
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
    const outbox = new Outbox(session, this.#viewOf(session), this.#missed);
    this.#outboxes.set(session.peer, outbox);
    outbox.flush();
  }

  refresh(peer: string, name: FamilyName): void {
    const outbox = this.#outboxes.get(peer);
    if (!outbox) return;
    outbox.view.encode();
    outbox.refresh(name);
    outbox.flush();
  }

  drained(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    outbox?.view.encode();
    outbox?.flush();
  }

  down(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (!outbox) return;
    this.#outboxes.delete(peer);
    outbox.close();
    this.#forgetUnused(outbox.view);
  }

  /** How many routes a session is told, and whether it has been told all that there is; undefined for one that is not there. */
  progress(peer: string): { readonly routes: number; readonly inStep: boolean } | undefined {
    const outbox = this.#outboxes.get(peer);
    return outbox && { routes: outbox.view.size, inStep: outbox.inStep };
  }

  /** A session is of another audience from now on: it is told what that gets, and that the rest is gone. */
  regroup(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (!outbox) return;
    const { view: before } = outbox;
    const view = this.#viewOf(outbox.session);
    if (view === before) return;
    outbox.move(
      view,
      () => this.#forgetting(before, view),
      () => this.#everything(),
    );
    outbox.flush();
    this.#forgetUnused(before);
  }

  #forgetting(before: RouteView, view: RouteView): readonly Segment[] {
    const known = this.#forget.get(before)?.get(view);
    if (known) return known;
    const segments = view.forget(before);
    const others = this.#forget.get(before);
    if (others) others.set(view, segments);
    else this.#forget.set(before, new Map([[view, segments]]));
    return segments;
  }

  #everything(): RouteIds {
    const ids = noIds();
    for (const name of UNICAST) for (let id = 0; id < this.#tables[name].limit; id++) ids[name].add(id);
    return ids;
  }

  #forgetUnused(view: RouteView): void {
    if (view.users > 0) return;
    this.#forget.delete(view);
    for (const [key, one] of this.#views) if (one === view) this.#views.delete(key);
    this.#unsendable += view.unsendable;
  }

  #viewOf({ peer, context, localAddress }: OutgoingSession): RouteView {
    const address = this.#ownNextHops() ? undefined : socketAddress(localAddress);
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
    if (this.#forget.size > 0) this.#forget.clear();
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = this.#resting - this.#clock.now();
    if (wait <= 0) queueMicrotask(() => this.#flushAll());
    else this.#clock.setTimer(wait, () => this.#flushAll());
  }

  #flushAll(): void {
    this.#scheduled = false;
    for (const view of this.#views.values()) view.encode();
    for (const outbox of this.#outboxes.values()) outbox.flush();
    this.#trim();
    this.#sweep();
    const pause = this.#outboxes.size * PACE;
    if (pause >= LEAST_PAUSE) this.#resting = this.#clock.now() + pause;
  }

  /** Forgets what all sessions have had of the logs; those that hold a log back for too long go on without it. */
  #trim(): void {
    const oldest = new Map<RouteView, number>();
    const kept = new Map([...this.#views.values()].map((view) => [view, view.within(this.#history)]));
    for (const outbox of this.#outboxes.values()) {
      const { view, next } = outbox;
      if (next === undefined) continue;
      if (next < (kept.get(view) ?? 0)) outbox.leaveLog();
      else oldest.set(view, Math.min(next, oldest.get(view) ?? next));
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
