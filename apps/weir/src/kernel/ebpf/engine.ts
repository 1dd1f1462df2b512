import { type BpfMap, type FeatureReport, PinDirectory } from '@weir/ebpf/kernel';
import type { DirectoryLock } from '@weir/sys';
import type { MemberColumns, MemberDelta, PrefixColumns } from '../../model/member-delta.ts';
import { asError } from './as-error.ts';
import { cgroupId, type Surroundings } from './attachment.ts';
import { type Bridge, bridgeRules } from './bridge.ts';
import { RefusedProgramError } from './engine-error.ts';
import type { EngineStatus } from './engine-status.ts';
import { type HookPrograms, usesOf } from './generation.ts';
import { type HeldPin, repairPins } from './held-pin.ts';
import { generationNumbers, HookRuntime } from './hook-runtime.ts';
import { writeInterfaceNames } from './interface-names.ts';
import type { ListChange } from './kernel-list.ts';
import { asDelta, ListStore } from './list-store.ts';
import { MapStore } from './map-store.ts';
import { removeOwnPins } from './own-pins.ts';
import { isSameDirectory, takePinDirectory } from './pin-directory.ts';
import { type AttachPlace, layoutDirectory, layoutOf, PIN, placeName } from './pin-layout.ts';
import { type HeldPlace, type PlaceProblem, Places, type XdpPlace } from './places.ts';
import { requireForPrograms } from './required-features.ts';
import { type InForce, ProgramChoices } from './stand-in.ts';
import { InterfaceWatch } from './surroundings.ts';
import type { Audited, EngineProblem, Settled, WantedHook } from './wanted-hook.ts';

export type { EngineProblem, Settled, WantedAttachment, WantedHook } from './wanted-hook.ts';

export interface EngineOptions {
  readonly directory: string;
  /** Whose interfaces; undefined: those of this thread's namespace. */
  readonly netns: string | undefined;
  readonly features: FeatureReport;
  /** A pin directory that was used before: what is attached from there is taken over. Nobody may manage it. */
  readonly before?: string;
  /** Milliseconds. */
  readonly now: () => number;
}

export type { EngineStatus, PlaceStatus } from './engine-status.ts';

/** The members of a set that are known already; undefined where they are still to come. */
export type KnownMembers = (set: string, family: 4 | 6) => PrefixColumns | undefined;

/**
 * What Weir has of eBPF in the kernel: stubs at their places, the programs of hooks that they call, and the lists that those look into. All of it is pinned: it goes on
 * when this process ends, and the next one takes it over without a packet between. One process at a time has a directory. Synchronous. BpfError.
 */
export class EbpfEngine {
  readonly directory: string;
  readonly #options: EngineOptions;
  readonly #lock: DirectoryLock;
  readonly #root: PinDirectory;
  readonly #watch: InterfaceWatch;
  readonly #lists: ListStore;
  readonly #common: MapStore;
  readonly #hooks = new Map<string, HookRuntime>();
  readonly #places: Places;
  /** Undefined until it is known: what an earlier process has put there stays as it is. */
  #asked: readonly WantedHook[] | undefined;
  #around: Surroundings;
  #number = 0;
  #features: FeatureReport;
  /** Those that are wanted, by path, as they were at the last look: nobody tells when they come and go. */
  #cgroups: ReadonlyMap<string, bigint | undefined> = new Map();
  readonly #choices = new ProgramChoices((error) => error instanceof RefusedProgramError && LASTING.has(error.cause.errno));
  /** Hooks whose programs look into maps that lists have moved out of. */
  readonly #unbound = new Set<string>();
  #known: KnownMembers = () => undefined;
  #auditAt = 0;
  /** Other versions of the layout have been taken over. */
  #alone = false;
  #closed = false;

  private constructor(options: EngineOptions, lock: DirectoryLock, root: PinDirectory, watch: InterfaceWatch) {
    this.directory = options.directory;
    this.#options = options;
    this.#lock = lock;
    this.#root = root;
    this.#watch = watch;
    this.#features = options.features;
    this.#places = new Places(root, options.features);
    this.#lists = new ListStore(root);
    this.#common = new MapStore(root);
    this.#around = watch.look(options.features);
    const hooks = root.at(PIN.hooks);
    for (const name of hooks.list().directories) this.#number = Math.max(this.#number, ...generationNumbers(hooks.at(name)));
    for (const name of hooks.list().directories) this.#runtime(name);
  }

  /**
   * Takes a pin directory, which is made where it is not there.
   * @throws EngineBusyError when another process has it; BpfError where there is no BPF file system
   */
  static open(options: EngineOptions): EbpfEngine {
    const { parent, lock } = takePinDirectory(options.directory);
    let watch: InterfaceWatch | undefined;
    try {
      watch = new InterfaceWatch(options.netns);
      return new EbpfEngine(options, lock, parent.at(layoutDirectory()), watch);
    } catch (error) {
      watch?.close();
      lock.close();
      throw error;
    }
  }

  #runtime(name: string): HookRuntime {
    const known = this.#hooks.get(name);
    if (known) return known;
    const directory = this.#root.at(PIN.hooks).at(name);
    const made = new HookRuntime({ directory, lists: this.#lists, common: this.#common, nextNumber: () => ++this.#number });
    this.#hooks.set(name, made);
    return made;
  }

  /** Takes what was found out about the system since: `settle` then does what that allows. */
  learn(features: FeatureReport): void {
    this.#features = features;
    this.#choices.clear();
    this.#places.learn(features);
  }

  /** What programs look into; rules of nf_tables can share it. */
  get lists(): ListStore {
    return this.#lists;
  }

  /** What the lists have: put there by this process, or by one before it. */
  members(): readonly MemberColumns[] {
    return this.#lists.members();
  }

  /**
   * Opens the lists that programs will look into, and fills those that are new with what is known. Returns those whose members are not known: programs that are put into force
   * before `apply` brings them find them empty.
   */
  openLists(hooks: readonly Pick<WantedHook, 'programs'>[], known: KnownMembers): readonly string[] {
    this.#known = known;
    const missing: string[] = [];
    for (const { programs } of hooks)
      for (const { maps } of programs.values())
        for (const need of maps) {
          if (need.kind !== 'list' || !this.#lists.open(need).fresh) continue;
          const members = known(need.list, need.family);
          if (members) this.#lists.apply(asDelta(need.list, members));
          else missing.push(listKey(need.list, need.family));
        }
    return missing;
  }

  /** Takes what is wanted, and makes the kernel agree. What cannot be is a problem; the rest is done, and programs that were in force stay. */
  configure(hooks: readonly WantedHook[]): Settled {
    this.#asked = hooks;
    this.#places.wantAgain();
    return this.settle();
  }

  get #wanted(): readonly WantedHook[] {
    return this.#asked ?? [];
  }

  /** Makes the kernel agree with what is wanted: after `configure`, when something has changed, and to try again. Before `configure` it does nothing. */
  settle(): Settled {
    if (!this.#asked) return { problems: [], repaired: [], gaps: [] };
    this.#around = this.#watch.look(this.#features);
    this.#cgroups = this.#lookAtCgroups();
    const problems: EngineProblem[] = [];
    for (const wanted of this.#wanted) this.#load(wanted, problems);
    this.#nameInterfaces();
    for (const wanted of this.#wanted) this.#put(wanted, problems);
    const places = this.#wanted.flatMap(({ attachments }) => attachments.map(({ place }) => place));
    const others = this.#alone ? [] : this.#otherLayouts();
    const settled = this.#places.settle(places, this.#around, others, (place) => this.#bridge(place));
    for (const problem of settled.problems) problems.push(this.#problemAt(problem));
    this.#sweep();
    for (const directory of others) removeOwnPins(directory);
    this.#alone = true;
    // What this has changed itself is no news.
    this.#watch.changed();
    this.#around = this.#watch.look(this.#features);
    return { problems, repaired: settled.repaired, gaps: settled.gaps };
  }

  /** A place that is judged by what stands in for its rules is no problem where that judges as they do. */
  #load(wanted: WantedHook, problems: EngineProblem[]): void {
    const { hook, programs, instead } = wanted;
    if (programs.size === 0 && !instead) return;
    const runtime = this.#runtime(hook);
    const error = this.#choices.load(wanted, runtime, (some) => this.#tryToLoad(hook, runtime, some));
    const inForce = error && this.inForce(hook);
    if (!error || (inForce?.kind === 'stand-in' && !inForce.lacks)) return;
    problems.push({ key: `hook ${hook}`, hook, place: undefined, error, ...(inForce && { inForce }) });
  }

  #tryToLoad(hook: string, runtime: HookRuntime, programs: HookPrograms): Error | undefined {
    try {
      requireForPrograms(this.#features, hook, programs.values());
      this.openLists([{ programs }], this.#known);
      runtime.load(programs, this.#options.now(), this.#unbound.has(hook));
      this.#unbound.delete(hook);
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  /** What judges at a hook whose programs were refused, or could not be made; undefined where they are in force. */
  inForce(hook: string): InForce | undefined {
    return this.#choices.inForce(hook, this.#hooks.get(hook));
  }

  /** Puts the programs of a hook into force. */
  #put({ hook, attachments }: WantedHook, problems: EngineProblem[]): void {
    for (const { place, variant } of attachments) {
      const program = this.#runtime(hook).program(variant);
      const problem = program && this.#places.judgeBy(place, program);
      if (problem) problems.push(this.#problemAt(problem));
    }
  }

  #bridge(place: XdpPlace): Bridge | string {
    const hook = this.#wanted.find(({ attachments }) => attachments.some((one) => placeName(one.place) === placeName(place)));
    return hook === undefined ? 'no rules are wanted there' : bridgeRules(place, hook, this.#runtime(hook.hook), this.#around);
  }

  #problemAt({ place, error }: PlaceProblem): EngineProblem {
    const name = placeName(place);
    const wanted = this.#wanted.find(({ attachments }) => attachments.some((one) => placeName(one.place) === name));
    return { key: `place ${name}`, hook: wanted?.hook ?? '', place, error };
  }

  #nameInterfaces(): void {
    for (const map of this.#common.ofKind('interfaces')) writeInterfaceNames(map, this.#around.interfaces.values());
  }

  /** Removes what nothing wants any more but the places. */
  #sweep(): void {
    for (const [name, runtime] of this.#hooks) {
      if (this.#wanted.some(({ hook }) => hook === name)) continue;
      this.#choices.forget(name);
      runtime.remove();
      this.#hooks.delete(name);
    }
    const uses = [...this.#hooks.values()].flatMap((runtime) => runtime.uses());
    // What programs look into that were refused is filled all the same: they may come later.
    const asked = this.#wanted.map(({ programs }) => usesOf(programs));
    this.#lists.keep([...uses, ...asked].flatMap(({ lists }) => lists));
    this.#common.keep(new Set(uses.flatMap(({ common }) => common)));
  }

  #otherLayouts(): readonly PinDirectory[] {
    const { before } = this.#options;
    const other = before !== undefined && !isSameDirectory(before, this.directory);
    return [this.directory, ...(other ? [before] : [])].flatMap((path) => {
      const parent = PinDirectory.open(path);
      const layouts = parent.list().directories.filter((name) => layoutOf(name) !== undefined);
      return layouts.filter((name) => path !== this.directory || name !== layoutDirectory()).map((name) => parent.at(name));
    });
  }

  /** Changes members. Programs whose list has moved to another map are loaded again; what goes wrong with that is among the problems. */
  apply(deltas: readonly MemberDelta[]): { readonly change: ListChange; readonly problems: readonly EngineProblem[] } {
    let [added, removed, leftOut] = [0, 0, 0];
    const grown = new Set<string>();
    for (const delta of deltas) {
      const change = this.#lists.apply(delta);
      if (!change) continue;
      added += change.added;
      removed += change.removed;
      leftOut += change.leftOut;
      if (change.grown) grown.add(delta.set);
    }
    const problems: EngineProblem[] = [];
    this.#bindAgain(grown, problems);
    return { change: { added, removed, leftOut, grown: grown.size > 0 }, problems };
  }

  /** Binds programs to the maps that these sets are in now. */
  #bindAgain(sets: ReadonlySet<string>, problems: EngineProblem[]): void {
    for (const wanted of this.#wanted) {
      const uses = this.#hooks.get(wanted.hook)?.uses() ?? [];
      if (!uses.some(({ lists }) => lists.some(({ list }) => sets.has(list)))) continue;
      this.#unbound.add(wanted.hook);
      this.#load(wanted, problems);
      this.#put(wanted, problems);
    }
  }

  /**
   * Puts right what others have unpinned, or written into lists: those have the members that `members` knows then. Of lists one is looked at in a call, when its time has come. Returns what was put right, and
   * what goes wrong with it.
   */
  audit(members: KnownMembers): Audited {
    const now = this.#options.now();
    const pins = this.#auditAt <= now ? repairPins(this.#pins()) : [];
    if (this.#auditAt <= now) this.#auditAt = now + AUDIT_MS;
    const written = this.#lists.audit(now);
    const problems: EngineProblem[] = [];
    if (written) {
      this.#lists.renew(written, members(written.list, written.family));
      this.#bindAgain(new Set([written.list]), problems);
    }
    return { pins, list: written, problems };
  }

  #pins(): readonly HeldPin[] {
    const hooks = [...this.#hooks.values()].flatMap((runtime) => runtime.pins());
    return [...this.#places.pins(), ...hooks, ...this.#lists.pins(), ...this.#common.pins()];
  }

  /** Takes over what earlier generations counted; true when something has changed that `settle` should look at. */
  poll(): boolean {
    const now = this.#options.now();
    for (const runtime of this.#hooks.values()) runtime.takeCounts(now);
    return this.#watch.changed() || this.#drifted() || [...this.#cgroups].some(([path, id]) => cgroupId(path) !== id);
  }

  #lookAtCgroups(): ReadonlyMap<string, bigint | undefined> {
    const places = this.#wanted.flatMap(({ attachments }) => attachments.map(({ place }) => place));
    return new Map(places.flatMap((place) => (place.kind === 'cgroup' ? [[place.path, cgroupId(place.path)]] : [])));
  }

  #drifted(): boolean {
    return this.#wanted.some(({ hook, attachments }) =>
      attachments.some(({ place, variant }) => !this.#places.isSound(place, this.#hooks.get(hook)?.program(variant))),
    );
  }

  /** Milliseconds until `poll` has something to do by itself; undefined when nothing is open. */
  nextDue(): number | undefined {
    const times = [...this.#hooks.values()].flatMap((runtime) => runtime.nextDue(this.#options.now()) ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  status(): EngineStatus {
    return {
      directory: this.directory,
      places: this.#wanted.flatMap(({ hook, attachments }) =>
        attachments.map(({ place }) => ({
          hook,
          place,
          generation: this.#hooks.get(hook)?.generation,
          ...this.#placeStatus(hook, place),
        })),
      ),
      lists: this.#lists.status(),
      rules: [...this.#hooks].map(([hook, runtime]) => ({
        hook,
        generation: runtime.generation,
        refs: runtime.refs,
        counts: (symbol) => runtime.counts(symbol),
      })),
    };
  }

  #placeStatus(hook: string, place: AttachPlace): HeldPlace {
    const { way, why } = this.#places.status(place, this.#around);
    const judges = this.inForce(hook);
    const notes = [why, judges?.kind === 'stand-in' ? judges.what : undefined].filter((one) => one !== undefined);
    return { way, why: way === undefined || notes.length === 0 ? why : notes.join('; ') };
  }

  /** A map that outlives generations, by the symbol that programs know it by: of a hook, or of all. */
  kept(symbol: string, hook?: string): BpfMap | undefined {
    return hook === undefined ? this.#common.find(symbol) : this.#hooks.get(hook)?.kept(symbol);
  }

  /** Ends: takes everything of these hooks out of the kernel, and leaves the others judging; before `configure` it leaves all. Calling it again does nothing. */
  close(detach: ReadonlySet<string> = new Set()): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (detach.size > 0) {
        this.#asked = this.#asked?.filter(({ hook }) => !detach.has(hook));
        this.settle();
      }
    } finally {
      this.#places.close();
      for (const runtime of this.#hooks.values()) runtime.close(this.#options.now());
      this.#lists.close();
      this.#common.close();
      this.#watch.close();
      this.#lock.close();
    }
  }
}

/** Milliseconds between two looks at what is pinned. */
const AUDIT_MS = 10_000;

/** EACCES, EINVAL, E2BIG: the verifier's word on the program itself, where others are about the moment. */
const LASTING: ReadonlySet<number> = new Set([13, 22, 7]);

/** What a list is called where members are awaited. */
function listKey(set: string, family: 4 | 6): string {
  return `${family} ${set}`;
}
