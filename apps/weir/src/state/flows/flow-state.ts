import type { FamilyName, NextHop, PathAttributes, UpdateMessage } from '@weir/bgp/codec';
import { type FlowRoute, flowActions, flowTreatment } from '@weir/bgp/flowspec';
import { equalIp } from '@weir/wire/inet';
import type { Config } from '../../model/config.ts';
import type { ActiveFlow, FlowConfig, FlowDelta } from '../../model/flow.ts';
import { NO_STALE_TIMES } from '../peer-state.ts';
import { type RefreshRequest, sameDefinition, samePeer } from '../reconfigure.ts';
import type { StateClock } from '../route-state-options.ts';
import type { SessionDown } from '../session-loss.ts';
import { TokenBucket } from '../token-bucket.ts';
import { activeFlow, bestEntry, type EntryStatus, entryKey, type FlowEntry, newEntry } from './flow-entry.ts';
import { FlowFoundations, stopped, type Unicast, unwatched } from './flow-foundations.ts';
import { type FlowRefusal, guardRefusal } from './flow-guard.ts';
import { FlowLedger } from './flow-ledger.ts';
import { FlowPaths } from './flow-paths.ts';
import { copyFlowPeer, type FlowPeer, lossEnd, newFlowPeer, nextDeadline } from './flow-peer.ts';
import { countFlows, type FlowPeerCounts, type FlowView, isFlowFamily, listFlows, validates } from './flow-view.ts';
import { validateFlow } from './validate.ts';

/** Flow rules of all peers and of one, whether enforced or not: what comes beyond is counted and forgotten. */
const MOST_ENTRIES = 200_000;
const MOST_OF_PEER = 50_000;

export interface FlowStateOptions {
  readonly clock: StateClock;
  readonly unicast: Unicast;
  /** Why what enforces cannot do what a rule asks for; undefined where it can. */
  readonly unenforceable: (flow: ActiveFlow, config: FlowConfig) => string | undefined;
  readonly paths?: FlowPaths;
}

/**
 * Flow rules from peers: who announced them, whether they may (guards, validation by unicast routes), and which of several announcements of one rule counts. A rule is enforced exactly while an
 * announcement that may asks for it, heard or held after the loss of its session.
 *
 * Bounds: 200,000 announcements, 50,000 of one peer. No method throws for what a peer sends.
 */
export class FlowState {
  readonly #options: FlowStateOptions;
  /** To the addresses that packets are redirected to. */
  readonly paths: FlowPaths;
  readonly #peers = new Map<string, FlowPeer>();
  readonly #byRule = new Map<string, Set<FlowEntry>>();
  /** What the kernel side was told to enforce. */
  readonly #enforced = new Set<string>();
  readonly #pending = new Set<string>();
  readonly #listeners = new Set<() => void>();
  readonly #foundations: FlowFoundations;
  #ledger = new FlowLedger();
  #config: FlowConfig | undefined;
  #router: Config['bgp'] | undefined;
  #size = 0;
  #reset = true;
  #told = false;
  #timer: { cancel(): void } | undefined;

  constructor(options: FlowStateOptions) {
    this.#options = options;
    this.paths = options.paths ?? new FlowPaths();
    this.paths.onChange(() => {
      this.#judgeAll(({ treatment }) => treatment.redirect?.kind === 'ip');
      this.#finish();
    });
    this.#foundations = new FlowFoundations(options.clock, options.unicast, () => {
      this.#judgeAll();
      this.#finish();
    });
  }

  /** Takes the first or a further configuration; gives whom to ask again because something is allowed now that was forgotten. */
  configure(config: Config): readonly RefreshRequest[] {
    const before = this.#config;
    this.#config = config.flowspec;
    this.#router = config.bgp;
    if (this.paths.configure(config.flowspec)) this.#reset = true;
    const refresh: RefreshRequest[] = [];
    let validationChanged = false;
    for (const [name, peer] of this.#peers) {
      const next = config.bgp.peers.find((one) => one.name === name);
      if (next && samePeer(next, peer.definition)) continue;
      this.#removeWhere(name, () => true);
      this.#peers.delete(name);
    }
    for (const definition of config.bgp.peers) {
      const peer = this.#peers.get(definition.name);
      const churn = this.#guardOf(definition.name)?.churn ?? { rate: 0, burst: 0 };
      if (!peer) {
        this.#peers.set(definition.name, newFlowPeer(definition, new TokenBucket(churn, this.#now())));
        continue;
      }
      validationChanged ||= definition.flowValidation !== peer.definition.flowValidation;
      peer.definition = definition;
      peer.churn.change(churn, this.#now());
      this.#removeWhere(definition.name, (entry) => !definition.families.includes(entry.rule.family));
      if (peer.overflow > 0) refresh.push({ peer: definition.name, families: definition.families.filter(isFlowFamily) });
      peer.overflow = 0;
    }
    this.#foundations.enabled = validates(config);
    if (!sameDefinition(before, config.flowspec) || validationChanged) this.#judgeAll();
    this.#settle();
    this.#finish();
    return refresh;
  }

  update(name: string, message: UpdateMessage): void {
    const peer = this.#peers.get(name);
    if (!peer || (message.withdrawFlows.length === 0 && message.announceFlows.length === 0)) return;
    for (const { routes } of message.withdrawFlows) for (const { rule, pathId } of routes) this.#remove(peer, entryKey(name, rule, pathId));
    this.#fill(peer);
    const { originatorId } = message.attributes;
    // RFC 4456 section 8: what comes back to its originator is ignored.
    const own = originatorId !== undefined && this.#router !== undefined && equalIp(originatorId, this.#router.routerId);
    for (const { nextHop, run } of message.announceFlows)
      for (const route of run.routes) {
        if (own) this.#remove(peer, entryKey(name, route.rule, route.pathId));
        else this.#put(peer, route, message.attributes, nextHop);
      }
    this.#finish();
  }

  /** The session is lost: rules are held as `on_session_loss` says. */
  sessionDown(name: string, loss: SessionDown): void {
    const peer = this.#peers.get(name);
    if (!peer) return;
    if (loss.hard) this.#removeWhere(name, () => true);
    else {
      for (const entry of peer.entries.values()) {
        entry.refreshing = false;
        const times = loss.retained?.find(({ family }) => family === entry.rule.family) ?? NO_STALE_TIMES;
        entry.lost ??= { at: this.#now(), times };
      }
      peer.holds = true;
    }
    this.#advance();
    this.#finish();
  }

  /** The peer has said all that it has in this family: what it did not say again goes. */
  converged(name: string, family: FamilyName): void {
    this.#ledger.learned(name, family);
    this.#removeWhere(name, (entry) => entry.rule.family === family && entry.lost !== undefined);
    this.#settle();
    this.#finish();
  }

  dropFamily(name: string, family: FamilyName): void {
    this.#removeWhere(name, (entry) => entry.rule.family === family);
    this.#finish();
  }

  /** Beginning of a refresh (RFC 7313 section 4), or the end of one that is given up. */
  setRefreshing(name: string, family: FamilyName, begins: boolean): void {
    for (const entry of this.#peers.get(name)?.entries.values() ?? [])
      if (entry.rule.family === family && !entry.lost) entry.refreshing = begins;
  }

  endRefresh(name: string, family: FamilyName): void {
    this.#removeWhere(name, (entry) => entry.rule.family === family && entry.refreshing);
    this.#finish();
  }

  /** Flow rules that are in force from before the daemon was started. */
  addLedger(flows: readonly ActiveFlow[]): void {
    for (const flow of flows) {
      if (this.#byRule.has(flow.rule.key) || !this.#ledger.add(flow)) continue;
      this.#pending.add(flow.rule.key);
      this.paths.adopt(flow);
    }
    this.#settle();
    this.#finish();
  }

  /** What is to be enforced that was not, and the other way round, since the last drain. */
  drain(): FlowDelta {
    const gone: string[] = [];
    const put: ActiveFlow[] = [];
    if (this.#reset) this.#enforced.clear();
    for (const key of this.#reset ? new Set([...this.#byRule.keys(), ...this.#ledger.keys()]) : this.#pending) {
      const best = bestEntry(this.#byRule.get(key) ?? []);
      if (best) this.#ledger.heard(key);
      const flow = best ? activeFlow(best) : this.#ledger.get(key);
      if (flow) put.push(flow);
      else if (this.#enforced.has(key)) gone.push(key);
      if (flow) this.#enforced.add(key);
      else this.#enforced.delete(key);
    }
    this.paths.drained();
    const reset = this.#reset;
    this.#reset = false;
    this.#told = false;
    this.#pending.clear();
    return { reset, gone: reset ? [] : gone, put };
  }

  /** Everything goes out again with the next drain. */
  resync(): void {
    this.#reset = true;
    this.#finish();
  }

  get isDirty(): boolean {
    return this.#reset || this.#pending.size > 0;
  }

  /** Calls back when there is something to drain; again only after the next drain. */
  onDirty(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Every announcement, and what is in force without one, in the order in which rules are judged. */
  list(): readonly FlowView[] {
    const unheard = [...this.#ledger.values()].filter(({ rule }) => !bestEntry(this.#byRule.get(rule.key) ?? []));
    return listFlows(this.#byRule.values(), unheard);
  }

  /** What `list` would say once another configuration is in force. Changes nothing. */
  preview(config: Config): readonly FlowView[] {
    const [unicast, paths] = [unwatched(this.#options.unicast), this.paths.copy()];
    const copy = new FlowState({ ...this.#options, clock: stopped(this.#now()), unicast, paths });
    copy.#config = this.#config;
    copy.#router = this.#router;
    copy.#size = this.#size;
    copy.#ledger = this.#ledger.copy();
    for (const [name, peer] of this.#peers) {
      const own = copyFlowPeer(peer);
      copy.#peers.set(name, own);
      for (const entry of own.entries.values()) {
        copy.#byRule.set(entry.rule.key, (copy.#byRule.get(entry.rule.key) ?? new Set()).add(entry));
        if (entry.destination) copy.#foundations.use(entry.destination);
      }
    }
    if (validates(config)) copy.#foundations.lookAtAll();
    copy.configure(config);
    return copy.list();
  }

  counts(): readonly FlowPeerCounts[] {
    return [...this.#peers.values()]
      .filter(({ definition }) => definition.families.some(isFlowFamily))
      .map((peer) => countFlows(peer, (entry) => bestEntry(this.#byRule.get(entry.rule.key) ?? []) === entry));
  }

  /** Rules of a peer's present session in a family. */
  announced(name: string, family: FamilyName): number {
    let count = 0;
    for (const { rule, lost } of this.#peers.get(name)?.entries.values() ?? []) if (rule.family === family && !lost) count++;
    return count;
  }

  close(): void {
    this.#timer?.cancel();
    this.#foundations.close();
    this.#listeners.clear();
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #guardOf(peer: string): FlowConfig['guards'][number] | undefined {
    return this.#config?.guards.find(({ peers }) => peers.includes(peer));
  }

  #put(peer: FlowPeer, route: FlowRoute, attributes: PathAttributes, nextHop: NextHop | undefined): void {
    const [{ name }, { rule }] = [peer.definition, route];
    const key = entryKey(name, rule, route.pathId);
    const before = peer.entries.get(key);
    if (!before && (this.#size >= MOST_ENTRIES || peer.entries.size >= MOST_OF_PEER)) {
      peer.overflow++;
      return;
    }
    const treatment = flowTreatment(flowActions(attributes), nextHop?.address);
    const same = before !== undefined && sameDefinition([before.treatment, before.attributes], [treatment, attributes]);
    if (before && same && !before.lost) {
      before.refreshing = false;
      return;
    }
    const identifier = this.#options.unicast.identifierOf(name);
    const entry = newEntry(peer.definition, route, { attributes, treatment, identifier, since: this.#now(), order: before?.order });
    // What is in force changes at once: while it waited, nothing would be in force. What is said again as it was is no change.
    const known = before?.status.kind === 'admitted';
    if (known && !same) peer.churn.take(this.#now());
    if (before) this.#remove(peer, key);
    peer.entries.set(key, entry);
    this.#size++;
    if (entry.destination) this.#foundations.use(entry.destination);
    this.paths.use(entry);
    const entries = this.#byRule.get(rule.key) ?? new Set();
    this.#byRule.set(rule.key, entries.add(entry));
    this.#judge(peer, entry, known);
  }

  #remove(peer: FlowPeer, key: string): void {
    const entry = peer.entries.get(key);
    if (!entry) return;
    this.#setStatus(peer, entry, { kind: 'new' });
    peer.entries.delete(key);
    this.#size--;
    if (entry.destination) this.#foundations.unuse(entry.destination);
    this.paths.unuse(entry);
    const entries = this.#byRule.get(entry.rule.key);
    entries?.delete(entry);
    if (entries?.size === 0) this.#byRule.delete(entry.rule.key);
  }

  #removeWhere(name: string, goes: (entry: FlowEntry) => boolean): void {
    const peer = this.#peers.get(name);
    if (!peer) return;
    for (const [key, entry] of peer.entries) if (goes(entry)) this.#remove(peer, key);
    this.#fill(peer);
  }

  #setStatus(peer: FlowPeer, entry: FlowEntry, status: EntryStatus): void {
    if (entry.status.kind === 'admitted') peer.admitted--;
    if (status.kind === 'admitted') peer.admitted++;
    if (status.kind === 'waiting') peer.queue.add(entry);
    else peer.queue.delete(entry);
    entry.status = status;
    this.#pending.add(entry.rule.key);
  }

  /** Decides about an entry; `known` says that it was enforced as it is a moment ago. */
  #judge(peer: FlowPeer, entry: FlowEntry, known: boolean): void {
    const was = entry.status.kind;
    const refusal = this.#refusalOf(peer, entry);
    if (refusal?.reason === 'full') peer.full = true;
    if (refusal) this.#setStatus(peer, entry, { kind: 'refused', refusal });
    else if (was === 'admitted') return;
    else if (known || peer.churn.take(this.#now())) this.#setStatus(peer, entry, { kind: 'admitted' });
    else this.#setStatus(peer, entry, { kind: 'waiting' });
  }

  #refusalOf(peer: FlowPeer, entry: FlowEntry): FlowRefusal | undefined {
    const { rule, destination, treatment } = entry;
    const guard = this.#guardOf(peer.definition.name);
    const refused = guardRefusal(guard, rule, destination, treatment);
    if (refused || !guard) return refused;
    const mode = peer.definition.flowValidation;
    const foundation = destination && mode !== 'off' ? this.#foundations.of(destination) : undefined;
    const invalid = validateFlow(entry, mode, foundation);
    if (invalid !== undefined) return { reason: 'invalid', message: invalid };
    const unenforceable = this.paths.take(entry) ?? (this.#config && this.#options.unenforceable(activeFlow(entry), this.#config));
    if (unenforceable !== undefined) return { reason: 'unenforceable', message: unenforceable };
    const room = guard.maxRules - peer.admitted + (entry.status.kind === 'admitted' ? 1 : 0);
    return room > 0 ? undefined : { reason: 'full', message: `the peer has ${guard.maxRules} rules in force (max_rules)` };
  }

  /** Those that were refused because there was no room. */
  #fill(peer: FlowPeer): void {
    if (!peer.full) return;
    peer.full = false;
    for (const entry of peer.entries.values())
      if (entry.status.kind === 'refused' && entry.status.refusal.reason === 'full') this.#judge(peer, entry, false);
  }

  #settle(): void {
    for (const key of this.#ledger.settle([...this.#peers.values()].map(({ definition }) => definition))) this.#pending.add(key);
  }

  #judgeAll(only: (entry: FlowEntry) => boolean = () => true): void {
    for (const peer of this.#peers.values()) {
      for (const entry of peer.entries.values()) if (only(entry)) this.#judge(peer, entry, false);
      this.#fill(peer);
    }
  }

  /** Ends holds that are over and lets in what waits. */
  #advance(): void {
    const now = this.#now();
    for (const peer of this.#peers.values()) {
      if (peer.holds) {
        this.#removeWhere(peer.definition.name, ({ lost }) => lost !== undefined && lossEnd(lost, this.#config) <= now);
        peer.holds = [...peer.entries.values()].some(({ lost }) => lost !== undefined);
      }
      for (const entry of peer.queue) {
        if (!peer.churn.take(now)) break;
        this.#setStatus(peer, entry, { kind: 'admitted' });
      }
    }
  }

  /** The end of every change: sets the timer for what comes next, and tells of what is to be drained. */
  #finish(): void {
    if (this.#ledger.size === 0) this.paths.forgetKept();
    this.#timer?.cancel();
    const deadline = nextDeadline(this.#peers.values(), this.#now(), this.#config);
    this.#timer = Number.isFinite(deadline)
      ? this.#options.clock.setTimer(Math.max(0, deadline - this.#now()), () => {
          this.#advance();
          this.#finish();
        })
      : undefined;
    if (this.#told || !this.isDirty) return;
    this.#told = true;
    for (const listener of this.#listeners) listener();
  }
}
