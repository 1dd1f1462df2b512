import { equalIp, printIp } from '@weir/wire/inet';
import { type Hop, isNotPermitted, type PolicyRouting } from '../../kernel/routes/index.ts';
import type { ActiveFlow, FlowConfig, FlowHop, NextHopState } from '../../model/flow.ts';
import type { KernelEvent, KernelProblem } from '../../model/kernel-port.ts';
import { isDue, nextRetry } from '../backoff.ts';
import { Fights, fightText } from '../fights.ts';
import { Problems } from '../problems.ts';
import type { Retry } from '../slot.ts';
import { type FoundRouting, isNoChange, type RoutingChange, type RoutingGoal, routingChange } from './diff.ts';
import { NO_ROUTING, ruleOf, wantedRouting } from './want.ts';

/** How often the routing is looked at while anything depends on it. */
const LOOK_MS = 500;
/** How often what the system filters is. */
const FILTER_MS = 10_000;
/** Interfaces in a message. */
const MOST_SHOWN = 5;
const SUBJECT = 'policy routing';
const RIGHT = 'CAP_NET_ADMIN in the network namespace is needed';

export interface PolicyRoutesOptions {
  readonly open: () => PolicyRouting;
  readonly emit: (event: KernelEvent) => void;
  /** Milliseconds. */
  readonly now: () => number;
}

/** What the routing says of an address. */
interface Resolved {
  readonly hop: Hop | undefined;
  readonly refused: string | undefined;
  /** Others have routes in the table that is meant for it. */
  readonly taken?: true;
}

type Tables = ReadonlyMap<string, { readonly family: 4 | 6; readonly table: number }>;

/**
 * The rules and routes by which redirected packets are routed: kept as the flow rules in force ask for, told apart from those of others by who made them, and found again after a crash. Nothing that
 * the kernel refuses is thrown: it is a problem, and tried again. Synchronous; lives in the kernel worker.
 */
export class PolicyRoutes {
  readonly #options: PolicyRoutesOptions;
  readonly #problems: Problems;
  readonly #fights = new Fights();
  #routing: PolicyRouting | undefined;
  #config: FlowConfig | undefined;
  #wanted = NO_ROUTING;
  #watched: readonly FlowHop[] = [];
  readonly #resolved = new Map<string, Resolved>();
  /** What main was last told of each address. */
  readonly #told = new Map<string, string | undefined>();
  /** Tables that may have routes of Weir's, by family. */
  #tables: Tables = new Map();
  /** Whether what is wanted was in force when it was last looked at. */
  #settled = false;
  #due = 0;
  #heldUntil = 0;
  #filterDue = 0;
  #retry: Retry | undefined;
  #repairs = 0;
  #started = false;
  /** What the kernel has refused in the present attempt. */
  #refused: Error[] = [];

  constructor(options: PolicyRoutesOptions) {
    this.#options = options;
    this.#problems = new Problems(options.emit);
  }

  get problems(): readonly KernelProblem[] {
    return this.#problems.list();
  }

  /** How often something that others changed was put right. */
  get repairs(): number {
    return this.#repairs;
  }

  /** Milliseconds until `poll` has something to do; undefined while nothing depends on the routing. */
  nextDue(): number | undefined {
    return this.#idle ? undefined : Math.max(0, this.#due - this.#options.now());
  }

  /** Makes what flow rules need that are about to judge. What no other needs any more stays until `settle`. */
  prepare(config: FlowConfig | undefined, flows: readonly ActiveFlow[]): void {
    this.#config = config;
    this.#wanted = wantedRouting(flows, config);
    this.#retry = undefined;
    this.#settled = false;
    // What an earlier process left is looked for once, whatever is wanted now.
    if (this.#idle && this.#started) return;
    this.#attempt((routing) => this.#apply(routing, 'make'));
  }

  /** The flow rules judge: what none of them needs goes. */
  settle(): void {
    if (this.#idle && this.#started && this.#tables.size === 0 && !this.#routing) return;
    this.#attempt((routing) => {
      this.#apply(routing, 'all');
      this.#settled = this.#refused.length === 0;
      this.#started = true;
    });
    if (this.#idle && this.#settled) this.#close();
  }

  /** Takes the addresses that are asked about from now on; each is told of at once, and again when that changes. */
  watch(hops: readonly FlowHop[]): void {
    this.#watched = hops;
    this.#told.clear();
    this.#retry = undefined;
    if (this.#idle) return;
    this.#attempt((routing) => this.#look(routing));
  }

  /** Looks whether the routing has changed, and puts right what others have undone. */
  poll(): void {
    const now = this.#options.now();
    if (this.#fights.settle(now).length > 0) this.#problems.over('drift');
    if (this.#idle || now < this.#due || now < this.#heldUntil || !isDue(this.#retry, now)) return;
    this.#attempt((routing) => this.#look(routing));
  }

  /** `clear` takes out what Weir added. Calling it again does nothing. */
  close({ clear }: { readonly clear: boolean }): void {
    try {
      if (!clear) return;
      this.#routing ??= this.#options.open();
      clearPolicyRoutes(this.#routing, this.#tables.values());
    } finally {
      this.#close();
    }
  }

  get #idle(): boolean {
    return this.#wanted.rules.length + this.#wanted.hops.length + this.#watched.length === 0;
  }

  #close(): void {
    this.#routing?.close();
    this.#routing = undefined;
  }

  #look(routing: PolicyRouting): void {
    const before = new Map(this.#resolved);
    const goal = this.#goal(routing);
    const found = this.#find(routing);
    const change = routingChange(goal, found);
    const same = [...this.#resolved].every(([key, one]) => sameHop(one.hop, before.get(key)?.hop));
    if (!isNoChange(change)) {
      if (this.#settled && same && !this.#mayRepair(change)) return;
      this.#make(routing, change);
      this.#unmake(routing, change);
      this.#settled = this.#refused.length === 0;
    }
    this.#noteConflicts(found);
    this.#noteFilters(routing);
    this.#tell();
  }

  #apply(routing: PolicyRouting, what: 'make' | 'all'): void {
    const goal = this.#goal(routing);
    const found = this.#find(routing);
    const change = routingChange(goal, found);
    this.#make(routing, change);
    if (what === 'all') this.#unmake(routing, change);
    this.#noteConflicts(found);
    this.#noteFilters(routing);
    this.#tell();
  }

  /** Others have undone something: whether it is put right now. */
  #mayRepair(change: RoutingChange): boolean {
    const until = this.#fights.struck(SUBJECT, this.#options.now());
    if (until !== undefined) {
      this.#heldUntil = until;
      const message = fightText('rules or routes of the routing policy', undefined);
      this.#problems.raise('drift', { kind: 'drift', subject: SUBJECT, message, remedy: undefined });
      return false;
    }
    this.#repairs++;
    this.#options.emit({ kind: 'drift', set: SUBJECT, detail: describeChange(change), repaired: true });
    return true;
  }

  #goal(routing: PolicyRouting): RoutingGoal {
    const priority = this.#config?.routing.priority ?? 0;
    const hops = new Map([...this.#watched, ...this.#wanted.hops].map((hop) => [keyOf(hop), hop]));
    this.#resolved.clear();
    for (const [key, hop] of hops) this.#resolved.set(key, resolve(routing, hop));
    const routes = this.#wanted.hops.flatMap((hop) => {
      const resolved = this.#resolved.get(keyOf(hop))?.hop;
      return resolved ? [{ ...resolved, family: hop.address.family, table: hop.path.table }] : [];
    });
    const tables = new Set(routes.map(({ family, table }) => `${family} ${table}`));
    const rules = this.#wanted.hops.map((hop) => ruleOf(hop, priority)).filter(({ family, table }) => tables.has(`${family} ${table}`));
    return { rules: [...this.#wanted.rules, ...rules], routes };
  }

  #find(routing: PolicyRouting): FoundRouting {
    const { own, foreign } = routing.rules();
    const named = new Set(this.#config?.redirects.map(({ table }) => table));
    const tables = new Map(this.#tables);
    const add = (family: 4 | 6, table: number): void => void tables.set(`${family} ${table}`, { family, table });
    for (const { address, path } of this.#wanted.hops) add(address.family, path.table);
    // Those that a process before this one may have filled: by its rules, and where it died before it made them.
    for (const { family, table } of own) if (!named.has(table)) add(family, table);
    if (!this.#started && this.#config) for (const { family, table } of poolTables(this.#config)) add(family, table);
    const routes = [...tables.values()].flatMap(({ family, table }) => routing.routes(family, table).own);
    this.#tables = new Map(routes.map(({ family, table }) => [`${family} ${table}`, { family, table }]));
    return { rules: own, routes, foreign };
  }

  #make(routing: PolicyRouting, { putRoutes, addRules }: RoutingChange): void {
    const failed = new Set<string>();
    for (const route of putRoutes) {
      const { family, table } = route;
      if (this.#try(() => routing.putRoute(route))) this.#tables = new Map(this.#tables).set(`${family} ${table}`, { family, table });
      else failed.add(`${family} ${table}`);
    }
    for (const rule of addRules) if (!failed.has(`${rule.family} ${rule.table}`)) this.#try(() => routing.addRule(rule));
  }

  #unmake(routing: PolicyRouting, { deleteRules, deleteRoutes }: RoutingChange): void {
    for (const rule of deleteRules) this.#try(() => routing.deleteRule(rule));
    for (const route of deleteRoutes) this.#try(() => routing.deleteRoute(route));
  }

  /** One refusal does not keep the rest from being done; the problem is over when a whole attempt meets none. */
  #try(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      this.#refused.push(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  #attempt(action: (routing: PolicyRouting) => void): void {
    const now = this.#options.now();
    this.#due = now + LOOK_MS;
    this.#refused = [];
    try {
      this.#routing ??= this.#options.open();
      action(this.#routing);
    } catch (error) {
      this.#refused.push(error instanceof Error ? error : new Error(String(error)));
      this.#close();
    }
    const [first] = this.#refused;
    if (!first) {
      this.#retry = undefined;
      this.#problems.over('kernel');
      return;
    }
    this.#retry = nextRetry(this.#retry, now);
    const denied = isNotPermitted(first);
    const message = `redirected packets are not routed as they should be: ${first.message}${denied ? `; ${RIGHT}` : ''}`;
    this.#problems.raise('kernel', { kind: denied ? 'not-permitted' : 'refused', subject: SUBJECT, message, remedy: undefined });
  }

  #noteConflicts({ foreign }: FoundRouting): void {
    const priority = this.#config?.routing.priority;
    const others = this.#wanted.rules.length + this.#wanted.hops.length > 0 ? foreign.filter((rule) => rule.priority === priority) : [];
    if (others.length > 0) {
      const message = `rules of others have the priority ${priority} as well, and go before those that came later: choose another one for flowspec.routing`;
      this.#problems.raise('priority', { kind: 'conflict', subject: SUBJECT, message, remedy: undefined });
    } else this.#problems.over('priority');
    const table = [...this.#resolved.values()].find(({ taken }) => taken);
    if (!table) this.#problems.over('table');
    else {
      const message = `${table.refused}: choose another flowspec.routing.first_table`;
      this.#problems.raise('table', { kind: 'conflict', subject: SUBJECT, message, remedy: undefined });
    }
  }

  /** What the system drops although it is redirected. */
  #noteFilters(routing: PolicyRouting): void {
    const now = this.#options.now();
    if (now < this.#filterDue) return;
    const asks = [...this.#wanted.rules, ...this.#wanted.hops.map(({ address }) => address)].some(({ family }) => family === 4);
    if (asks) this.#filterDue = now + FILTER_MS;
    const interfaces = asks ? routing.filtering() : [];
    if (interfaces.length === 0) {
      this.#problems.over('filter');
      return;
    }
    const shown = interfaces.length > MOST_SHOWN ? `${interfaces.slice(0, MOST_SHOWN).join(', ')} and others` : interfaces.join(', ');
    const message = `redirected IPv4 packets that come in by ${shown} are dropped: rp_filter is 1 there and src_valid_mark looks the way back up with their mark: set one of them otherwise`;
    this.#problems.raise('filter', { kind: 'conflict', subject: SUBJECT, message, remedy: undefined });
  }

  #tell(): void {
    const hops: NextHopState[] = [];
    for (const hop of this.#watched) {
      const key = keyOf(hop);
      const refused = this.#resolved.get(key)?.refused;
      if (this.#told.has(key) && this.#told.get(key) === refused) continue;
      this.#told.set(key, refused);
      hops.push({ address: hop.address, refused });
    }
    if (hops.length > 0) this.#options.emit({ kind: 'next-hops', hops });
  }
}

/** Takes out of a namespace every rule and route that Weir added there; `tables` may have routes without a rule. Gives how many there were. */
export function clearPolicyRoutes(routing: PolicyRouting, tables: Iterable<{ readonly family: 4 | 6; readonly table: number }>): number {
  const { own } = routing.rules();
  const all = new Map([...own, ...tables].map(({ family, table }) => [`${family} ${table}`, { family, table }]));
  for (const rule of own) routing.deleteRule(rule);
  const routes = [...all.values()].flatMap(({ family, table }) => routing.routes(family, table).own);
  for (const route of routes) routing.deleteRoute(route);
  return own.length + routes.length;
}

/** Every table that redirects to addresses may use. */
export function poolTables({ routing }: Pick<FlowConfig, 'routing'>): readonly { readonly family: 4 | 6; readonly table: number }[] {
  return Array.from({ length: routing.most }, (_, i) => i + routing.firstTable).flatMap((table) =>
    ([4, 6] as const).map((family) => ({ family, table })),
  );
}

function resolve(routing: PolicyRouting, { address, path }: FlowHop): Resolved {
  const found = routing.resolve(address);
  if (typeof found === 'string') return { hop: undefined, refused: found };
  if (routing.routes(address.family, path.table).foreign > 0)
    return {
      hop: undefined,
      refused: `the table ${path.table}, meant for packets to ${printIp(address)}, has routes of others`,
      taken: true,
    };
  return { hop: found, refused: undefined };
}

function sameHop(one: Hop | undefined, other: Hop | undefined): boolean {
  if (!one || !other) return one === other;
  return equalIp(one.gateway, other.gateway) && one.interface === other.interface;
}

function keyOf({ address, path }: FlowHop): string {
  return `${printIp(address)} ${path.mark} ${path.table}`;
}

function describeChange({ putRoutes, addRules, deleteRules, deleteRoutes }: RoutingChange): string {
  const gone = [
    ...addRules.map(({ mark }) => `the rule for mark 0x${mark.toString(16)}`),
    ...putRoutes.map(({ table }) => `the route of table ${table}`),
  ];
  const more = [
    ...deleteRules.map(({ mark = 0 }) => `a rule for mark 0x${mark.toString(16)}`),
    ...deleteRoutes.map(({ table }) => `a route of table ${table}`),
  ];
  const parts = [gone.length > 0 ? `${gone.join(', ')} was gone or another` : '', more.length > 0 ? `${more.join(', ')} was too much` : ''];
  return parts.filter((part) => part !== '').join('; ');
}
