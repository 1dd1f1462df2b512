import { BpfError, type FeatureReport, probeFeatures } from '@weir/ebpf/kernel';
import { judgement } from '../compile/judgement/index.ts';
import {
  clearEbpf,
  describePlace,
  EbpfEngine,
  EngineBusyError,
  type EngineProblem,
  hasEnginePins,
  type KnownMembers,
  type ListStore,
  type WantedHook,
} from '../kernel/ebpf/index.ts';
import type { Config } from '../model/config.ts';
import { DEFAULT_EBPF, type EbpfConfig } from '../model/ebpf.ts';
import type { ActiveFlow } from '../model/flow.ts';
import type { EarlierRules, EbpfStatus, KernelEvent, KernelProblem, RuleCount } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import type { HookRules } from '../model/rule.ts';
import { isDue, nextRetry } from './backoff.ts';
import { type ProgramsEvent, programsInForce } from './ebpf-events.ts';
import { detachedOnExit, type PlannedHook, type PlanOptions, planHooks, planInSteps } from './ebpf-hooks.ts';
import { clearLimits, LimitWatch } from './ebpf-limits.ts';
import { type Told, tellFailure, tellProblem, tellUnsayable } from './ebpf-problems.ts';
import { ebpfLimits, ebpfRules, ebpfStatus } from './ebpf-status.ts';
import { atOnce } from './in-steps.ts';
import { Problems } from './problems.ts';
import type { Retry } from './slot.ts';

/** How long (ms) programs wait for the members of new lists. */
const MOST_WAIT = 1000;
const ENGINE = 'engine';

export interface EbpfServiceOptions {
  readonly netns: string | undefined;
  readonly emit: (event: KernelEvent) => void;
  /** Milliseconds; for retries. */
  readonly now: () => number;
  /** What the kernel has; found out when it is first asked for, unless given. */
  readonly features?: FeatureReport;
  /** For tests of what the kernel refuses. */
  readonly compileHook?: PlanOptions['compileHook'];
}

type EbpfInput = Pick<Config, 'ebpf' | 'firewall' | 'sets' | 'bgp' | 'policy' | 'flowspec'> & { readonly flows?: readonly ActiveFlow[] };

/** What a configuration comes to. */
interface ProgramPlan {
  readonly hooks: readonly HookRules[];
  readonly options: PlanOptions;
  readonly planned: readonly PlannedHook[];
}

/**
 * The eBPF side of the kernel port: what a configuration wants of it, tried again where it could not be, and told. Nothing that the kernel refuses is thrown: it is a problem. Synchronous;
 * lives in the kernel worker.
 */
export class EbpfService {
  readonly #options: EbpfServiceOptions;
  readonly #problems: Problems;
  #features: FeatureReport | undefined;
  /** What the features were found without may have come since. */
  #featuresDue = false;
  #engine: EbpfEngine | undefined;
  /** The pin directory of an earlier configuration. */
  #before: string | undefined;
  #ebpf: EbpfConfig = DEFAULT_EBPF;
  #planned: readonly PlannedHook[] = [];
  #known: KnownMembers = () => undefined;
  /** New lists whose members are to come before programs look into them. */
  #awaited: { readonly lists: Set<string>; readonly until: number } | undefined;
  #retry: Retry | undefined;
  /** The programs that were last told of, as text. */
  #programs = '';
  #toldPrograms = false;
  /** Limits of rules that are gone are cleared away when the programs before have ended. */
  #limitsDue = false;
  readonly #limits = new LimitWatch();
  #repairs = 0;
  /** The configuration that `prepare` took last, and what the lists had then. */
  #prepared: { readonly config: EbpfInput; readonly found: readonly MemberColumns[] } | undefined;

  constructor(options: EbpfServiceOptions) {
    this.#options = options;
    this.#features = options.features;
    this.#problems = new Problems(options.emit);
  }

  /** The programs of a configuration, in steps that change nothing: for `prepare`. `earlier`: what judges where the kernel refuses its rules and nothing was in force. */
  *plan(config: EbpfInput, earlier?: EarlierRules): Generator<undefined, ProgramPlan> {
    const now = Date.now();
    const hooks = judgement(config, now);
    yield;
    const before = earlier && { what: earlier.what, hooks: judgement(earlier.config, now) };
    const { compileHook } = this.#options;
    const mayGoto = this.#features?.has('may-goto') !== false;
    const options: PlanOptions = { mayGoto, earlier: before, ...(compileHook && { compileHook }) };
    return { hooks, options, planned: yield* planInSteps(config.ebpf, hooks, options) };
  }

  /** Takes the pin directory of a (new) configuration, or leaves it: `lists` are then those that programs of rules can share. `configure` does the rest. */
  prepare(config: EbpfInput, { hooks, options, planned }: ProgramPlan): void {
    const { ebpf } = config;
    this.#planned = planned;
    if (this.#planned.length === 0 && (this.#engine || this.#before !== undefined)) this.#leave();
    else if (this.#ebpf.pinDirectory !== ebpf.pinDirectory && this.#engine) this.#move();
    this.#ebpf = ebpf;
    this.#retry = undefined;
    this.#awaited = undefined;
    if (this.#engine) this.#lookAtFeatures(this.#engine);
    this.#prepared = { config, found: this.#engine ? [] : this.#open() };
    if (this.#planned.length === 0 && this.#engine) this.#leave();
    if (options.mayGoto && this.#features?.has('may-goto') === false)
      this.#planned = planHooks(ebpf, hooks, { ...options, mayGoto: false });
  }

  /**
   * Takes a (new) configuration. `earlier`: what judges where the kernel refuses its rules and nothing was in force. `known` gives members that have been heard of already; where `awaitMembers` programs wait a moment for those of other new lists. Returns what lists had before
   * this process knew of them.
   */
  configure(config: EbpfInput, known: KnownMembers, awaitMembers: boolean, earlier?: EarlierRules): readonly MemberColumns[] {
    if (this.#prepared?.config !== config) this.prepare(config, atOnce(this.plan(config, earlier)));
    const found = this.#prepared?.found ?? [];
    this.#prepared = undefined;
    this.#known = known;
    this.#settle(() => this.#begin(awaitMembers));
    return found;
  }

  /** The lists that programs of hooks look into; undefined where there are no such programs. */
  get lists(): ListStore | undefined {
    return this.#engine?.lists;
  }

  /** What was missing may be there now: a file system is mounted, a module of the kernel is loaded. */
  #lookAtFeatures(engine: EbpfEngine): void {
    if (!this.#problems.list().some(({ kind }) => kind === 'feature-missing')) return;
    this.#features = this.#options.features ?? probeFeatures({ pinDirectory: this.#ebpf.pinDirectory });
    engine.learn(this.#features);
  }

  /** The pins are to be elsewhere: what is attached goes on judging until it is taken over from there. */
  #move(): void {
    this.#engine?.close();
    this.#engine = undefined;
    this.#before = this.#ebpf.pinDirectory;
  }

  /** Nothing is wanted in the directory any more. */
  #leave(): void {
    this.#engine?.configure([]);
    this.#engine?.close();
    this.#engine = undefined;
    if (this.#before !== undefined) clearEbpf(this.#before, this.#options.netns);
    this.#before = undefined;
    clearEbpf(this.#ebpf.pinDirectory, this.#options.netns);
  }

  #wanted(): readonly WantedHook[] {
    return this.#planned.map(({ wanted }) => wanted);
  }

  /** Takes the pin directory, where there is something to put into it, or something to take out. */
  #open(): readonly MemberColumns[] {
    const { pinDirectory } = this.#ebpf;
    const needed = this.#planned.length > 0;
    if (!needed && !hasEnginePins(pinDirectory)) {
      this.#problems.over(ENGINE);
      return [];
    }
    try {
      if (!this.#features || this.#featuresDue) this.#features = this.#options.features ?? probeFeatures({ pinDirectory });
      this.#featuresDue = false;
      const { netns, now } = this.#options;
      const before = this.#before === undefined ? {} : { before: this.#before };
      this.#engine = EbpfEngine.open({ directory: pinDirectory, netns, features: this.#features, now, ...before });
      this.#problems.over(ENGINE);
      return this.#engine.members();
    } catch (error) {
      if (!(error instanceof BpfError) && !(error instanceof EngineBusyError)) throw error;
      this.#featuresDue = true;
      // Another Weir's programs are no concern of one that has none.
      if (needed) this.#raise(new Map([[ENGINE, tellFailure(error, pinDirectory)]]));
      return [];
    }
  }

  /** The first step of a configuration: lists, then programs unless members are awaited. */
  #begin(awaitMembers: boolean): readonly EngineProblem[] {
    const engine = this.#engine;
    if (!engine) return [];
    if (this.#planned.length === 0) {
      this.#leave();
      return [];
    }
    const missing = engine.openLists(this.#wanted(), this.#known);
    if (awaitMembers && missing.length > 0) {
      this.#awaited = { lists: new Set(missing), until: this.#options.now() + MOST_WAIT };
      return [];
    }
    return this.#configure(engine);
  }

  #configure(engine: EbpfEngine): readonly EngineProblem[] {
    this.#awaited = undefined;
    this.#limitsDue = true;
    const settled = engine.configure(this.#wanted());
    this.#limits.follow(ebpfLimits(engine, this.#planned), this.#options.now());
    return this.#tellRepairs(settled);
  }

  #tellRepairs({ problems, repaired, gaps }: ReturnType<EbpfEngine['settle']>): readonly EngineProblem[] {
    for (const place of repaired) this.#tellRepair(describePlace(place), 'the eBPF program was taken off');
    for (const { place, ms, why } of gaps)
      this.#options.emit({
        kind: 'failed',
        message: `${describePlace(place)}: judged by nothing for ${Math.ceil(ms)} ms while its mode changed: ${why}`,
      });
    return problems;
  }

  /** Runs a step, and tells what it could not do. */
  #settle(step: () => readonly EngineProblem[]): void {
    const told = new Map<string, Told>();
    const wanted = this.#wanted();
    let failed = false;
    const found = step();
    for (const { refusals } of this.#planned)
      for (const refusal of refusals)
        told.set(`refusal ${refusal.hook} ${refusal.rule}`, tellUnsayable(refusal, this.#engine?.inForce(refusal.hook)));
    for (const problem of found) {
      failed = true;
      told.set(
        problem.key,
        tellProblem(
          problem,
          wanted.find(({ hook }) => hook === problem.hook),
        ),
      );
    }
    for (const one of this.#engine?.status().lists ?? [])
      if (one.leftOut > 0)
        told.set(`list ${one.set} ${one.family}`, {
          kind: 'list-full',
          subject: one.set,
          message: `${one.leftOut} members of IPv${one.family} are not in the eBPF map: it is full with ${one.members}`,
          remedy: undefined,
        });
    if (!this.#engine && this.#planned.length > 0) {
      failed = true;
      const was = this.#problems.list().find(({ kind, subject }) => kind === 'engine-busy' || subject === this.#ebpf.pinDirectory);
      if (was) told.set(ENGINE, was);
    }
    this.#tellPrograms();
    this.#retry = failed ? nextRetry(this.#retry, this.#options.now()) : undefined;
    this.#raise(told);
  }

  /** Readers of events are to know what is in force, whenever that changes. */
  #tellPrograms(): void {
    const now: ProgramsEvent = this.#engine
      ? programsInForce(this.#engine, this.#planned)
      : { kind: 'programs', programs: [], ring: undefined };
    const told = JSON.stringify(now);
    if (told === this.#programs) return;
    this.#programs = told;
    if (now.programs.length > 0 || this.#toldPrograms) this.#options.emit(now);
    this.#toldPrograms = now.programs.length > 0;
  }

  #raise(told: ReadonlyMap<string, Told>): void {
    for (const [key, one] of told) this.#problems.raise(key, one);
    this.#problems.keep(new Set([...told.keys(), ...this.#limits.keys]));
  }

  /** Members of lists that programs look into: one update a member. */
  apply(deltas: readonly MemberDelta[]): { readonly added: number; readonly removed: number } {
    const engine = this.#engine;
    if (!engine) return { added: 0, removed: 0 };
    const { change, problems } = engine.apply(deltas);
    for (const { complete, set, family } of deltas) if (complete) this.#awaited?.lists.delete(`${family} ${set}`);
    if (this.#awaited?.lists.size === 0) this.#settle(() => this.#configure(engine));
    else if (problems.length > 0 || change.leftOut > 0) this.#settle(() => this.#tellRepairs(engine.settle()));
    return change;
  }

  /**
   * Does what is due: programs whose members did not come in time, what could not be done before, what others changed. `members`: what sets are to have, for lists that others have written into;
   * what can still be read of them when absent.
   */
  poll(members: KnownMembers = () => undefined): void {
    const now = this.#options.now();
    const engine = this.#engine;
    if (!engine) {
      if (this.#planned.length === 0 || !isDue(this.#retry, now) || this.#retry === undefined) return;
      this.#open();
      this.#settle(() => this.#begin(false));
      return;
    }
    if (this.#awaited) {
      if (now >= this.#awaited.until) this.#settle(() => this.#configure(engine));
      return;
    }
    const changed = engine.poll();
    const again = this.#retry !== undefined && isDue(this.#retry, now);
    if (again) this.#lookAtFeatures(engine);
    if (changed || again) this.#settle(() => this.#tellRepairs(engine.settle()));
    this.#audit(engine, members);
    if (this.#limits.due !== undefined && now >= this.#limits.due) this.#lookAtLimits(engine, now);
    if (!this.#limitsDue || engine.nextDue() !== undefined) return;
    this.#limitsDue = false;
    for (const { rules } of this.#planned) clearLimits(engine, rules);
  }

  /** What others unpin, or write into lists, is put right and told. */
  #audit(engine: EbpfEngine, members: KnownMembers): void {
    const { pins, list, problems } = engine.audit(members);
    for (const path of pins) this.#tellRepair(path, 'the pin was gone, or something else was there');
    if (list) this.#tellRepair(list.list, `another process wrote into the eBPF map of its IPv${list.family} members`);
    if (problems.length > 0) this.#settle(() => this.#tellRepairs(engine.settle()));
  }

  #tellRepair(what: string, detail: string): void {
    this.#repairs++;
    this.#options.emit({ kind: 'drift', set: what, detail, repaired: true });
  }

  /** How often something that others changed was put right. */
  get repairs(): number {
    return this.#repairs;
  }

  #lookAtLimits(engine: EbpfEngine, now: number): void {
    for (const [key, told] of this.#limits.look(ebpfLimits(engine, this.#planned), now)) {
      if (told) this.#problems.raise(key, told);
      else this.#problems.over(key);
    }
  }

  /** Milliseconds until `poll` has something to do by itself; undefined when nothing is open. */
  nextDue(): number | undefined {
    const now = this.#options.now();
    const times = [this.#awaited?.until, this.#retry?.at, this.#engine && this.#limits.due].flatMap((at) =>
      at === undefined ? [] : [Math.max(0, at - now)],
    );
    const due = this.#engine?.nextDue();
    if (due !== undefined) times.push(due);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  get problems(): readonly KernelProblem[] {
    return this.#problems.list();
  }

  status(): EbpfStatus | undefined {
    return this.#engine && { ...ebpfStatus(this.#engine, this.#planned), waits: this.#awaited !== undefined };
  }

  rules(): readonly RuleCount[] {
    return this.#engine ? ebpfRules(this.#engine, this.#planned) : [];
  }

  /** Ends: hooks go on judging or are taken off as the configuration says; `clear` takes everything out. */
  close({ clear }: { readonly clear: boolean }): void {
    const engine = this.#engine;
    this.#engine = undefined;
    if (!engine) return;
    const detach = detachedOnExit(this.#ebpf);
    if (clear) engine.configure([]);
    // What stays is told from what goes by the configuration, which waits for members.
    else if (this.#awaited && detach.size > 0) engine.configure(this.#wanted());
    engine.close(clear ? new Set() : detach);
    if (clear) clearEbpf(this.#ebpf.pinDirectory, this.#options.netns);
  }
}
