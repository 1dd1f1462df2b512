import { covers, type Prefix, parseIp, parsePrefix, printIp, printPrefix } from '@weir/wire/inet';
import {
  ApiError,
  type ApplyAnswer,
  type Backend,
  type BlackholeAddAnswer,
  type BlackholeDeleteAnswer,
  type BlackholesAnswer,
  type Caller,
  type ConfirmAnswer,
  type Feed,
  type FeedAnswer,
  type FeedsAnswer,
  type FlowAddAnswer,
  type FlowDeleteAnswer,
  type FlowPlanAnswer,
  type FlowsAnswer,
  FORMAT_VERSION,
  type GenerationAnswer,
  type HistoryAnswer,
  type LookupAnswer,
  type MembersAnswer,
  type NetworkChangeAnswer,
  type NetworkLoadAnswer,
  type Params,
  type PeersAnswer,
  type RefusedAnswer,
  type ReloadAnswer,
  type RollbackAnswer,
  type RoutesAnswer,
  type SetSummary,
  type SetsAnswer,
  type StatusAnswer,
  summarizeEvent,
  type Watch,
} from '../api/index.ts';
import type { Config } from '../model/config.ts';
import type { Event } from '../model/event.ts';
import type { KernelPort, KernelStatus } from '../model/kernel-port.ts';
import { allSets } from '../model/scopes.ts';
import type { EventBus } from '../observe/index.ts';
import type { PeerView } from '../sources/bgp/index.ts';
import type { RouteState, StateCounts } from '../state/index.ts';
import type { Announcements } from './announcements.ts';
import { answerFlows, summarizeFlows } from './answer-flows.ts';
import type { Changes } from './changes.ts';
import type { ExabgpFeeds } from './exabgp-feeds.ts';
import { answerFlowPlan } from './flow-changes.ts';
import { answerClient, summarizeClients } from './networks/clients/answer-clients.ts';
import { answerDump, answerHistory, answerNetworks, type Feeds, readPrefixes } from './networks/index.ts';
import { iso, summarizeEbpf, summarizeLatency, summarizeMember, summarizePeer, summarizeRoute, summarizeSet } from './summaries.ts';
import { summarizeCumulus } from './summarize-cumulus.ts';
import { summarizeTenants } from './summarize-tenants.ts';
import type { Verdicts } from './verdicts.ts';

/** The parts of a running daemon that questions are answered from. */
export interface BackendParts {
  readonly version: string;
  readonly started: number;
  readonly config: () => Config;
  readonly state: RouteState;
  readonly announced: Announcements;
  readonly peers: () => readonly PeerView[];
  readonly listening: () => StatusAnswer['bgp']['listen'];
  readonly kernel: KernelPort;
  readonly events: EventBus;
  readonly verdicts: Verdicts;
  readonly changes: Changes;
  readonly exabgp: ExabgpFeeds;
}

const DEFAULT_PAGE = 1000;

/** Answers of the control socket, put together from the parts of the daemon. */
export class DaemonBackend implements Backend {
  readonly #parts: BackendParts;

  constructor(parts: BackendParts) {
    this.#parts = parts;
  }

  async status(): Promise<StatusAnswer> {
    const { version, started, events, state } = this.#parts;
    const config = this.#parts.config();
    const kernel = await this.#parts.kernel.status();
    const [counts, counters, exabgp] = [state.counts(), events.counters(), this.#parts.exabgp.summary()];
    const peers = this.#peerSummaries(counts);
    const { reloads } = this.#parts.changes;
    const memory = process.memoryUsage();
    const verdicts = this.#parts.verdicts.counts(kernel.ebpf?.events);
    return {
      format_version: FORMAT_VERSION,
      version,
      pid: process.pid,
      started: iso(started),
      uptime_ms: Math.max(0, Date.now() - started),
      config: {
        file: config.file,
        loaded: iso(reloads.loaded),
        reloads: reloads.ok,
        failed_reloads: reloads.failed,
        ...(reloads.lastError === undefined ? {} : { last_error: reloads.lastError }),
      },
      bgp: {
        as: config.bgp.as,
        router_id: printIp(config.bgp.routerId),
        listen: this.#parts.listening(),
        peers: peers.length,
        established: peers.filter((p) => p.state === 'Established').length,
        converged: peers.filter((p) => p.converged).length,
      },
      ...summarizeClients(this.#parts.announced, config),
      ...this.#parts.announced.networksStatus(),
      ...(exabgp === undefined ? {} : { exabgp }),
      sets: this.#setSummaries(counts, kernel),
      routes: { kept: counts.routes, prefixes: counts.prefixes, attribute_sets: counts.attributeSets },
      kernel: {
        commits: kernel.commits,
        failed_commits: kernel.failedCommits,
        elements_sent: kernel.elementsSent,
        repairs: kernel.repairs,
        ...(kernel.ownedTable ? { owned_table: kernel.ownedTable } : {}),
        ...(kernel.ebpf ? { ebpf: summarizeEbpf(kernel.ebpf) } : {}),
        rules: kernel.rules,
        foreign_chains: kernel.foreignChains,
        problems: kernel.problems.map(({ since, remedy, ...rest }) => ({
          ...rest,
          since: iso(since),
          ...(remedy === undefined ? {} : { remedy }),
        })),
      },
      ...(config.feeds ? { feeds: this.#parts.announced.feeds?.list() ?? [] } : {}),
      ...summarizeFlows(state.flows, this.#parts.announced.counts(), config),
      tenants: summarizeTenants(config, kernel, counts),
      latency: { wire_to_kernel: summarizeLatency(counters.latency), commit: summarizeLatency(counters.commitTime) },
      ...(verdicts && { events: verdicts }),
      ...(kernel.cumulus ? { cumulus: summarizeCumulus(kernel.cumulus) } : {}),
      memory: { rss: memory.rss, heap: memory.heapUsed },
    };
  }

  async peers(): Promise<PeersAnswer> {
    const { announced, config, state } = this.#parts;
    return { format_version: FORMAT_VERSION, peers: this.#peerSummaries(state.counts()), ...summarizeClients(announced, config()) };
  }

  #peerSummaries(counts: StateCounts): PeersAnswer['peers'] {
    const statuses = new Map(this.#parts.peers().map((p) => [p.name, p]));
    return this.#parts.config().bgp.peers.flatMap((peer) => {
      const status = statuses.get(peer.name);
      if (!status) return [];
      const own = counts.peers.find((c) => c.peer === peer.name);
      return [summarizePeer(peer, status, own, this.#parts.state.holds(peer.name))];
    });
  }

  async sets(): Promise<SetsAnswer> {
    const kernel = await this.#parts.kernel.status();
    return { format_version: FORMAT_VERSION, sets: this.#setSummaries(this.#parts.state.counts(), kernel) };
  }

  #setSummaries(counts: StateCounts, kernel: KernelStatus): readonly SetSummary[] {
    const byName = new Map(counts.sets.map((c) => [c.set, c]));
    return allSets(this.#parts.config()).map((set) => summarizeSet(set, byName.get(set.name), kernel));
  }

  async routes(params: Params<'routes'>): Promise<RoutesAnswer> {
    const { state } = this.#parts;
    if (params.set !== undefined) this.#set(params.set);
    if (params.peer !== undefined && !this.#parts.config().bgp.peers.some((p) => p.name === params.peer)) {
      throw new ApiError('not-found', `no peer is named ${params.peer}`);
    }
    const prefix = params.prefix === undefined ? undefined : askedPrefix(params.prefix, 'prefix');
    const limit = params.limit ?? DEFAULT_PAGE;
    const page = state.routes({
      peer: params.peer,
      set: params.set,
      family: familyOf(params.family),
      prefix,
      limit,
      after: cursorOf(params.cursor),
    });
    const wanted = prefix && !params.longer ? page.routes.filter((route) => covers(route.prefix, prefix)) : page.routes;
    const last = page.routes.at(-1);
    return {
      format_version: FORMAT_VERSION,
      routes: wanted.map(summarizeRoute),
      ...(page.more && last ? { next: printPrefix(last.prefix) } : {}),
    };
  }

  async members(params: Params<'members'>): Promise<MembersAnswer> {
    const { state } = this.#parts;
    this.#set(params.set);
    const page = state.members(params.set, {
      family: familyOf(params.family),
      limit: params.limit ?? DEFAULT_PAGE,
      after: cursorOf(params.cursor),
    });
    const last = page.members.at(-1);
    return {
      format_version: FORMAT_VERSION,
      set: params.set,
      members: page.members.map(summarizeMember),
      total: state.counts().sets.find((s) => s.set === params.set)?.installed ?? 0,
      ...(page.more && last ? { next: printPrefix(last.prefix) } : {}),
    };
  }

  async flows(params: Params<'flows'>): Promise<FlowsAnswer> {
    const { state, kernel, config } = this.#parts;
    const { rules } = await kernel.status();
    return answerFlows(state.flows, this.#parts.announced.flows(), rules, config().flowspec, params);
  }

  async flowPlan(params: Params<'flow-plan'>): Promise<FlowPlanAnswer> {
    return answerFlowPlan(this.#parts.state.flows, this.#parts.changes.read(), params);
  }

  async flowAdd(params: Params<'flow-add'>, caller: Caller): Promise<FlowAddAnswer> {
    return { format_version: FORMAT_VERSION, announced: this.#parts.announced.ownFlows.add(params, caller) };
  }

  async flowDelete(params: Params<'flow-delete'>): Promise<FlowDeleteAnswer> {
    return { format_version: FORMAT_VERSION, withdrawn: this.#parts.announced.ownFlows.delete(params) };
  }

  networks(params: Params<'networks'>): ReturnType<Backend['networks']> {
    return Promise.resolve(answerNetworks(this.#parts.announced.networks(), this.#parts.config(), params));
  }

  async networkClient(params: Params<'network-client'>): ReturnType<Backend['networkClient']> {
    return answerClient(this.#parts.announced, this.#parts.config(), params);
  }

  networkAdd(params: Params<'network-add'>, caller: Caller): Promise<NetworkChangeAnswer> {
    return this.#parts.announced.networks().operator.add(params, caller);
  }

  networkReplace(params: Params<'network-replace'>, caller: Caller): Promise<NetworkChangeAnswer> {
    return this.#parts.announced.networks().operator.replace(params, caller);
  }

  networkDelete(params: Params<'network-delete'>, caller: Caller): Promise<NetworkChangeAnswer> {
    return this.#parts.announced.networks().operator.delete(params, caller);
  }

  async networkDump(params: Params<'network-dump'>): ReturnType<Backend['networkDump']> {
    return answerDump(this.#parts.announced.networks(), this.#parts.config(), params);
  }

  async networkHistory(params: Params<'network-history'>): ReturnType<Backend['networkHistory']> {
    return answerHistory(this.#parts.announced.networks(), params);
  }

  async networkLoad(params: Params<'network-load'>): Promise<NetworkLoadAnswer> {
    return { format_version: FORMAT_VERSION, load: this.#parts.announced.networks().operator.load(params) };
  }

  async networkLoadPage(params: Params<'network-load-page'>): Promise<NetworkLoadAnswer> {
    this.#parts.announced.networks().operator.loads.page(params.load, readPrefixes(params.prefixes), params);
    return { format_version: FORMAT_VERSION, load: params.load };
  }

  networkLoadCommit(params: Params<'network-load-commit'>, caller: Caller): Promise<NetworkChangeAnswer> {
    return this.#parts.announced.networks().operator.commit(params, caller);
  }

  async feeds(): Promise<FeedsAnswer> {
    return { format_version: FORMAT_VERSION, feeds: this.#parts.announced.feeds?.list() ?? [] };
  }

  async feedRefresh({ feed, force = false }: Params<'feed-refresh'>, caller: Caller): Promise<FeedAnswer> {
    return { format_version: FORMAT_VERSION, feed: await this.#feeds.refresh(feed, force, caller) };
  }

  async feedAccept({ feed }: Params<'feed-accept'>, caller: Caller): Promise<FeedAnswer> {
    return { format_version: FORMAT_VERSION, feed: await this.#feeds.accept(feed, caller) };
  }

  async blackholes(): Promise<BlackholesAnswer> {
    return this.#parts.announced.blackholes();
  }

  async blackholeAdd(params: Params<'blackhole-add'>, caller: Caller): Promise<BlackholeAddAnswer> {
    return { format_version: FORMAT_VERSION, announced: this.#parts.announced.ownBlackholes.add(params, caller) };
  }

  async blackholeDelete(params: Params<'blackhole-delete'>): Promise<BlackholeDeleteAnswer> {
    return { format_version: FORMAT_VERSION, withdrawn: this.#parts.announced.ownBlackholes.delete(params) };
  }

  async refused(params: Params<'refused'>): Promise<RefusedAnswer> {
    this.#set(params.set);
    const view = this.#parts.state.refused(params.set);
    return {
      format_version: FORMAT_VERSION,
      set: params.set,
      counts: { ...view?.counts },
      waiting: view?.waiting ?? 0,
      recent: (view?.recent ?? []).map((r) => ({ prefix: printPrefix(r.prefix), peer: r.peer, reason: r.reason, at: iso(r.at) })),
    };
  }

  async lookup({ addresses }: Params<'lookup'>): Promise<LookupAnswer> {
    const { state } = this.#parts;
    const sets = allSets(this.#parts.config()).map((set) => set.name);
    const members = addresses.flatMap((address) => {
      const ip = parseIp(address);
      if (!ip) throw new ApiError('bad-request', `${address} is not an address`);
      return sets.flatMap((set) => {
        const member = state.memberOf(set, ip);
        return member ? [{ set, address, member: summarizeMember(member) }] : [];
      });
    });
    return { format_version: FORMAT_VERSION, members };
  }

  async events(params: Params<'events'>): ReturnType<Backend['events']> {
    return { format_version: FORMAT_VERSION, events: this.#parts.events.recent(params.limit).map(summarizeEvent), lost: 0 };
  }

  async reload(caller: Caller): Promise<ReloadAnswer> {
    return this.#withTenantProblems(await this.#parts.changes.reload(caller));
  }

  async apply(params: Params<'apply'>, caller: Caller): Promise<ApplyAnswer> {
    return this.#withTenantProblems(await this.#parts.changes.apply(params, caller));
  }

  /** What a tenant could not be given does not refuse a change; whoever made it is told. */
  async #withTenantProblems<T extends { readonly warnings: readonly string[] }>(answer: T): Promise<T> {
    if (this.#parts.config().tenants.length === 0) return answer;
    const { problems } = await this.#parts.kernel.status();
    const own = problems.flatMap(({ tenant, kind, message }) =>
      tenant === undefined || kind === 'drift' ? [] : [`tenant ${tenant}: ${message}`],
    );
    return { ...answer, warnings: [...answer.warnings, ...own] };
  }

  confirm(caller: Caller): Promise<ConfirmAnswer> {
    return this.#parts.changes.confirm(caller);
  }

  rollback(params: Params<'rollback'>, caller: Caller): Promise<RollbackAnswer> {
    return this.#parts.changes.rollback(params, caller);
  }

  async history(): Promise<HistoryAnswer> {
    return this.#parts.changes.history();
  }

  async generation(params: Params<'generation'>): Promise<GenerationAnswer> {
    return this.#parts.changes.generation(params);
  }

  watch(params: Params<'watch'>): Watch | undefined {
    if (params.set !== undefined) this.#set(params.set);
    const kinds = params.kinds && new Set(params.kinds);
    return this.#parts.events.subscribe(
      (event: Event) =>
        (kinds?.has(event.kind) ?? true) &&
        (params.set === undefined || ('set' in event && event.set === params.set)) &&
        (params.peer === undefined || ('peer' in event && event.peer === params.peer)),
    );
  }

  async observe(params: Params<'observe'>): ReturnType<Backend['observe']> {
    return this.#parts.verdicts.observe(params);
  }

  async feed(uid: number | undefined, send: (command: string) => void): Promise<Feed> {
    return this.#parts.exabgp.feed(uid, send);
  }

  get #feeds(): Feeds {
    const { feeds } = this.#parts.announced;
    if (!feeds) throw new ApiError('refused', 'distribute is not configured: it says which tables there are');
    return feeds;
  }

  #set(name: string): void {
    if (!allSets(this.#parts.config()).some((s) => s.name === name)) throw new ApiError('not-found', `no set is named ${name}`);
  }
}

function familyOf(family: 'ipv4' | 'ipv6' | undefined): 4 | 6 | undefined {
  return family === undefined ? undefined : family === 'ipv4' ? 4 : 6;
}

function cursorOf(text: string | undefined): Prefix | undefined {
  return text === undefined ? undefined : askedPrefix(text, 'cursor');
}

function askedPrefix(text: string, what: string): Prefix {
  const result = parsePrefix(text);
  if (result.ok) return result.prefix;
  throw new ApiError('bad-request', `${what}: ${result.error.message}`);
}
