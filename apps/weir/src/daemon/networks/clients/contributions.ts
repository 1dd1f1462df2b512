import { family as familyOf, prefixAt, type UpdateMessage } from '@weir/bgp/codec';
import { type Prefix, printPrefix } from '@weir/wire/inet';
import type { Config } from '../../../model/config.ts';
import type { ClientSession, ContributionRefusal, ContributionRefusals } from '../../../model/contribution.ts';
import type { NetworkChange } from '../../../model/network.ts';
import { type ClientListener, type ClientSessions, clientOfSession } from '../../../sources/bgp/index.ts';
import { ContributionGuard, type GuardedRule, type StateClock, TokenBucket } from '../../../state/index.ts';
import type { Networks } from '../networks.ts';
import { decideContributions, isDue, notesOf, sourceOf, type Wanted } from './contribution-changes.ts';
import { ContributionRoom } from './contribution-room.ts';

/** Milliseconds from the first announcement to the change, between two changes, and until one is tried again that could not be written. */
const GATHER = 50;
const PACE = 500;
const RETRY = 5000;
/** Prefixes of one change. */
const MOST_TOGETHER = 20_000;
/** Seconds in which a session may have everything that it may contribute turned over once more; it may twice at once. */
const TURNOVER = 600;
/** A client is asked for its routes again after this part of the lifetime, and after milliseconds. */
const ASK_AFTER = 1 / 3;
const SOONEST_ASK = 3000;
const NONE: readonly GuardedRule[] = [];

export interface ContributionsOptions {
  readonly networks: Pick<Networks, 'tables' | 'change'>;
  readonly config: () => Config;
  readonly clock: StateClock;
  readonly clients: Pick<ClientSessions, 'refresh' | 'refused' | 'sessions'>;
  readonly onError: (error: Error) => void;
}

/** What is wanted, and which tables a prefix comes into and goes out of by it. */
interface Pending extends Wanted {
  readonly gains: readonly string[];
  readonly losses: readonly string[];
}

interface Side {
  session: ClientSession;
  readonly pending: Map<string, Pending>;
  /** What is being written. */
  flying: ReadonlyMap<string, Pending>;
  readonly bucket: TokenBucket;
  readonly refused: Map<ContributionRefusal, { count: number; last: string | undefined }>;
  asking: { cancel(): void } | undefined;
  /** Something was refused for want of room since it was asked. */
  lacking: boolean;
  /** The client is not known any more. */
  forgotten: boolean;
}

/**
 * What clients put into tables by announcing it. Nothing is kept of what is refused; what waits to be written is at most what a client may have once and what it has. What sessions say is gathered
 * into few changes, and what only comes and goes between two of them changes nothing.
 */
export class Contributions implements ClientListener {
  readonly #options: ContributionsOptions;
  readonly #room: ContributionRoom;
  readonly #sides = new Map<string, Side>();
  /** Those that want something, the longest served last. */
  readonly #active = new Set<Side>();
  readonly #guards = new Map<string, ContributionGuard>();
  readonly #totals = new Map<string, Map<ContributionRefusal, number>>();
  #timer: { cancel(): void } | undefined;
  #writing: Promise<void> | undefined;
  #rules = '';
  #closed = false;

  constructor(options: ContributionsOptions) {
    this.#options = options;
    const { networks, config, clock } = options;
    this.#room = new ContributionRoom({ tables: networks.tables, clients: () => config().distribute?.clients ?? [], clock });
  }

  /** The configuration is another, or the first: what clients may not contribute any more is taken out, and they are asked for what they now may. */
  configured(): void {
    const { config, networks, clients } = this.#options;
    const { distribute, protected: shields, bgp } = config();
    const rules = JSON.stringify([
      distribute?.tables,
      distribute?.clients.map(({ name, contribute }) => [name, contribute]),
      shields,
      bgp.as,
    ]);
    if (rules === this.#rules) return;
    this.#rules = rules;
    this.#guards.clear();
    for (const { session, bucket } of this.#sides.values()) bucket.change(this.#turnover(session.client), this.#options.clock.now());
    for (const session of clients.sessions()) {
      this.#ask(session);
      if (session.established && this.#guardOf(session.client)?.allows) clients.refresh(session);
    }
    if (!this.#room.holdsAny) return;
    networks
      .change(() => this.#disallowed(), { by: 'what clients may contribute is another' })
      .catch((error: unknown) => this.#failed(error));
    this.#room.forget();
  }

  established(session: ClientSession): void {
    this.#side(session);
    this.#ask(session);
  }

  down(session: ClientSession): void {
    this.#sides.get(session.name)?.asking?.cancel();
  }

  forgotten({ name }: ClientSession): void {
    const side = this.#sides.get(name);
    if (!side) return;
    side.asking?.cancel();
    side.forgotten = true;
    // What it still wants is written first.
    if (side.pending.size === 0 && side.flying.size === 0) this.#sides.delete(name);
  }

  heard(session: ClientSession, { withdraw, announce, attributes }: UpdateMessage): void {
    const side = this.#side(session);
    const has = side.pending.size > 0 || side.flying.size > 0 || this.#room.holds(session.name);
    if (has) for (const run of withdraw) for (let i = 0; i < run.count; i++) this.#want(side, prefixAt(run, i), []);
    if (announce.length === 0) return;
    const guard = this.#guardOf(session.client);
    const { rules, refused } = guard?.route(attributes, session.as) ?? { rules: [], refused: ['not-allowed' as const] };
    for (const { run } of announce) {
      for (const reason of refused) this.#refuse(side, reason, run.count, run.count > 0 ? prefixAt(run, 0) : undefined);
      // An announcement takes the place of the one before, whatever becomes of it.
      if (rules.length === 0 && !has) continue;
      const { address, stride } = familyOf(run.family);
      const reasons = new Map<ContributionRefusal, { count: number; readonly first: number }>();
      for (let i = 0; i < run.count; i++) {
        let taken: GuardedRule[] | undefined;
        for (const rule of rules) {
          const reason = guard?.refuses(rule, address, run.words, i * stride, run.lengths[i] ?? 0);
          if (reason === undefined) {
            taken ??= [];
            taken.push(rule);
            continue;
          }
          const one = reasons.get(reason);
          if (one) one.count++;
          else reasons.set(reason, { count: 1, first: i });
        }
        if (taken || has) this.#want(side, prefixAt(run, i), taken ?? NONE);
      }
      for (const [reason, { count, first }] of reasons) this.#refuse(side, reason, count, prefixAt(run, first));
    }
  }

  /** What was refused of a session. */
  refusals(session: string): ContributionRefusals {
    return this.#sides.get(session)?.refused ?? new Map();
  }

  /** What was refused of all sessions of a client since the start. */
  totals(client: string): ReadonlyMap<ContributionRefusal, number> {
    return this.#totals.get(client) ?? new Map();
  }

  /** Prefixes that wait to be written. */
  get waiting(): number {
    return [...this.#sides.values()].reduce((sum, { pending, flying }) => sum + pending.size + flying.size, 0);
  }

  /** Writes what waits. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const { asking } of this.#sides.values()) asking?.cancel();
    await this.#writing;
    if (this.waiting > 0) await this.#write(true);
  }

  #side(session: ClientSession): Side {
    const known = this.#sides.get(session.name);
    if (known) {
      known.session = session;
      known.forgotten = false;
      return known;
    }
    const side: Side = {
      session,
      pending: new Map(),
      flying: new Map(),
      bucket: new TokenBucket(this.#turnover(session.client), this.#options.clock.now()),
      refused: new Map(),
      asking: undefined,
      lacking: false,
      forgotten: false,
    };
    this.#sides.set(session.name, side);
    return side;
  }

  #guardOf(client: string): ContributionGuard | undefined {
    const known = this.#guards.get(client);
    if (known) return known;
    const config = this.#options.config();
    const found = config.distribute?.clients.find(({ name }) => name === client);
    if (!found) return undefined;
    const guard = new ContributionGuard(config, found);
    this.#guards.set(client, guard);
    return guard;
  }

  #turnover(client: string): { readonly rate: number; readonly burst: number } {
    const most = [...(this.#guardOf(client)?.rules ?? [])].reduce((sum, { maxPrefixes }) => sum + maxPrefixes, 0);
    return { rate: Math.max(1, most / TURNOVER), burst: 2 * most };
  }

  /** Asks a client again and again for what it announces, so that what it still has does not end. */
  #ask(session: ClientSession): void {
    const side = this.#side(session);
    side.asking?.cancel();
    side.asking = undefined;
    const lifetimes = [...(this.#guardOf(session.client)?.rules ?? [])].map(({ lifetime }) => lifetime);
    if (!session.established || lifetimes.length === 0 || this.#closed) return;
    side.asking = this.#options.clock.setTimer(Math.max(SOONEST_ASK, Math.min(...lifetimes) * ASK_AFTER), () => {
      if (side.lacking || this.#room.holds(session.name)) this.#options.clients.refresh(session);
      side.lacking = false;
      this.#ask(session);
    });
  }

  #refuse(side: Side, reason: ContributionRefusal, count: number, prefix: Prefix | undefined): void {
    if (count === 0) return;
    const one = side.refused.get(reason) ?? { count: 0, last: undefined };
    one.count += count;
    if (prefix) one.last = printPrefix(prefix);
    side.refused.set(reason, one);
    const { client } = side.session;
    const totals = this.#totals.get(client) ?? new Map<ContributionRefusal, number>();
    this.#totals.set(client, totals.set(reason, (totals.get(reason) ?? 0) + count));
    if (reason === 'too-many' || reason === 'table-full') side.lacking = true;
    this.#options.clients.refused(side.session, count);
  }

  /** A session announces a prefix for these tables, or for none any more. */
  #want(side: Side, prefix: Prefix, rules: readonly GuardedRule[]): void {
    const key = printPrefix(prefix);
    const { pending, session } = side;
    const before = pending.get(key);
    const notes = notesOf(this.#options.networks.tables, session.name, prefix);
    const flies = side.flying.has(key);
    const now = this.#options.clock.now();
    const taken = rules.filter((rule) => {
      if (notes.has(rule.table) || before?.gains.includes(rule.table) || this.#room.has(session.client, rule)) return true;
      this.#refuse(side, 'too-many', 1, prefix);
      return false;
    });
    if (before && pending.delete(key)) this.#room.weigh(session.client, before.gains, before.losses, -1);
    const isThere = (rule: GuardedRule): boolean => {
      const note = notes.get(rule.table);
      return note !== undefined && !isDue(note, rule, now);
    };
    if (!flies && taken.length === notes.size && taken.every(isThere)) return;
    const tables = taken.map(({ table }) => table);
    const gains = tables.filter((table) => !notes.has(table));
    const losses = [...notes.keys()].filter((table) => !tables.includes(table));
    pending.set(key, { prefix, tables, gains, losses });
    this.#room.weigh(session.client, gains, losses, 1);
    this.#active.add(side);
    this.#schedule(GATHER);
  }

  #schedule(ms: number): void {
    if (this.#timer || this.#writing || this.#closed) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#timer = undefined;
      void this.#write(false);
    });
  }

  /** Writes what waits as one change, as far as sessions have not had more than their share; all of it in the end. */
  #write(all: boolean): Promise<void> {
    const now = this.#options.clock.now();
    const batch: Side[] = [];
    let room = all ? Number.POSITIVE_INFINITY : MOST_TOGETHER;
    let next = Number.POSITIVE_INFINITY;
    for (const side of [...this.#active]) {
      const flying = new Map<string, Pending>();
      for (const [key, one] of side.pending) {
        if (room === 0) break;
        // What is only announced again does so seldom enough.
        const changes = one.gains.length > 0 || one.losses.length > 0;
        if (changes && !all && !side.bucket.take(now)) continue;
        room--;
        side.pending.delete(key);
        flying.set(key, one);
      }
      side.flying = flying;
      if (flying.size > 0) batch.push(side);
      this.#active.delete(side);
      if (side.pending.size === 0) continue;
      this.#active.add(side);
      const { rate } = this.#turnover(side.session.client);
      next = Math.min(next, room === 0 ? now : side.bucket.readyAt(Math.min(side.pending.size, Math.ceil(rate)), now));
    }
    if (batch.length === 0) {
      if (next < Number.POSITIVE_INFINITY) this.#schedule(Math.max(PACE, next - now));
      return Promise.resolve();
    }
    this.#writing = this.#change(batch).then((pause) => {
      this.#writing = undefined;
      this.#room.forget();
      if (this.#active.size > 0) this.#schedule(Math.max(pause, PACE));
    });
    return this.#writing;
  }

  /** @returns milliseconds until the next change at least */
  async #change(batch: readonly Side[]): Promise<number> {
    const { networks, clock } = this.#options;
    const clients = new Set(batch.map(({ session }) => session.client));
    try {
      await networks.change(
        () => {
          this.#room.forget();
          const count = this.#room.count();
          const wants = batch.map(({ session, flying }) => ({
            session: session.name,
            by: session.as === 0 ? '' : `AS ${session.as}`,
            guard: this.#guardOf(session.client),
            wanted: [...flying.values()],
          }));
          const countOf = (name: string, table: string): { count: number } => count(this.#sides.get(name)?.session.client ?? '', table);
          const { changes, refused } = decideContributions(networks.tables, wants, countOf, Math.round(clock.now()));
          for (const { session, prefix, reason } of refused) {
            const side = this.#sides.get(session);
            if (side) this.#refuse(side, reason, 1, prefix);
          }
          return changes;
        },
        {
          by: [...clients]
            .map((name) => `client ${name}`)
            .join(', ')
            .slice(0, 200),
        },
      );
      for (const side of batch) this.#landed(side, false);
      return PACE;
    } catch (error) {
      for (const side of batch) this.#landed(side, true);
      this.#failed(error);
      return RETRY;
    }
  }

  /** What was being written is there, or still waits where nothing else is wanted meanwhile. */
  #landed(side: Side, failed: boolean): void {
    const { flying, pending, session } = side;
    side.flying = new Map();
    for (const [key, one] of flying) {
      if (failed && !pending.has(key)) pending.set(key, one);
      else this.#room.weigh(session.client, one.gains, one.losses, -1);
    }
    if (pending.size > 0) this.#active.add(side);
    else if (side.forgotten) this.#sides.delete(session.name);
  }

  #failed(error: unknown): void {
    this.#options.onError(new Error(`contributions of clients: ${error instanceof Error ? error.message : String(error)}`));
  }

  /** What takes out of tables what clients may not put there any more. */
  #disallowed(): readonly NetworkChange[] {
    const { networks, config } = this.#options;
    const clients = config().distribute?.clients ?? [];
    const out = new Map<string, NetworkChange & { readonly kind: 'unset'; readonly prefixes: Prefix[] }>();
    for (const { prefix, memberships } of networks.tables.all()) {
      for (const { table, note } of memberships) {
        if (note.source.kind !== 'client') continue;
        const { name } = note.source;
        const client = clientOfSession(clients, name);
        const guard = client && this.#guardOf(client.name);
        const rule = guard?.rule(table);
        if (guard && rule && guard.refusesPrefix(rule, prefix) === undefined) continue;
        const key = `${table} ${name}`;
        const one = out.get(key) ?? { kind: 'unset', table, source: sourceOf(name), prefixes: [] };
        out.set(key, one);
        one.prefixes.push(prefix);
      }
    }
    return [...out.values()];
  }
}
