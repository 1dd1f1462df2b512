import { printFlow, printFlowAction } from '@weir/bgp/flowspec';
import { bitsOf, type Ip, makePrefix, overlaps, type Prefix } from '@weir/wire/inet';
import type { ConvertedSummary, FlowConversionSummary, OwnFlowSummary, SetConversionSummary } from '../api/index.ts';
import type { BlackholeAnnounce } from '../model/blackhole.ts';
import type { Config } from '../model/config.ts';
import type { ActiveFlow, FlowConfig } from '../model/flow.ts';
import type { OwnAnnouncer, OwnPrefix } from '../sources/bgp/index.ts';
import { type ConvertedFlow, type FlowBlackhole, FlowConversion, type RouteState, SetConversion, type StateClock } from '../state/index.ts';
import type { FlowSources, HeardChange } from './flow-sources.ts';
import { ownPrefix, summarizePrefix } from './own-blackholes.ts';
import type { OwnFlows } from './own-flows.ts';
import { iso } from './summaries.ts';

/** Announced of what is announced by hand first. */
const AFTER_BY_HAND = 1;
/** Rules and routes of one conversion in an answer. */
const MOST_LISTED = 1000;

export interface ConversionsOptions {
  readonly clock: StateClock;
  readonly config: () => Config;
  readonly state: Pick<RouteState, 'prefixesOf'>;
  readonly announcer: OwnAnnouncer;
  readonly sources: () => FlowSources;
  readonly ownFlows: () => OwnFlows;
  readonly hostAddresses: () => readonly Ip[];
  readonly unenforceable: (flow: ActiveFlow, config: FlowConfig) => string | undefined;
}

interface FromSet {
  readonly conversion: SetConversion;
  /** What it was made of. */
  readonly made: string;
}

/** Members of sets as flow rules, and flow rules as blackhole routes: kept in step, announced, in force. */
export class Conversions {
  readonly #options: ConversionsOptions;
  #fromSets: readonly FromSet[] = [];
  #fromFlows: { readonly conversion: FlowConversion; readonly announce: BlackholeAnnounce; readonly made: string } | undefined;
  #protected: readonly Prefix[] = [];
  #nextRank = AFTER_BY_HAND;

  constructor(options: ConversionsOptions) {
    this.#options = options;
  }

  /** Takes the configuration as it is now, and what there is. Those of which nothing differs go on. */
  configured(): void {
    const { flowspec, blackholes } = this.#options.config();
    this.#shield();
    const left = new Set(this.#fromSets);
    this.#fromSets = (flowspec?.fromSets ?? []).map((definition) => {
      const made = JSON.stringify([definition, flowspec?.at], withoutSpan);
      const same = [...left].find((one) => one.made === made);
      if (same) left.delete(same);
      return same ?? { made, conversion: this.#convertSet(definition) };
    });
    for (const { conversion } of left) conversion.close();
    const made = JSON.stringify([blackholes?.fromFlows, blackholes?.announce], withoutSpan);
    if (this.#fromFlows && this.#fromFlows.made !== made) {
      this.#fromFlows.conversion.close();
      this.#fromFlows = undefined;
    }
    if (blackholes?.fromFlows && !this.#fromFlows)
      this.#fromFlows = { made, announce: blackholes.announce, conversion: this.#convertFlows(blackholes.fromFlows, blackholes.announce) };
    this.resync();
  }

  /** Looks at all members and rules: more of them may be there, or be protected, than was told. */
  resync(): void {
    this.#shield();
    for (const { conversion } of this.#fromSets) conversion.all(this.#options.state.prefixesOf(conversion.definition.set));
    this.flowsChanged();
  }

  /** Looks at all flow rules. */
  flowsChanged(): void {
    this.#fromFlows?.conversion.all(this.#flows());
  }

  /** Told of members of a set that come and go; undefined where nobody asks for it. */
  watcher(set: string): ((prefix: Prefix, present: boolean) => void) | undefined {
    const asked = this.#fromSets.filter(({ conversion }) => conversion.definition.set === set);
    if (asked.length === 0) return undefined;
    return (prefix, present) => {
      for (const { conversion } of asked) conversion.member(prefix, present);
    };
  }

  /** Told of flow rules of peers. */
  heard(change: HeardChange): void {
    if (!this.#fromFlows) return;
    if (change.reset) {
      this.flowsChanged();
      return;
    }
    for (const flow of change.gone) this.#fromFlows.conversion.flow(heardFlow(flow), false);
    for (const flow of change.put) this.#fromFlows.conversion.flow(heardFlow(flow), true);
  }

  /** The rules of sets that are announced, and what each entry of `flowspec.from_sets` has come to. */
  fromSets(): { readonly announced: readonly OwnFlowSummary[]; readonly conversions: readonly SetConversionSummary[] } {
    const { announcer } = this.#options;
    const conversions = this.#fromSets.map(({ conversion }): SetConversionSummary => {
      const { set, as, enforce, peers } = conversion.definition;
      return { set, as, enforce, peers, ...conversion.counts() };
    });
    const announced = this.#fromSets.flatMap(({ conversion }) => {
      const { peers, actions, set } = conversion.definition;
      if (peers.length === 0) return [];
      return conversion
        .list()
        .slice(0, MOST_LISTED)
        .map(({ rule, provenance }): OwnFlowSummary => {
          const told = announcer.flows.toldTo(rule.key).filter((peer) => peers.includes(peer));
          const since = iso(provenance.kind === 'flow' ? provenance.since : 0);
          return { flow: printFlow(rule), actions: actions.map(printFlowAction), peers, told, since, by: `set ${set}` };
        });
    });
    return { announced, conversions };
  }

  /** The blackhole routes of flow rules. */
  fromFlows(): { readonly routes: readonly ConvertedSummary[]; readonly counts: FlowConversionSummary | undefined } {
    const found = this.#fromFlows;
    if (!found) return { routes: [], counts: undefined };
    const { conversion, announce } = found;
    const routes = conversion
      .list()
      .slice(0, MOST_LISTED)
      .map((route): ConvertedSummary => {
        const own = routeOf(route, announce);
        const because = route.because.map(({ rule, peer }) => `${printFlow(rule)} of ${peer ?? 'our own'}`);
        return { ...summarizePrefix(own), peers: own.peers, told: this.#options.announcer.toldTo(own), because };
      });
    return { routes, counts: conversion.counts() };
  }

  #convertSet(definition: NonNullable<FlowConfig['fromSets']>[number]): SetConversion {
    const { clock, announcer, sources, state, unenforceable, config } = this.#options;
    const { set, actions, peers, enforce } = definition;
    const rank = this.#nextRank++;
    const conversion: SetConversion = new SetConversion({
      definition,
      clock,
      isProtected: (prefix) => this.#isProtected(prefix),
      unenforceable: (flow) => {
        const { flowspec } = config();
        return flowspec && unenforceable(flow, flowspec);
      },
      changed: (key, flow) => {
        if (enforce) sources().own(rank, key, flow);
        if (peers.length === 0) return;
        if (flow) announcer.flows.announce({ rule: flow.rule, actions, peers }, rank);
        else announcer.flows.withdraw(key, rank);
      },
      again: () => conversion.all(state.prefixesOf(set)),
    });
    return conversion;
  }

  #convertFlows(definition: NonNullable<NonNullable<Config['blackholes']>['fromFlows']>, announce: BlackholeAnnounce): FlowConversion {
    const { clock, announcer } = this.#options;
    const conversion: FlowConversion = new FlowConversion({
      definition,
      announce,
      clock,
      isProtected: (prefix) => this.#isProtected(prefix),
      changed: (prefix, route) => {
        if (route) announcer.announce(routeOf(route, announce), AFTER_BY_HAND);
        else announcer.withdraw(prefix, AFTER_BY_HAND);
      },
      again: () => conversion.all(this.#flows()),
    });
    return conversion;
  }

  *#flows(): Generator<ConvertedFlow> {
    const { sources, ownFlows } = this.#options;
    for (const flow of sources().ofPeers) yield heardFlow(flow);
    for (const [rule, treatment] of ownFlows().treatments()) yield { rule, treatment, peer: undefined };
  }

  /** Whether it shares an address with what is protected, this host or a peer. */
  isProtected(prefix: Prefix): boolean {
    this.#shield();
    return this.#isProtected(prefix);
  }

  #isProtected(prefix: Prefix): boolean {
    return this.#protected.some((other) => overlaps(other, prefix));
  }

  #shield(): void {
    const config = this.#options.config();
    const hosts = [...this.#options.hostAddresses(), ...config.bgp.peers.map(({ address }) => address)];
    this.#protected = [...config.protected, ...(config.flowspec?.protected ?? []), ...hosts.map((ip) => makePrefix(ip, bitsOf(ip.family)))];
  }
}

function heardFlow({ rule, treatment, provenance }: ActiveFlow): ConvertedFlow {
  return { rule, treatment, peer: provenance.kind === 'flow' ? provenance.peer : '' };
}

function routeOf({ prefix, peers }: FlowBlackhole, announce: BlackholeAnnounce): OwnPrefix {
  return ownPrefix(prefix, announce.communities, announce.nextHop[prefix.family], peers);
}

function withoutSpan(key: string, value: unknown): unknown {
  return key === 'span' ? undefined : typeof value === 'bigint' ? String(value) : value;
}
