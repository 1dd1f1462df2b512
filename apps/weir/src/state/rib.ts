import { type Announcement, family as familyDescriptor, type NlriRun } from '@weir/bgp/codec';
import type { HashKey } from '@weir/wire/bytes';
import { prefixFromWords, printPrefix } from '@weir/wire/inet';
import type { EventSink } from '../model/event.ts';
import { attributeKey, rawAttributesOf } from './attribute-key.ts';
import { AttributeStore, NO_ATTRIBUTES } from './attribute-store.ts';
import type { CommunityMatcher } from './community-matcher.ts';
import type { FamilyIndex } from './family-index.ts';
import { FamilyRib } from './family-rib.ts';
import { FeedTable, NO_FEED } from './feed-table.ts';
import { refusal } from './guard.ts';
import type { OnlyToCustomer } from './only-to-customer.ts';
import type { PeerState } from './peer-state.ts';
import { familyIndex, familyName } from './peer-state.ts';
import type { RefusalReason } from './refusals.ts';
import type { RibLimits } from './rib-limits.ts';
import { NO_ROW, ROW, RouteTable } from './route-table.ts';
import type { SetState, SetSurroundings } from './set-state.ts';

/**
 * The tables behind `RouteState` and the operations that keep them in agreement: routes with their attributes, prefixes and feeds, and the
 * counts of the sets that they give to. `setFeed` is the only place where what a route gives changes.
 */
export class Rib implements SetSurroundings {
  readonly feeds: FeedTable = new FeedTable();
  readonly attributes: AttributeStore;
  readonly routes: RouteTable = new RouteTable();
  readonly ribs: readonly [FamilyRib, FamilyRib] = [new FamilyRib(4), new FamilyRib(6)];
  readonly sets: (SetState | undefined)[] = [];
  readonly peers: (PeerState | undefined)[] = [];
  matcher: CommunityMatcher;
  /** Set by everything that may bring the next deadline nearer. */
  timersChanged = false;
  #now = 0;
  #receivedAt = 0;
  readonly #limits: RibLimits;
  readonly #events: EventSink | undefined;
  /** Whether the last `evaluate` refused for a reason that can pass without the peer announcing the route again. */
  #mayChange = false;

  constructor(matcher: CommunityMatcher, key: HashKey, limits: RibLimits, events: EventSink | undefined) {
    this.attributes = new AttributeStore(this.feeds, key);
    this.matcher = matcher;
    this.#limits = limits;
    this.#events = events;
  }

  /** Everything until the next turn happens at `now`, because of a message received at `receivedAt`. */
  turn(now: number, receivedAt: number): void {
    this.#now = now;
    this.#receivedAt = receivedAt;
  }

  now(): number {
    return this.#now;
  }

  receivedAt(): number {
    return this.#receivedAt;
  }

  waits(): void {
    this.timersChanged = true;
  }

  contributors(set: number, f: FamilyIndex, prefix: number): readonly number[] {
    const out: number[] = [];
    for (let row = this.ribs[f].heads[prefix] as number; row !== NO_ROW; row = this.routes.next[row] as number) {
      const peer = this.routes.peer[row] as number;
      if (this.feeds.list(this.routes.feed[row] as number).includes(set) && !out.includes(peer)) out.push(peer);
    }
    return out;
  }

  refused(set: SetState, f: FamilyIndex, prefix: number, peer: number, reason: RefusalReason): void {
    const { table } = this.ribs[f];
    const words = Uint32Array.of(table.word(prefix, 0), table.word(prefix, 1), table.word(prefix, 2), table.word(prefix, 3));
    this.#record(set, f, words, 0, table.length(prefix), peer, reason);
  }

  /** Family of a row. */
  familyOf(row: number): FamilyIndex {
    return ((this.routes.flags[row] as number) & ROW.ipv6) !== 0 ? 1 : 0;
  }

  /** Routes of one announcement, in place of what the peer said of them before. */
  announce(peer: PeerState, announcement: Announcement, raw: Uint8Array, fourOctetAs: boolean, { leak, add }: OnlyToCustomer): void {
    const { run, nextHop } = announcement;
    const f = familyIndex(run.family);
    if (leak) peer.leaked += run.count;
    const key = attributeKey(raw, nextHop, fourOctetAs, add);
    const hash = this.attributes.hash(key);
    let id = this.attributes.find(key, hash);
    if (id === NO_ATTRIBUTES) {
      const list = this.matcher.match(raw);
      if (list.length > 0 || peer.definition.keepAll) {
        id = this.attributes.add(key, hash);
        if (id === NO_ATTRIBUTES) {
          peer.overflow += run.count;
          this.withdraw(peer, run);
          return;
        }
        this.attributes.setAsks(id, this.feeds.acquire(list));
      }
    }
    const asks = id === NO_ATTRIBUTES ? NO_FEED : this.attributes.asks(id);
    if (asks === NO_FEED && !peer.tracks && peer.rows[f] === 0) {
      peer.unneeded += run.count;
      return;
    }
    for (let i = 0; i < run.count; i++) this.#announceOne(peer, f, run, i, id, asks, leak);
    this.attributes.discardUnused(id);
  }

  withdraw(peer: PeerState, run: NlriRun): void {
    const f = familyIndex(run.family);
    if (peer.rows[f] === 0) return;
    const { stride } = familyDescriptor(run.family);
    for (let i = 0; i < run.count; i++) {
      const prefix = this.ribs[f].find(run.words, i * stride, run.lengths[i] as number);
      if (prefix < 0) continue;
      const row = this.#findRow(f, prefix, peer.index, run.pathIds?.[i], run.pathIds !== undefined);
      if (row !== NO_ROW) this.removeRow(row);
    }
  }

  #announceOne(peer: PeerState, f: FamilyIndex, run: NlriRun, i: number, attributes: number, asks: number, leak: boolean): void {
    const at = i * this.ribs[f].stride;
    const rib = this.ribs[f];
    const { routes } = this;
    const length = run.lengths[i] as number;
    const hasPath = run.pathIds !== undefined;
    const path = run.pathIds?.[i];
    if (peer.definition.maxPrefixes?.action === 'block' && this.#blocks(peer, f, run, i, at)) {
      peer.blocked++;
      return;
    }
    const feed = this.evaluate(peer, f, run.words, at, length, asks, leak, undefined, undefined);
    const kept = this.#mayChange;
    const wanted = feed !== NO_FEED || kept || peer.definition.keepAll;
    if (!wanted && !peer.tracks) {
      const prefix = rib.find(run.words, at, length);
      const row = prefix < 0 ? NO_ROW : this.#findRow(f, prefix, peer.index, path, hasPath);
      if (row !== NO_ROW) this.removeRow(row);
      peer.unneeded++;
      return;
    }
    const prefix = rib.intern(run.words, at, length);
    let row = this.#findRow(f, prefix, peer.index, path, hasPath);
    if (row === NO_ROW) {
      if (this.#isFull(peer, f, prefix)) {
        peer.overflow++;
        this.feeds.release(feed);
        rib.releaseIfUnused(prefix);
        return;
      }
      row = routes.allocate();
      routes.prefix[row] = prefix;
      routes.peer[row] = peer.index;
      routes.path[row] = path ?? 0;
      routes.attributes[row] = NO_ATTRIBUTES;
      routes.feed[row] = NO_FEED;
      routes.epoch[row] = 0;
      routes.next[row] = rib.heads[prefix] as number;
      rib.heads[prefix] = row;
      peer.rows[f]++;
    } else if (routes.epoch[row] !== 0) {
      peer.leaveEpoch(routes.epoch[row] as number, f);
      routes.epoch[row] = 0;
    }
    routes.flags[row] = f | (hasPath ? ROW.path : 0) | (kept ? ROW.kept : 0) | (leak ? ROW.leak : 0);
    routes.since[row] = Math.floor(this.#now / 1000);
    const stored = wanted ? attributes : NO_ATTRIBUTES;
    const before = routes.attributes[row] as number;
    if (before !== stored) {
      this.attributes.retain(stored);
      routes.attributes[row] = stored;
      this.attributes.release(before);
    }
    this.setFeed(row, feed);
    this.feeds.release(feed);
  }

  /** Whether a route is one too many. A route that is fresh already is not. */
  #blocks(peer: PeerState, f: FamilyIndex, run: NlriRun, i: number, at: number): boolean {
    const max = peer.definition.maxPrefixes;
    if (max === undefined || peer.fresh(f) < max.limit) return false;
    const prefix = this.ribs[f].find(run.words, at, run.lengths[i] as number);
    const row = prefix < 0 ? NO_ROW : this.#findRow(f, prefix, peer.index, run.pathIds?.[i], run.pathIds !== undefined);
    return row === NO_ROW || this.routes.epoch[row] !== 0;
  }

  #isFull(peer: PeerState, f: FamilyIndex, prefix: number): boolean {
    if (this.routes.size >= this.#limits.routes || peer.rows[0] + peer.rows[1] >= this.#limits.routesPerPeer) return true;
    let paths = 0;
    for (let row = this.ribs[f].heads[prefix] as number; row !== NO_ROW; row = this.routes.next[row] as number) {
      if (this.routes.peer[row] === peer.index) paths++;
    }
    return paths >= this.#limits.pathsPerPrefix;
  }

  /** The row of a peer's path to a prefix. Without add-path there is one path; a path with an identifier is another than one without. */
  #findRow(f: FamilyIndex, prefix: number, peer: number, path: number | undefined, hasPath: boolean): number {
    const { routes } = this;
    const flag = hasPath ? ROW.path : 0;
    for (let row = this.ribs[f].heads[prefix] as number; row !== NO_ROW; row = routes.next[row] as number) {
      if (routes.peer[row] === peer && routes.path[row] === (path ?? 0) && ((routes.flags[row] as number) & ROW.path) === flag) return row;
    }
    return NO_ROW;
  }

  /**
   * The feed of a route whose communities ask for `asks`, with one reference for the caller: the sets whose guard lets this prefix in from this
   * peer. Sets in `ended` are left out in silence. Refusals are recorded, with `was` only those of sets that were in that feed.
   */
  evaluate(
    peer: PeerState,
    f: FamilyIndex,
    words: Uint32Array,
    at: number,
    length: number,
    asks: number,
    leak: boolean,
    ended: ReadonlySet<number> | undefined,
    was: number | undefined,
  ): number {
    this.#mayChange = false;
    if (asks === NO_FEED) return NO_FEED;
    const list = this.feeds.list(asks);
    let admitted: number[] | undefined;
    const family = f === 0 ? 4 : 6;
    // `admitted` is made when the first set is left out; until then it is the list so far.
    for (let i = 0; i < list.length; i++) {
      const index = list[i] as number;
      const set = this.sets[index];
      const present = set?.guard.hasFamily(family) === true;
      const reason = present ? refusal(set.guard, peer.index, leak, family, words, at, length) : undefined;
      if (present && reason === undefined && !ended?.has(index)) {
        admitted?.push(index);
        continue;
      }
      admitted ??= list.slice(0, i);
      if (!present || reason === undefined) continue;
      if (reason === 'protected') this.#mayChange = true;
      if (was === undefined || this.feeds.list(was).includes(index)) this.#record(set, f, words, at, length, peer.index, reason);
    }
    if (admitted) return this.feeds.acquire(admitted);
    this.feeds.retain(asks);
    return asks;
  }

  /** Evaluates a stored row again; a row that is no longer needed goes. */
  reevaluate(row: number, scratch: Uint32Array): void {
    const { routes } = this;
    const peer = this.peers[routes.peer[row] as number];
    if (!peer) throw new RangeError(`route ${row} is of no peer`);
    const f = this.familyOf(row);
    const { table } = this.ribs[f];
    const prefix = routes.prefix[row] as number;
    for (let i = 0; i < 4; i++) scratch[i] = table.word(prefix, i);
    const epoch = routes.epoch[row] as number;
    const ended = epoch === 0 ? undefined : peer.epochs.get(epoch)?.ended;
    const attributes = routes.attributes[row] as number;
    const asks = attributes === NO_ATTRIBUTES ? NO_FEED : this.attributes.asks(attributes);
    const leak = ((routes.flags[row] as number) & ROW.leak) !== 0;
    const feed = this.evaluate(peer, f, scratch, 0, table.length(prefix), asks, leak, ended, routes.feed[row] as number);
    const kept = this.#mayChange && epoch === 0;
    this.setFeed(row, feed);
    this.feeds.release(feed);
    routes.flags[row] = ((routes.flags[row] as number) & ~ROW.kept) | (kept ? ROW.kept : 0);
    this.#settle(row, peer, feed !== NO_FEED || kept);
  }

  /** The path attributes of an attribute set as on the wire: a view. */
  rawAttributes(id: number): Uint8Array {
    return rawAttributesOf(this.attributes.bytes(id));
  }

  /** Takes one set out of a row's feed; the row stays. */
  takeOutOf(row: number, set: number): void {
    const list = this.feeds.list(this.routes.feed[row] as number);
    if (!list.includes(set)) return;
    const feed = this.feeds.acquire(list.filter((index) => index !== set));
    this.setFeed(row, feed);
    this.feeds.release(feed);
  }

  /** Takes the sets in `ended` out of a stale row's feed. */
  endHolds(row: number, ended: ReadonlySet<number>): void {
    const before = this.routes.feed[row] as number;
    const left = this.feeds.list(before).filter((set) => !ended.has(set));
    const feed = this.feeds.acquire(left);
    this.setFeed(row, feed);
    this.feeds.release(feed);
    if (feed === NO_FEED) this.removeRow(row);
  }

  /** Drops the row, or its attributes, where nothing needs them. */
  #settle(row: number, peer: PeerState, gives: boolean): void {
    if (gives) return;
    const stale = this.routes.epoch[row] !== 0;
    if (stale || !peer.tracks) this.removeRow(row);
    else if (!peer.definition.keepAll) {
      this.attributes.release(this.routes.attributes[row] as number);
      this.routes.attributes[row] = NO_ATTRIBUTES;
    }
  }

  /** What a route gives changes here and nowhere else. */
  setFeed(row: number, feed: number): void {
    const { routes, feeds } = this;
    const before = routes.feed[row] as number;
    if (before === feed) return;
    feeds.retain(feed);
    routes.feed[row] = feed;
    const f = this.familyOf(row);
    const prefix = routes.prefix[row] as number;
    const peer = routes.peer[row] as number;
    const old = feeds.list(before);
    const next = feeds.list(feed);
    let a = 0;
    let b = 0;
    while (a < old.length || b < next.length) {
      const x = old[a] ?? Number.POSITIVE_INFINITY;
      const y = next[b] ?? Number.POSITIVE_INFINITY;
      if (x <= y) a++;
      if (y <= x) b++;
      if (x < y) this.#set(x).remove(f, prefix);
      else if (y < x) {
        const set = this.#set(y);
        set.add(f, prefix, peer);
        if (set.isLedger(f, prefix) && this.#isLastToLearn(set, f, peer)) set.relearned(f, prefix);
      }
    }
    feeds.release(before);
  }

  /** Whether no other peer that may fill the set can still be the one whose member the ledger holds. */
  #isLastToLearn(set: SetState, f: FamilyIndex, index: number): boolean {
    return this.peers.every(
      (peer) =>
        !peer ||
        peer.index === index ||
        peer.learned[f] ||
        !peer.definition.families.includes(familyName(f)) ||
        !set.guard.allowsPeer(peer.index),
    );
  }

  removeRow(row: number): void {
    const { routes } = this;
    this.setFeed(row, NO_FEED);
    const f = this.familyOf(row);
    const rib = this.ribs[f];
    const prefix = routes.prefix[row] as number;
    const after = routes.next[row] as number;
    if (rib.heads[prefix] === row) rib.heads[prefix] = after;
    else {
      let previous = rib.heads[prefix] as number;
      while (routes.next[previous] !== row) previous = routes.next[previous] as number;
      routes.next[previous] = after;
    }
    const peer = this.peers[routes.peer[row] as number];
    if (peer) {
      peer.rows[f]--;
      if (routes.epoch[row] !== 0) peer.leaveEpoch(routes.epoch[row] as number, f);
    }
    this.attributes.release(routes.attributes[row] as number);
    routes.free(row);
    rib.releaseIfUnused(prefix);
  }

  /** Every row of a peer, in order of rows. The row itself may be removed by `visit`. */
  forEachRow(peer: PeerState, visit: (row: number) => void): void {
    let left = peer.rows[0] + peer.rows[1];
    for (let row = 1; left > 0 && row < this.routes.limit; row++) {
      if (!this.routes.isLive(row) || this.routes.peer[row] !== peer.index) continue;
      left--;
      visit(row);
    }
  }

  #set(index: number): SetState {
    const set = this.sets[index];
    if (!set) throw new RangeError(`no set ${index}`);
    return set;
  }

  #record(set: SetState, f: FamilyIndex, words: Uint32Array, at: number, length: number, peer: number, reason: RefusalReason): void {
    const name = this.peers[peer]?.definition.name ?? '';
    const family = f === 0 ? 4 : 6;
    set.refusals.record(reason, name, family, words, at, length, this.#now);
    if (this.#events === undefined || !set.refusals.mayReport(this.#now)) return;
    const word = (i: number): number => (i === 0 || f === 1 ? (words[at + i] as number) : 0);
    const prefix = printPrefix(prefixFromWords(family, word(0), word(1), word(2), word(3), length));
    this.#events({ at: this.#now, kind: 'refused', set: set.definition.name, prefix, peer: name, reason });
  }
}
