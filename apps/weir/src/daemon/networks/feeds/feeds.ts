import { type Ip, type Prefix, printPrefix } from '@weir/wire/inet';
import { ApiError, type Caller, type FeedSummary } from '../../../api/index.ts';
import type { Config } from '../../../model/config.ts';
import type { EventSink } from '../../../model/event.ts';
import { FeedError } from '../../../model/feed.ts';
import type { NetworkChange } from '../../../model/network.ts';
import { pullFeed, Slices } from '../../../sources/feeds/index.ts';
import type { StateClock } from '../../../state/index.ts';
import type { Networks } from '../networks.ts';
import { summarizeFeed } from './answer-feeds.ts';
import type { FeedEntry, Timer } from './feed-entry.ts';
import { emptyMemory, type FeedMemory, memoryKey, readMemories, writeMemories } from './feed-memory.ts';
import { FeedShield } from './feed-shield.ts';
import { findGone } from './feed-sweep.ts';
import { describeLeftOut, takeList } from './feed-take.ts';
import { delayAfter } from './feed-times.ts';

/** Lists that are got at a time. */
const MOST_AT_ONCE = 2;
/** Why a feed's networks are taken out. */
const EXPIRED = 'no list was taken for as long as they are kept (keep)';
/** After which a sweep that failed is tried again. */
const RETRY_MS = 60_000;

export interface FeedsOptions {
  readonly networks: Networks;
  readonly clock: StateClock;
  readonly config: () => Config;
  readonly hostAddresses: () => readonly Ip[];
  readonly stateDirectory: string;
  readonly events: EventSink;
  readonly onError: (error: Error) => void;
}

/** Lists that are pulled into tables when their time comes; what a list had stays until another one is taken, until `keep` is over, or until the feed is not configured any more. */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #entries = new Map<string, FeedEntry>();
  readonly #ends = new AbortController();
  readonly #started: number;
  readonly #memories: Readonly<Record<string, FeedMemory>>;
  #shield: FeedShield;
  /** Sweeps, one after the other; refreshes wait for the first. */
  #sweeping: Promise<void> = Promise.resolve();
  #running = 0;
  readonly #queue: (() => void)[] = [];
  #retry: Timer | undefined;

  constructor(options: FeedsOptions) {
    this.#options = options;
    this.#started = options.clock.now();
    this.#shield = this.#makeShield();
    this.#memories = this.#remember();
    this.configured();
  }

  /** The configuration is another. */
  configured(): void {
    const feeds = this.#options.config().feeds ?? [];
    const names = new Set(feeds.map(({ name }) => name));
    for (const [name, entry] of this.#entries) {
      if (names.has(name)) continue;
      entry.timer?.cancel();
      entry.expiry?.cancel();
      this.#entries.delete(name);
    }
    const changed: { readonly entry: FeedEntry; readonly isNew: boolean }[] = [];
    for (const config of feeds) {
      const entry = this.#entries.get(config.name);
      if (entry && JSON.stringify({ ...entry.config, span: undefined }) === JSON.stringify({ ...config, span: undefined })) continue;
      const kept = entry?.memory ?? this.#memories[config.name];
      const memory = kept?.key === memoryKey(config) ? { ...kept } : emptyMemory(config);
      // The clock was set back, perhaps while we were away.
      if (memory.success !== undefined) memory.success = Math.min(memory.success, this.#now);
      if (entry) {
        // What the bounds are now decides on the same list anew.
        forget(memory);
        entry.config = config;
        entry.memory = memory;
        changed.push({ entry, isNew: false });
      } else {
        const made: FeedEntry = {
          config,
          memory,
          failures: 0,
          next: undefined,
          timer: undefined,
          expiry: undefined,
          sweeps: 0,
          running: undefined,
        };
        this.#entries.set(config.name, made);
        changed.push({ entry: made, isNew: true });
      }
    }
    this.#shield = this.#makeShield();
    this.#sweep();
    for (const { entry, isNew } of changed) {
      const { success } = entry.memory;
      this.#schedule(entry, isNew && success !== undefined ? Math.max(0, success + entry.config.every - this.#now) : 0);
      this.#expire(entry);
    }
  }

  /** What is protected, or this host's addresses, may be others. */
  resync(): void {
    const shield = this.#makeShield();
    if (shield.key === this.#shield.key) return;
    this.#shield = shield;
    // What is not protected any more is in a list that is still the same.
    for (const { memory } of this.#entries.values()) forget(memory);
    this.#sweep();
  }

  list(): readonly FeedSummary[] {
    return [...this.#entries.values()].map(summarizeFeed);
  }

  /** Gets a list now. @throws ApiError where it is not taken */
  async refresh(name: string, force: boolean, by: Caller): Promise<FeedSummary> {
    const entry = this.#entry(name);
    if (entry.running && force) await entry.running;
    if (force) this.#tell(entry, true, `the list is taken whatever its size: ${by}`);
    await this.#run(entry, force);
    const { failure } = entry.memory;
    if (failure) throw new ApiError('failed', `feed ${name}: ${failure.message} (${failure.code}); what it had stays`);
    return summarizeFeed(entry);
  }

  /** Gets a list that was refused, and takes it. @throws ApiError */
  accept(name: string, by: Caller): Promise<FeedSummary> {
    const { failure } = this.#entry(name).memory;
    if (failure === undefined || !['shrink', 'growth', 'loop'].includes(failure.code))
      return Promise.reject(new ApiError('refused', `no list of the feed ${name} waits to be accepted`));
    return this.refresh(name, true, by);
  }

  /** Resolves when nothing is asked for any more. */
  async close(): Promise<void> {
    this.#ends.abort();
    this.#retry?.cancel();
    for (const { timer, expiry } of this.#entries.values()) {
      timer?.cancel();
      expiry?.cancel();
    }
    for (const go of this.#queue.splice(0)) go();
    await Promise.all([...this.#entries.values()].map(({ running }) => running));
    await this.#sweeping;
  }

  #entry(name: string): FeedEntry {
    const entry = this.#entries.get(name);
    if (!entry) {
      const known = [...this.#entries.keys()].join(', ');
      throw new ApiError('not-found', `no feed is named ${name}: ${known === '' ? 'none is configured' : `there are ${known}`}`);
    }
    return entry;
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  #run(entry: FeedEntry, force: boolean): Promise<void> {
    entry.timer?.cancel();
    entry.next = undefined;
    entry.running ??= this.#pull(entry, force).finally(() => {
      entry.running = undefined;
      if (this.#ends.signal.aborted) return;
      this.#write();
      if (entry.next === undefined) this.#schedule(entry, 0);
    });
    return entry.running;
  }

  async #pull(entry: FeedEntry, force: boolean): Promise<void> {
    if (this.#running >= MOST_AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running++;
    try {
      await this.#sweeping;
      if (this.#ends.signal.aborted) return;
      await this.#take(entry, force);
    } catch (error) {
      this.#failed(entry, error);
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  async #take(entry: FeedEntry, force: boolean): Promise<void> {
    const { config, memory, sweeps } = entry;
    const slices = new Slices();
    const { etag, lastModified, failure } = memory;
    const pulled = await pullFeed(config, {
      stateDirectory: this.#options.stateDirectory,
      validators: force || (etag === undefined && lastModified === undefined) ? undefined : { etag, lastModified },
      signal: this.#ends.signal,
      agent: 'weir',
      slices,
    });
    if (entry.config !== config) return;
    let said: string | undefined = failure && 'the list is as it was';
    if (pulled.kind === 'list') {
      const shield = this.#shield;
      const taken = await takeList(config, pulled.list, {
        networks: this.#options.networks,
        shield: this.#isShielded(config.table) ? shield : undefined,
        before: memory.listed ?? (memory.members > 0 ? memory.members : undefined),
        force,
        comesFrom: (table, from) => this.#comesFrom(table, from, new Set()),
        slices,
      });
      if (entry.config !== config || this.#entries.get(config.name) !== entry) {
        this.#sweep();
        return;
      }
      const { added, removed, members, leftOut, examples, copyOf } = taken;
      Object.assign(memory, {
        listed: pulled.list.prefixes.length,
        members,
        entries: pulled.list.entries,
        leftOut,
        examples: [...examples],
        copyOf: [...copyOf],
      });
      memory.etag = pulled.validators?.etag;
      memory.lastModified = pulled.validators?.lastModified;
      const without = describeLeftOut(leftOut);
      if (failure || added + removed > 0)
        said = `${added} added, ${removed} removed: ${members} in the table ${config.table}${without === '' ? '' : `; left out: ${without}`}`;
      if (shield !== this.#shield) {
        forget(memory);
        this.#sweep();
      }
    }
    memory.success = this.#now;
    memory.failure = undefined;
    entry.failures = 0;
    if (said !== undefined) this.#tell(entry, true, said);
    this.#expire(entry);
    // What was taken out meanwhile may be in the list, also where that is as it was.
    const isWhole = entry.sweeps === sweeps;
    if (!isWhole) forget(memory);
    this.#schedule(entry, isWhole ? delayAfter(config.every, 0, undefined, Math.random()) : 0);
  }

  #failed(entry: FeedEntry, error: unknown): void {
    if (this.#ends.signal.aborted) return;
    const known = error instanceof FeedError ? error : new FeedError('state', error instanceof Error ? error.message : String(error));
    entry.failures++;
    const message = known.message.slice(0, 900);
    entry.memory.failure = { at: this.#now, code: known.code, message };
    this.#tell(entry, false, `${message} (${known.code}); ${entry.memory.members} networks stay in the table ${entry.config.table}`);
    // What only a person can decide on does not get better by itself.
    const waits = ['shrink', 'growth', 'loop', 'table'].includes(known.code) ? 0 : entry.failures;
    this.#schedule(entry, delayAfter(entry.config.every, waits, known.retryAfter, Math.random()));
    this.#expire(entry);
  }

  #schedule(entry: FeedEntry, delay: number): void {
    entry.timer?.cancel();
    if (this.#ends.signal.aborted || this.#entries.get(entry.config.name) !== entry) return;
    entry.next = this.#now + delay;
    entry.timer = this.#options.clock.setTimer(delay, () => {
      const left = (entry.next ?? 0) - this.#now;
      if (left > 0) this.#schedule(entry, left);
      else void this.#run(entry, false);
    });
  }

  /** Takes a feed's members out when they are older than they may be. */
  #expire(entry: FeedEntry): void {
    entry.expiry?.cancel();
    const { config, memory } = entry;
    if (config.keep === undefined || memory.members === 0 || this.#ends.signal.aborted) return;
    const left = (memory.success ?? this.#started) + config.keep - this.#now;
    entry.expiry = this.#options.clock.setTimer(left > 0 ? left : 1000, () => {
      if (this.#isOver(entry)) this.#sweep();
      else this.#expire(entry);
    });
  }

  /** Whether its last list is older than it may be. */
  #isOver({ config: { keep }, memory: { success = this.#started } }: FeedEntry): boolean {
    return keep !== undefined && success + keep <= this.#now;
  }

  #isShielded(table: string): boolean {
    return this.#options.config().distribute?.tables.find(({ name }) => name === table)?.allowProtected !== true;
  }

  /** Whether a feed fills a table from a list that another table has, or one that comes from it. */
  #comesFrom(table: string, from: string, seen: Set<string>): boolean {
    if (seen.has(table)) return false;
    seen.add(table);
    return [...this.#entries.values()].some(
      ({ config, memory }) => config.table === table && memory.copyOf.some((other) => other === from || this.#comesFrom(other, from, seen)),
    );
  }

  #makeShield(): FeedShield {
    return new FeedShield(this.#options.config(), this.#options.hostAddresses());
  }

  /** Takes out what feeds have in tables and should not have, and counts what they have. */
  #sweep(): void {
    this.#sweeping = this.#sweeping
      .then(() => this.#sweepOnce())
      .catch((error: unknown) => {
        this.#options.onError(
          new Error(`networks of feeds stay that should not: ${error instanceof Error ? error.message : String(error)}`),
        );
        if (this.#ends.signal.aborted) return;
        this.#retry?.cancel();
        this.#retry = this.#options.clock.setTimer(RETRY_MS, () => this.#sweep());
      });
  }

  async #sweepOnce(): Promise<void> {
    const { networks, events } = this.#options;
    const over = new Set([...this.#entries.values()].filter((entry) => this.#isOver(entry)));
    const found = await findGone(networks.tables, (name, table, prefix) => this.#whyGone(name, table, prefix, over));
    if (this.#ends.signal.aborted) return;
    // A list that was taken since, or found to be as it was, is kept again.
    const renewed = new Set([...over].filter((entry) => !this.#isOver(entry)).map(({ config }) => config.name));
    const gone = found.gone.filter(({ feed, why }) => why !== EXPIRED || !renewed.has(feed));
    for (const { feed } of gone) {
      const entry = this.#entries.get(feed);
      if (entry) entry.sweeps++;
    }
    if (gone.length > 0) {
      const changes = gone.map(
        ({ feed: name, table, prefixes }): NetworkChange => ({ kind: 'unset', table, source: { kind: 'feed', name }, prefixes }),
      );
      await networks.change(() => changes, { by: 'feeds' });
    }
    for (const { feed, table, why, prefixes } of gone)
      events({
        at: Date.now(),
        kind: 'feed',
        feed,
        table,
        ok: false,
        message: `${prefixes.length} networks are taken out of the table ${table}: ${why}`,
      });
    for (const [name, entry] of this.#entries) {
      const isGone = gone.some(({ feed }) => feed === name);
      if (renewed.has(name) || (entry.running && !isGone)) continue;
      const now = found.members.get(name) ?? 0;
      // Less than was there: the same list would not bring it back.
      if (now < entry.memory.members) {
        forget(entry.memory);
        if (!isGone) this.#schedule(entry, 0);
      }
      entry.memory.members = now;
    }
    if (gone.length > 0) this.#write();
  }

  #whyGone(name: string, table: string, prefix: Prefix, over: ReadonlySet<FeedEntry>): string | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return 'the feed is not configured any more';
    if (entry.config.table !== table) return `the feed is for the table ${entry.config.table} now`;
    if (over.has(entry)) return EXPIRED;
    const reason = this.#isShielded(table) ? this.#shield.reason(prefix) : undefined;
    return reason && `that may not be there (${reason}, such as ${printPrefix(prefix)})`;
  }

  #tell({ config }: FeedEntry, ok: boolean, message: string): void {
    this.#options.events({ at: Date.now(), kind: 'feed', feed: config.name, table: config.table, ok, message });
  }

  #remember(): Readonly<Record<string, FeedMemory>> {
    try {
      return readMemories(this.#options.stateDirectory);
    } catch (error) {
      this.#options.onError(
        new Error(`what is known of feeds cannot be read: ${error instanceof Error ? error.message : String(error)}; their networks stay`),
      );
      return {};
    }
  }

  #write(): void {
    try {
      writeMemories(this.#options.stateDirectory, Object.fromEntries([...this.#entries].map(([name, { memory }]) => [name, memory])));
    } catch (error) {
      this.#options.onError(
        new Error(`what is known of feeds cannot be written: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  }
}

/** The next list is read, even if it is the same. */
function forget(memory: FeedMemory): void {
  memory.etag = undefined;
  memory.lastModified = undefined;
}
