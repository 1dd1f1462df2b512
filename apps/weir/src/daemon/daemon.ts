import { systemClock } from '@weir/bgp/session';
import type { Ip } from '@weir/wire/inet';
import { ApiError, type ReloadAnswer } from '../api/index.ts';
import { unenforceable } from '../compile/flows/index.ts';
import { nextExpiry } from '../compile/judgement/index.ts';
import type { Config } from '../model/config.ts';
import type { Event } from '../model/event.ts';
import type { ActiveFlow } from '../model/flow.ts';
import type { KernelPort } from '../model/kernel-port.ts';
import type { MemberColumns } from '../model/member-delta.ts';
import { allSets, scopes } from '../model/scopes.ts';
import { EventBus, type Log } from '../observe/index.ts';
import { BgpSource } from '../sources/bgp/index.ts';
import { isSetFlow, RouteState } from '../state/index.ts';
import { Announcements } from './announcements.ts';
import { DaemonBackend } from './backend.ts';
import { Changes } from './changes.ts';
import { type Claims, claim } from './claims.ts';
import type { DaemonOptions, Scheduling } from './daemon-options.ts';
import { ExabgpFeeds } from './exabgp-feeds.ts';
import { exchangedTenants } from './exchanged-tenants.ts';
import { Expiry } from './expiry.ts';
import { FlowCarrier } from './flow-carrier.ts';
import { describeFlowChanges, flowChanges, flowPreviews, flowsInForce, keptOfSets } from './flow-changes.ts';
import type { GenerationStore } from './generations/index.ts';
import { HostAddresses } from './host-addresses.ts';
import { earlierConfigs, keepFaulty } from './keep-faulty.ts';
import { readKeptFlows } from './kept-flows.ts';
import { LateBackend } from './late-backend.ts';
import type { DaemonConfig } from './load-daemon-config.ts';
import { findLockouts, lifelines } from './lockouts.ts';
import { settledStatus } from './settled-status.ts';
import { stateLists } from './state-lists.ts';
import { unfitForSessions } from './unfit-for-sessions.ts';
import { originOf, Verdicts } from './verdicts.ts';

/** How often the host's addresses are looked at: deny sets never cover them. */
const ADDRESS_PERIOD_MS = 10_000;
/** Least time between two status texts for the service manager. */
const STATUS_PERIOD_MS = 1000;

interface Parts {
  readonly config: Config;
  readonly loaded: DaemonConfig;
  readonly mistakes: readonly string[];
  readonly store: GenerationStore;
  readonly claims: Claims;
  readonly kernel: KernelPort;
  readonly bus: EventBus;
  readonly verdicts: Verdicts;
  readonly ledger: readonly MemberColumns[];
  /** Flow rules that were in force before. */
  readonly kept: readonly ActiveFlow[];
}

/** The running daemon: state, sessions, kernel port and control socket, put together. Made by `Daemon.start`. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #log: Log;
  readonly #bus: EventBus;
  readonly #verdicts: Verdicts;
  readonly #started: number = Date.now();
  readonly #claims: Claims;
  readonly #kernel: KernelPort;
  readonly #state: RouteState;
  readonly #exabgp: ExabgpFeeds;
  readonly #source: BgpSource;
  readonly #scheduling: Scheduling;
  readonly #flows: FlowCarrier;
  readonly #announced: Announcements;
  readonly #addressTimer: NodeJS.Timeout;
  readonly #listening = new Map<string, { readonly ok: boolean; readonly message: string | undefined }>();
  #config: Config;
  readonly #addresses: HostAddresses = new HostAddresses();
  /** A tenant's namespace has been opened, and needs every member. */
  #opened = false;
  readonly #changes: Changes;
  #statusTimer: NodeJS.Timeout | undefined;
  readonly #expiry: Expiry;
  #closing: Promise<void> | undefined;
  #dead = false;

  /**
   * Starts in the order that keeps the kernel right: first the control socket and the state directory (there is only one daemon), then the kernel and what is installed in it, then the
   * state, then the sessions. What fails is undone and thrown: SocketError, StateInUseError, SessionConfigError, or what the kernel port rejects with.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { log } = options;
    const late = new LateBackend();
    const claims = await claim(options.config, late, log);
    let kernel: KernelPort | undefined;
    let opened: Verdicts | undefined;
    try {
      const { loaded, store, mistakes = [], earlier } = options.choose();
      const config = loaded.config ?? options.config;
      const unfit = unfitForSessions(config);
      if (unfit) throw unfit;
      const bus = new EventBus(log.events);
      let daemon: Daemon | undefined;
      const sourceAs = (ip: Ip): number | undefined => daemon && originOf(daemon.#state, ip);
      const verdicts = new Verdicts({ log: (level, message) => log.log(level, message), sourceAs });
      opened = verdicts;
      // What is logged before it is listened to is lost: as early as can be.
      verdicts.configure(config, Date.now());
      kernel = await options.openKernel(config, (event) => {
        bus.emit({ at: Date.now(), kind: 'kernel', event });
        if (event.kind === 'failed' && daemon) daemon.#lookAtKernel(new Error(event.message));
        if (event.kind === 'tenant' && daemon) daemon.#takeTenant(event.state);
        if (event.kind === 'next-hops' && daemon) daemon.#state.flows.paths.learn(event.hops);
        if (event.kind === 'programs') verdicts.takePrograms(event);
        if (event.kind === 'tenant' && event.state === 'opened') verdicts.reopen(event.tenant);
      });
      const since = Date.now();
      const kept = config.flowspec ? readKeptFlows(config.stateDirectory, (error) => log.log('warn', error.message)) : [];
      if (kept.length > 0) await kernel.flows({ reset: true, gone: [], put: kept });
      let ledger = await kernel.configure(config);
      const { lacking = [] } = (await kernel.status()).ebpf ?? {};
      const before = lacking.length > 0 ? earlier?.() : undefined;
      if (before) ledger = [...ledger, ...(await kernel.configure(config, before))];
      const refused = (await kernel.status()).problems.find((problem) => problem.kind === 'not-permitted' && problem.tenant === undefined);
      if (refused) throw Object.assign(new Error(`${refused.subject}: ${refused.message}`), { code: 'EPERM' });
      daemon = new Daemon(options, { config, loaded, mistakes, store, claims, kernel, bus, verdicts, ledger, kept });
      daemon.#begin(late, ledger, since);
      await daemon.#exabgp.open(late);
      options.holdImage(config.stateDirectory, false);
      return daemon;
    } catch (error) {
      await kernel?.close({ clear: false });
      await opened?.close();
      await claims.server.close();
      claims.lock?.close();
      throw error;
    }
  }

  private constructor(options: DaemonOptions, parts: Parts) {
    const { config, kernel } = parts;
    this.#options = options;
    this.#config = config;
    this.#log = options.log;
    this.#claims = parts.claims;
    this.#kernel = kernel;
    this.#bus = parts.bus;
    this.#verdicts = parts.verdicts;
    this.#addresses.look(config, (error) => {
      throw error;
    });
    this.#state = new RouteState({
      clock: systemClock,
      hostAddresses: (tenant) => this.#addresses.of(tenant),
      events: this.#emit,
      unenforceable,
      watcher: (set) => this.#announced.watcher(set),
    });
    this.#state.configure(config);
    this.#exabgp = new ExabgpFeeds({ config: () => this.#config, events: this.#emit, log: options.log, hear: options.hear });
    const exabgp = this.#exabgp.speaker;
    this.#announced = new Announcements({
      clock: systemClock,
      config: () => this.#config,
      state: this.#state,
      stateDirectory: config.stateDirectory,
      hostAddresses: () => this.#addresses.of(undefined),
      events: this.#emit,
      onError: (error) => this.#log.log('warn', error.message),
    });
    const { sessions: announcer, clients, sources } = this.#announced;
    // Peers that do graceful restart wait for the End-of-RIB of a speaker that was there before.
    const restarting = parts.ledger.some((columns) => columns.count > 0) || parts.kept.length > 0 || this.#announced.hasSome;
    this.#source = new BgpSource({
      config,
      state: this.#state,
      events: this.#emit,
      restarting,
      clock: systemClock,
      exabgp,
      announcer,
      clients,
    });
    // What the kernel has of ours is wanted until its peers have converged without it: the first commit must already know.
    this.#state.addLedger(parts.ledger);
    this.#state.flows.addLedger(parts.kept.filter((flow) => !isSetFlow(flow)));
    this.#announced.configured();
    const onError = (error: Error): void => this.#lookAtKernel(error);
    this.#flows = new FlowCarrier({ flows: sources, kernel, stateDirectory: config.stateDirectory, onError }, parts.kept);
    this.#scheduling = options.schedule({
      source: this.#state,
      kernel,
      complete: () => this.#state.counts().sets.flatMap((s) => this.#state.complete(s.set)),
      setLagging: (lagging) => this.#source.setLagging(lagging),
      onError,
    });
    const preview = flowPreviews(this.#state.flows);
    this.#changes = new Changes({
      store: parts.store,
      log: options.log,
      emit: this.#emit,
      config: () => this.#config,
      read: () => keepFaulty(options.reload(), [this.#config]),
      readTexts: (file, texts) => {
        const loaded = options.readTexts(file, texts);
        return keepFaulty(loaded, earlierConfigs(parts.store, options.readTexts, loaded.digest));
      },
      adopt: (next) => this.#adopt(next),
      lockouts: (before, after, ssh) => {
        const { ofSets } = this.#announced.sources;
        const flows = {
          before: flowsInForce(ofSets, this.#state.flows.list()),
          after: flowsInForce(keptOfSets(ofSets, after), preview(after)),
        };
        return findLockouts(before, after, { ssh, now: Date.now(), lists: stateLists(this.#state), flows });
      },
      flowChanges: (after) => describeFlowChanges(flowChanges(this.#state.flows.list(), preview(after))),
      flush: ({ ssh, allowLockout }) => this.#kernel.flush(allowLockout ? [] : lifelines(this.#config, ssh)),
      holdImage: (hold) => options.holdImage(config.stateDirectory, hold),
      startTimer: (generation, left) =>
        options.startTimer(this.#config, generation, left, (error) =>
          this.#log.log('error', `the process beside a change: ${error.message}`),
        ),
      notifier: options.notifier,
      settled: () => options.notifier.ready(this.#statusText()),
    });
    this.#changes.started(parts.loaded, parts.mistakes);
    this.#expiry = new Expiry({
      next: (now) => {
        const ends = scopes(this.#config).flatMap(({ config: { policy } }) => (policy && nextExpiry(policy, now)) ?? []);
        return ends.length === 0 ? undefined : Math.min(...ends);
      },
      expire: () => this.#changes.alone(() => this.#configureAgain()),
      onError: (error) =>
        this.#log.log('error', `a rule whose time is over stays: ${error instanceof Error ? error.message : String(error)}`),
    });
    this.#addressTimer = setInterval(() => this.#lookAtAddresses(), ADDRESS_PERIOD_MS);
    this.#addressTimer.unref();
  }

  #begin(late: LateBackend, ledger: readonly MemberColumns[], since: number): void {
    late.set(
      new DaemonBackend({
        version: this.#options.version,
        started: this.#started,
        config: () => this.#config,
        state: this.#state,
        announced: this.#announced,
        peers: () => this.#source.peers(),
        listening: () =>
          [...this.#listening].map(([address, { ok, message }]) => ({ address, ok, ...(message === undefined ? {} : { message }) })),
        kernel: this.#kernel,
        events: this.#bus,
        verdicts: this.#verdicts,
        changes: this.#changes,
        exabgp: this.#exabgp,
      }),
    );
    this.#expiry.wait(since);
    this.#source.start();
    this.#announced.recall((address, source) => this.#source.recall(address, source));
    this.#options.notifier.ready(this.#statusText());
    const members = ledger.reduce((sum, columns) => sum + columns.count, 0);
    this.#log.log('info', `weir ${this.#options.version} runs with ${this.#config.file}`, {
      peers: this.#config.bgp.peers.length,
      sets: allSets(this.#config).length,
      ...(this.#config.tenants.length > 0 ? { tenants: this.#config.tenants.length } : {}),
      members,
    });
  }

  /** Something failed on the kernel side: when it does not answer any more it is gone. */
  #lookAtKernel(error: Error): void {
    this.#log.log('error', `kernel: ${error.message}`);
    this.#kernel.status().catch(() => {
      if (this.#dead || this.#closing) return;
      this.#dead = true;
      this.#options.onFatal(error);
    });
  }

  readonly #emit = (event: Event): void => {
    if (event.kind === 'listen') this.#listening.set(event.address, { ok: event.ok, message: event.message });
    this.#bus.emit(event);
    if (event.kind === 'peer-state' || event.kind === 'peer-converged') this.#tellStatus();
  };

  /** Reads the configuration again and applies the difference. Throws ApiError when it is refused: then nothing has changed. */
  reload(by: string): Promise<ReloadAnswer> {
    return this.#changes.reload(by);
  }

  async #adopt(config: Config): Promise<void> {
    const unfit = unfitForSessions(config);
    if (unfit) throw new ApiError('invalid-config', unfit.message);
    const exchanged = exchangedTenants(this.#config.tenants, config.tenants);
    if (exchanged !== undefined) throw new ApiError('invalid-config', exchanged);
    // Deny sets of new tenants must not cover what their namespaces have.
    this.#addresses.look(config, (error) => this.#log.log('warn', `addresses of this host: ${error.message}`));
    // The kernel side first: what the state sends next may be for sets that it does not know yet.
    const since = Date.now();
    const ledger = await this.#kernel.configure(config);
    this.#source.reconfigure(config);
    this.#config = config;
    this.#announced.configured();
    this.#verdicts.configure(config, since);
    this.#state.addLedger(ledger);
    this.#announced.resync();
    this.#fillOpened();
    this.#expiry.wait(since);
    await this.#scheduling.idle();
    await this.#flows.idle();
    const { problems, ownedTable } = await settledStatus(this.#kernel);
    const table = config.firewall?.table ?? ownedTable?.name;
    const refused = problems.find(
      ({ kind, subject, tenant }) => tenant === undefined && kind !== 'drift' && (/^(?:rule|hook) /.test(subject) || subject === table),
    );
    if (refused) throw new ApiError('refused', `the kernel refuses ${refused.subject}: ${refused.message}`);
  }

  /** A tenant's namespace came: it is opened and filled. What it lost when it went is known by then. */
  #takeTenant(state: 'appeared' | 'opened' | 'gone'): void {
    if (state === 'opened') this.#opened = true;
    if (state !== 'appeared' || this.#closing) return;
    this.#changes
      .alone(() => this.#configureAgain())
      .catch((error: unknown) => {
        if (!this.#closing) this.#log.log('error', `a tenant: ${error instanceof Error ? error.message : String(error)}`);
      });
  }

  async #configureAgain(): Promise<void> {
    const since = Date.now();
    this.#state.addLedger(await this.#kernel.configure(this.#config));
    this.#announced.resync();
    this.#expiry.wait(since);
    this.#lookAtAddresses();
    this.#fillOpened();
  }

  /** A namespace that was opened after the start has none of its members yet. */
  #fillOpened(): void {
    if (this.#opened) this.#scheduling.resync();
    this.#opened = false;
  }

  /** Ends the sessions, with a shutdown communication where nothing is announced or all is cleared, and closes everything; `clear` takes out of the kernel what Weir added. Idempotent. */
  close(options: { readonly clear: boolean; readonly message: string }): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: { readonly clear: boolean; readonly message: string }): Promise<void> {
    this.#options.notifier.stopping(options.message);
    clearInterval(this.#addressTimer);
    clearTimeout(this.#statusTimer);
    this.#expiry.close();
    await this.#changes.close();
    await this.#exabgp.close(() => this.#scheduling.idle());
    // A NOTIFICATION would have many peers forget at once what we announce, which a restart is not to withdraw (RFC 4724 section 4).
    const silent = !options.clear && this.#announced.hasSome;
    await this.#source.close(silent ? { silent } : { message: options.message });
    await this.#scheduling.close();
    await this.#flows.close();
    await this.#announced.close();
    this.#state.close();
    this.#bus.close();
    await this.#verdicts.close();
    await this.#claims.server.close();
    if (!this.#dead) await this.#kernel.close({ clear: options.clear });
    // Its last writes are done.
    this.#claims.lock?.close();
    this.#options.notifier.close();
  }

  #lookAtAddresses(): void {
    // A namespace that is gone for the moment: what is known stays protected.
    const unknown = (error: Error): void => this.#log.log('warn', `addresses of this host: ${error.message}`);
    if (!this.#addresses.look(this.#config, unknown)) return;
    this.#state.hostAddressesChanged();
    this.#announced.resync();
  }

  #tellStatus(): void {
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      this.#options.notifier.status(this.#statusText());
    }, STATUS_PERIOD_MS);
    this.#statusTimer.unref();
  }

  #statusText(): string {
    const peers = this.#source.peers();
    const members = this.#state.counts().sets.reduce((sum, set) => sum + set.installed, 0);
    const up = peers.filter((p) => p.status.state === 'Established').length;
    return `${up} of ${peers.length} peers established, ${members} members in ${allSets(this.#config).length} sets`;
  }
}
