import type { FamilyName, UnicastFamily, UpdateMessage } from '@weir/bgp/codec';
import { randomHashKey } from '@weir/wire/bytes';
import { equalIp, type Ip, type Prefix } from '@weir/wire/inet';
import type { Config } from '../model/config.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import { allSets } from '../model/scopes.ts';
import { CommunityMatcher } from './community-matcher.ts';
import { configurePeers, configureSets, rebuildGuards, refilterRoutes, shield } from './configure-rib.ts';
import { FlowState } from './flows/flow-state.ts';
import { isFlowFamily, keepValidated } from './flows/flow-view.ts';
import { UnicastFoundation } from './flows/unicast-foundation.ts';
import { LedgerMembers } from './ledger-members.ts';
import { markRefreshing } from './mark-refreshing.ts';
import { MemberTeller } from './member-teller.ts';
import { checkOnlyToCustomer } from './only-to-customer.ts';
import { familyIndex, type PeerState } from './peer-state.ts';
import { refreshRequests } from './reconfigure.ts';
import { Rib } from './rib.ts';
import { DEFAULT_LIMITS } from './rib-limits.ts';
import type { ConfigureResult, RouteStateOptions, StateClock } from './route-state-options.ts';
import { ROW } from './route-table.ts';
import {
  countState,
  findMember,
  type Hold,
  listHolds,
  listMembers,
  listRoutes,
  type Member,
  type Page,
  type RefusedView,
  type RouteEntry,
  type RouteFilter,
  type StateCounts,
} from './route-view.ts';
import { endHolds, holdDeadline, makeStale, type SessionDown } from './session-loss.ts';
import type { SetState } from './set-state.ts';

const NOTHING_BLOCKED: { readonly blocked: readonly FamilyName[] } = { blocked: [] };
/** Waiting members that one turn looks at. */
const ADMISSIONS_PER_TURN = 10_000;

/**
 * All that is known of members: routes from peers, what the ledger says the kernel had, and what follows from it for each set.
 *
 * - A route that is no leak (RFC 9234 section 5) gives to the sets whose communities it carries and whose guard lets it in; a member is in a set while at least one route (of
 *   any peer and path) or the ledger gives it. All removals act at once.
 * - A session that is lost makes its routes stale. What a stale route gives to a set ends with that set's hold, with an explicit withdrawal, when it is
 *   relearned without it, or when the peer has converged without it; a hard reset and the removal of the peer or set end it at once. A
 *   graceful restart time (RFC 4724) neither shortens nor lengthens a hold, and a set that withdraws on loss does so though the peer restarts gracefully;
 *   only one with `hold long-lived` goes by the peer (RFC 9494).
 * - The ledger's members stay until every peer that may fill the set has converged; in allow sets at most `startupHold`.
 *
 * What is stored: routes that give to a set, wait for room or churn, or are refused only because of protected addresses (which change by themselves);
 * for a peer with `maxPrefixes` a row without attributes for every other route, with `keepAll` all routes whole. Everything else is counted and
 * forgotten; `configure` says whom to ask again when that may have been wrong. `maxPrefixes` therefore counts what a peer has announced in
 * its present session and not withdrawn, before any guard.
 *
 * No method does I/O; time comes from the clock, and one timer is set for the next hold, ledger or admission that is due. No method
 * throws for anything that a peer sends. Names of peers that are not configured are ignored: their session is about to end.
 */
export class RouteState {
  readonly #clock: StateClock;
  readonly #hostAddresses: (tenant: string | undefined) => readonly Ip[];
  readonly #teller: MemberTeller;
  readonly #rib: Rib;
  readonly #listeners = new Set<() => void>();
  readonly #ledger: LedgerMembers;
  /** Flow rules: what is said of flow families here goes there. */
  readonly flows: FlowState;
  readonly #unicast: UnicastFoundation;
  #config: Config | undefined;
  /** The peer that was last asked for: messages come in runs. */
  #lastPeer: PeerState | undefined;
  #timer: { cancel(): void } | undefined;
  #told = false;

  constructor(options: RouteStateOptions) {
    this.#clock = options.clock;
    this.#hostAddresses = options.hostAddresses ?? (() => []);
    this.#rib = new Rib(
      new CommunityMatcher([]),
      options.hashKey ?? randomHashKey(),
      { ...DEFAULT_LIMITS, ...options.limits },
      options.events,
    );
    this.#ledger = new LedgerMembers(this.#rib);
    this.#teller = new MemberTeller(this.#rib, options);
    const { clock, unenforceable } = options;
    this.#unicast = new UnicastFoundation(this.#rib);
    this.flows = new FlowState({ clock, unicast: this.#unicast, unenforceable: unenforceable ?? (() => undefined) });
  }

  /** Takes the first or a further configuration and applies the difference; see `ConfigureResult`. */
  configure(files: Config): ConfigureResult {
    this.#turn();
    const before = this.#config;
    const config = { ...files, bgp: keepValidated(files.bgp), sets: allSets(files) };
    this.#config = config;
    configurePeers(this.#rib, config.bgp.peers);
    const { changed, widened, removed } = configureSets(this.#rib, config, shield(config, this.#hostAddresses));
    for (const index of removed) this.#ledger.forgetSet(index);
    this.#refilter();
    // A set that is new goes out as a whole, so that the kernel side knows when it has all of its members.
    if (before) for (const set of this.#rib.sets) if (set && !before.sets.some((s) => s.name === set.definition.name)) set.makeComplete();
    const flows = this.flows.configure(config);
    const refresh = before ? [...refreshRequests(before, config, widened), ...flows] : [];
    for (const request of refresh) {
      const peer = this.#peer(request.peer);
      for (const name of request.families) if (peer && !isFlowFamily(name)) peer.learned[familyIndex(name)] = false;
    }
    this.#rib.timersChanged = true;
    this.#unicast.changed();
    this.#advance();
    this.#finish();
    return { refresh, changedSets: changed };
  }

  /** The host's addresses are others now: deny sets are looked at again. */
  hostAddressesChanged(): void {
    if (!this.#config) return;
    this.#turn();
    rebuildGuards(this.#rib, shield(this.#config, this.#hostAddresses));
    this.#refilter();
    this.#advance();
    this.#finish();
  }

  /**
   * An UPDATE: withdrawals first, so that a prefix in both is announced. `receivedAt` is for latency figures. Returns the families of which routes
   * were not taken because of `maxPrefixes` with `block`.
   */
  update(
    peer: string,
    message: UpdateMessage,
    session: { readonly fourOctetAs: boolean; readonly receivedAt: number },
  ): { readonly blocked: readonly FamilyName[] } {
    const state = this.#peer(peer);
    if (!state) return NOTHING_BLOCKED;
    this.#rib.turn(this.#clock.now(), session.receivedAt);
    for (const run of message.withdraw) this.#rib.withdraw(state, run);
    const blocked: FamilyName[] = [];
    const otc = checkOnlyToCustomer(state.definition, message.attributes.onlyToCustomer);
    const { originatorId } = message.attributes;
    // RFC 4456 section 8: what comes back to its originator is ignored.
    const own = originatorId !== undefined && this.#config !== undefined && equalIp(originatorId, this.#config.bgp.routerId);
    for (const announcement of message.announce) {
      if (own) {
        this.#rib.withdraw(state, announcement.run);
        state.unneeded += announcement.run.count;
        continue;
      }
      const before = state.blocked;
      this.#rib.announce(state, announcement, message.rawAttributes, session.fourOctetAs, otc);
      if (state.blocked > before) blocked.push(announcement.run.family);
    }
    this.#unicast.updated(message);
    this.flows.update(peer, message);
    this.#finish();
    return blocked.length === 0 ? NOTHING_BLOCKED : { blocked };
  }

  /** `identifier`: the BGP identifier of the other side. */
  sessionUp(peer: string, identifier?: Ip): void {
    const state = this.#peer(peer);
    if (state) state.up = true;
    if (identifier) this.#unicast.identify(peer, identifier);
  }

  /** The session is lost: routes become stale and each set's hold begins. */
  sessionDown(peer: string, loss: SessionDown): void {
    const state = this.#peer(peer);
    if (!state) return;
    this.#turn();
    state.up = false;
    if (loss.hard) this.#rib.forEachRow(state, (row) => this.#rib.removeRow(row));
    else makeStale(this.#rib, state, loss);
    this.flows.sessionDown(peer, loss);
    this.#unicast.changed();
    this.#rib.timersChanged = true;
    this.#advance();
    this.#finish();
  }

  /** Takes out all routes of one family of a peer (RFC 4760 section 7: they can no longer be trusted). */
  dropFamily(peer: string, family: FamilyName): void {
    if (isFlowFamily(family)) this.flows.dropFamily(peer, family);
    else this.#removeWhere(peer, family, () => true);
  }

  /** Beginning of a refresh (RFC 7313 section 4): what is not announced again until its end goes then. */
  beginRefresh(peer: string, family: FamilyName): void {
    this.#setRefreshing(peer, family, true);
  }

  /** The refresh is given up: what was not announced again stays. */
  cancelRefresh(peer: string, family: FamilyName): void {
    this.#setRefreshing(peer, family, false);
  }

  endRefresh(peer: string, family: FamilyName): void {
    if (isFlowFamily(family)) this.flows.endRefresh(peer, family);
    else this.#removeWhere(peer, family, (row) => ((this.#rib.routes.flags[row] as number) & ROW.refreshing) !== 0);
  }

  /** The peer has said all that it has in this family: what is stale goes, and perhaps the ledger's members. */
  converged(peer: string, family: FamilyName): void {
    const state = this.#peer(peer);
    if (!state) return;
    if (isFlowFamily(family)) {
      this.flows.converged(peer, family);
      return;
    }
    state.learned[familyIndex(family)] = true;
    this.#rib.timersChanged = true;
    this.#removeWhere(peer, family, (row) => this.#rib.routes.epoch[row] !== 0);
  }

  /** Members that the kernel has from before the daemon was started. Those that the guard refuses are drained as not wanted. */
  addLedger(ledger: readonly MemberColumns[]): void {
    this.#turn();
    for (const columns of ledger) {
      const set = this.#set(columns.set);
      if (set) this.#ledger.add(set, columns);
    }
    this.#rib.timersChanged = true;
    this.#advance();
    this.#finish();
  }

  /** Net changes of every set since the last drain. */
  drain(): MemberDelta[] {
    this.#turn();
    this.#told = false;
    const out: MemberDelta[] = [];
    this.#teller.begin();
    for (const set of this.#rib.sets) {
      if (!set?.isDirty) continue;
      out.push(...set.drain(this.#teller.changes(set)));
    }
    return out;
  }

  /** The whole of a set, for a kernel set that has to be filled anew; its pending changes are in it. */
  complete(name: string): MemberDelta[] {
    const set = this.#set(name);
    if (!set) return [];
    this.#turn();
    set.makeComplete();
    return set.drain(this.#teller.members(set));
  }

  /** Every member of a set, in no order; none of an unknown set. */
  prefixesOf(name: string): readonly Prefix[] {
    const set = this.#set(name);
    return set ? this.#teller.prefixesOf(set) : [];
  }

  /** Calls back when there is something to drain; again only after the next drain. Returns the end of the subscription. */
  onDirty(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Members of a set in order with why they are there; empty for an unknown set. */
  members(name: string, page: Page = {}): { readonly members: readonly Member[]; readonly more: boolean } {
    const set = this.#set(name);
    return set ? listMembers(this.#rib, set, page) : { members: [], more: false };
  }

  /** The longest member of a set that covers an address; undefined when none does, or for an unknown set. */
  memberOf(name: string, address: Ip): Member | undefined {
    const set = this.#set(name);
    return set && findMember(this.#rib, set, address);
  }

  routes(filter: RouteFilter = {}): { readonly routes: readonly RouteEntry[]; readonly more: boolean } {
    return listRoutes(this.#rib, filter);
  }

  refused(name: string): RefusedView | undefined {
    const set = this.#set(name);
    return set && { counts: set.refusals.counts(), waiting: set.waiting, recent: set.refusals.recent() };
  }

  counts(): StateCounts {
    return countState(this.#rib);
  }

  /** What is held of a peer that was lost. */
  holds(peer: string): readonly Hold[] {
    const state = this.#peer(peer);
    return state ? listHolds(this.#rib, state) : [];
  }

  /** Announcements of a peer that were not kept because nothing asked for them. */
  unneeded(peer: string): number {
    return this.#peer(peer)?.unneeded ?? 0;
  }

  /** Routes of the present session of a peer, for its prefix limit. */
  announced(peer: string, family: FamilyName): number {
    if (isFlowFamily(family)) return this.flows.announced(peer, family);
    return this.#peer(peer)?.fresh(familyIndex(family)) ?? 0;
  }

  /** Stops the timer. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listeners.clear();
    this.flows.close();
  }

  #peer(name: string): PeerState | undefined {
    const last = this.#lastPeer;
    if (last?.definition.name === name && this.#rib.peers[last.index] === last) return last;
    this.#lastPeer = this.#rib.peers.find((peer) => peer?.definition.name === name);
    return this.#lastPeer;
  }

  #set(name: string): SetState | undefined {
    return this.#rib.sets.find((set) => set?.definition.name === name);
  }

  #turn(): void {
    const now = this.#clock.now();
    this.#rib.turn(now, now);
  }

  #setRefreshing(name: string, family: FamilyName, begins: boolean): void {
    const peer = this.#peer(name);
    if (isFlowFamily(family)) this.flows.setRefreshing(name, family, begins);
    else if (peer) markRefreshing(this.#rib, peer, familyIndex(family), begins);
  }

  #removeWhere(name: string, family: UnicastFamily, goes: (row: number) => boolean): void {
    const peer = this.#peer(name);
    if (!peer) return;
    this.#turn();
    const f = familyIndex(family);
    this.#rib.forEachRow(peer, (row) => {
      if (this.#rib.familyOf(row) === f && goes(row)) this.#rib.removeRow(row);
    });
    this.#unicast.changed();
    this.#advance();
    this.#finish();
  }

  /** Does what is due: holds that are over, ledger members that go, waiting members for which there is room. */
  #advance(): void {
    endHolds(this.#rib);
    this.#ledger.advance(this.#startupHold());
    let budget = ADMISSIONS_PER_TURN;
    const now = this.#rib.now();
    for (const set of this.#rib.sets) {
      if (budget > 0 && set && set.deadline(now) <= now) budget -= set.advance(now, budget);
    }
  }

  #refilter(): void {
    refilterRoutes(this.#rib);
    this.#ledger.refilter();
  }

  #startupHold(): number {
    return this.#config?.convergence.startupHold ?? 0;
  }

  #deadline(): number {
    const now = this.#rib.now();
    let first = Math.min(holdDeadline(this.#rib), this.#ledger.deadline(this.#startupHold()));
    for (const set of this.#rib.sets) if (set) first = Math.min(first, set.deadline(now));
    return first;
  }

  /** The end of every change: sets the timer for what comes next, and tells of what is to be drained. */
  #finish(): void {
    if (this.#rib.timersChanged) {
      this.#rib.timersChanged = false;
      this.#timer?.cancel();
      const deadline = this.#deadline();
      this.#timer = Number.isFinite(deadline)
        ? this.#clock.setTimer(Math.max(0, deadline - this.#rib.now()), () => this.#onTimer())
        : undefined;
    }
    if (this.#told || !this.#rib.sets.some((set) => set?.isDirty)) return;
    this.#told = true;
    for (const listener of this.#listeners) listener();
  }

  #onTimer(): void {
    this.#turn();
    this.#rib.timersChanged = true;
    this.#advance();
    this.#finish();
  }
}
