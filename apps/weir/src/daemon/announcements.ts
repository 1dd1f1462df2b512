import type { Announcer } from '@weir/bgp/session';
import type { Ip, Prefix } from '@weir/wire/inet';
import {
  ApiError,
  type BlackholesAnswer,
  FORMAT_VERSION,
  type OwnFlowSummary,
  type SetConversionSummary,
  type StatusAnswer,
} from '../api/index.ts';
import { unenforceable } from '../compile/flows/index.ts';
import type { Config } from '../model/config.ts';
import type { EventSink } from '../model/event.ts';
import type { ActiveFlow } from '../model/flow.ts';
import { ClientSessions, OwnAnnouncer } from '../sources/bgp/index.ts';
import type { RouteState, StateClock } from '../state/index.ts';
import { Conversions } from './conversions.ts';
import { FlowSources } from './flow-sources.ts';
import { ClientMemory } from './networks/clients/client-memory.ts';
import { Contributions } from './networks/clients/contributions.ts';
import { Feeds, Networks } from './networks/index.ts';
import { OwnBlackholes } from './own-blackholes.ts';
import { OwnFlows } from './own-flows.ts';
import { SessionAnnouncer } from './session-announcer.ts';

export interface AnnouncementsOptions {
  readonly clock: StateClock;
  readonly config: () => Config;
  readonly state: Pick<RouteState, 'prefixesOf' | 'flows'>;
  readonly stateDirectory: string;
  readonly hostAddresses: () => readonly Ip[];
  readonly events: EventSink;
  readonly onError: (error: Error) => void;
}

/** Everything that is announced: by hand, of sets and of flow rules; and the flow rules of sets that are in force here. */
export class Announcements {
  /** What is told to the peers that have a name. */
  readonly announcer: OwnAnnouncer = new OwnAnnouncer();
  /** Of all sessions. */
  readonly sessions: Announcer;
  readonly ownFlows: OwnFlows;
  readonly ownBlackholes: OwnBlackholes;
  /** The flow rules to be enforced. */
  readonly sources: FlowSources;
  /** Sessions of those that get tables and have no name. */
  readonly clients: ClientSessions;
  readonly #conversions: Conversions;
  readonly #clients: ClientMemory;
  readonly #options: AnnouncementsOptions;
  /** Undefined until something is distributed. */
  #networks: Networks | undefined;
  #contributions: Contributions | undefined;
  #feeds: Feeds | undefined;

  constructor(options: AnnouncementsOptions) {
    const { clock, config, state, stateDirectory, hostAddresses, onError } = options;
    this.#options = options;
    this.#networks = config().distribute && new Networks({ ...options, announcer: this.announcer });
    this.clients = new ClientSessions({ events: options.events, clock });
    const { announcer } = this;
    const each = new SessionAnnouncer((peer) => {
      const networks = config().bgp.peers.some(({ name }) => name === peer) ? undefined : this.#networks;
      return networks?.announcer ?? announcer;
    });
    this.#clients = new ClientMemory(each, { stateDirectory, distribute: () => config().distribute, onError });
    this.sessions = this.#clients;
    this.#conversions = new Conversions({
      clock,
      config,
      state,
      announcer,
      sources: () => this.sources,
      ownFlows: () => this.ownFlows,
      hostAddresses,
      unenforceable,
    });
    this.sources = new FlowSources(state.flows, (change) => this.#conversions.heard(change));
    this.ownFlows = new OwnFlows({
      announcer: announcer.flows,
      stateDirectory,
      config: () => config().flowspec,
      onChange: () => this.#conversions.flowsChanged(),
      onError,
    });
    const isProtected = (prefix: Prefix): boolean => this.#conversions.isProtected(prefix);
    this.ownBlackholes = new OwnBlackholes({ announcer, stateDirectory, config, isProtected, onError });
  }

  /** Whether anything is announced. */
  get hasSome(): boolean {
    return this.announcer.flows.flows.length > 0 || this.announcer.prefixes.length > 0 || (this.#networks?.tables.size ?? 0) > 0;
  }

  /** The configuration is another, or the members that were there before the start are known. */
  configured(): void {
    this.ownFlows.configured();
    this.ownBlackholes.configured();
    this.#conversions.configured();
    this.#networks?.configured();
    if (this.#options.config().distribute) this.#networks ??= new Networks({ ...this.#options, announcer: this.announcer });
    if (this.#networks) this.#hear(this.#networks).configured();
    if (this.#feeds) this.#feeds.configured();
    else if (this.#networks) this.#feeds = new Feeds({ ...this.#options, networks: this.#networks });
  }

  #hear(networks: Networks): Contributions {
    if (this.#contributions) return this.#contributions;
    this.#contributions = new Contributions({ ...this.#options, networks, clients: this.clients });
    this.clients.listen(this.#contributions);
    return this.#contributions;
  }

  /** What clients have put into tables, and what was refused; undefined where nothing is distributed. */
  get contributions(): Contributions | undefined {
    return this.#contributions;
  }

  /** Of what is distributed, if anything is. */
  networksStatus(): Pick<StatusAnswer, 'networks'> {
    if (!this.#networks) return {};
    const { tables, journal, problems } = this.#networks;
    const { changes, snapshot } = journal;
    return { networks: { tables: tables.tables.length, prefixes: tables.size, journal: { changes, snapshot }, problems } };
  }

  /** @throws ApiError where nothing is distributed */
  networks(): Networks {
    if (!this.#networks) throw new ApiError('refused', 'distribute is not configured: it says which tables there are and who gets them');
    return this.#networks;
  }

  /** Lists that are pulled into tables; undefined where nothing is distributed. */
  get feeds(): Feeds | undefined {
    return this.#feeds;
  }

  /** Members may be there that were not told of, or what is protected has changed. */
  resync(): void {
    this.#conversions.resync();
    this.#feeds?.resync();
  }

  /** Told of members of a set; undefined where nobody asks. */
  watcher(set: string): ReturnType<Conversions['watcher']> {
    return this.#conversions.watcher(set);
  }

  /** Flow rules that are announced, what sets have come to as such, and those of them that are in force here. */
  flows(): {
    readonly announced: readonly OwnFlowSummary[];
    readonly fromSets: readonly SetConversionSummary[];
    readonly enforced: readonly ActiveFlow[];
  } {
    const { announced, conversions } = this.#conversions.fromSets();
    return { announced: [...this.ownFlows.list(), ...announced], fromSets: conversions, enforced: this.sources.ofSets };
  }

  /** Flow rules of our own that are announced, and members of sets that are in force as rules. */
  counts(): { readonly announced: number; readonly ofSets: number } {
    return { announced: this.ownFlows.list().length, ofSets: this.sources.ofSets.length };
  }

  blackholes(): BlackholesAnswer {
    const { routes, counts } = this.#conversions.fromFlows();
    return {
      format_version: FORMAT_VERSION,
      announced: this.ownBlackholes.list(),
      from_flows: routes,
      ...(counts ? { from_flows_counts: counts } : {}),
    };
  }

  /** Clients that were there before the start are called where they do not come. */
  recall(call: (address: Ip, source: Ip | undefined) => void): void {
    this.#clients.begin(call);
  }

  async close(): Promise<void> {
    this.#clients.close();
    this.clients.close();
    this.ownFlows.close();
    this.ownBlackholes.close();
    await this.#feeds?.close();
    await this.#contributions?.close();
    await this.#networks?.close();
  }
}
