import { type BpfProgram, type FeatureReport, type PinDirectory, TcFilter } from '@weir/ebpf/kernel';
import { asError } from './as-error.ts';
import { Attachment, FILTER_PLACE, type Surroundings } from './attachment.ts';
import type { Bridge } from './bridge.ts';
import type { HeldPin } from './held-pin.ts';
import { LinkPool } from './link-pool.ts';
import { isOwnPin, removeOwnPins } from './own-pins.ts';
import { type AttachPlace, PIN, placeName } from './pin-layout.ts';
import { requireFeatures } from './required-features.ts';
import { EMPTY_STATE, type FilterRecord, readState, type StateRecord, writeState } from './state-record.ts';

/** What is not as it is wanted at a place: what the kernel, or this engine, said. */
export interface PlaceProblem {
  readonly place: AttachPlace;
  readonly error: Error;
}

/** How a place is held. */
export interface HeldPlace {
  /** `native`, `generic` (XDP), `tcx`, `clsact`, `cgroup`; undefined where it is not held. */
  readonly way: string | undefined;
  /** Why it is not as was asked for. */
  readonly why: string | undefined;
}

export type XdpPlace = Extract<AttachPlace, { kind: 'xdp' }>;

/** A place that nothing judged for so many milliseconds, while its mode changed. */
export interface Gap {
  readonly place: AttachPlace;
  readonly ms: number;
  readonly why: string;
}

/** Has the rules of a place judged at tc meanwhile; or why that cannot be. */
export type BridgeAt = (place: XdpPlace) => Bridge | string;

/** The stubs at their places. BpfError. */
export class Places {
  readonly #root: PinDirectory;
  #features: FeatureReport;
  readonly #attachments = new Map<string, Attachment>();
  #state: StateRecord = EMPTY_STATE;
  /** Modes that places could not have, by name. */
  readonly #unfit = new Map<string, { readonly mode: string; readonly index: number | undefined; readonly error: Error }>();

  constructor(root: PinDirectory, features: FeatureReport) {
    this.#root = root;
    this.#features = features;
    this.#state = readState(root);
  }

  learn(features: FeatureReport): void {
    this.#features = features;
  }

  /** Puts a program where the stub of a place calls it, whether that is attached yet or not. Returns what is in the way. */
  judgeBy(place: AttachPlace, program: BpfProgram): PlaceProblem | undefined {
    try {
      requireFeatures(this.#features, place);
      const attachment = this.#attachments.get(placeName(place)) ?? this.#open(place);
      if (attachment.judging !== program.info().id) attachment.judgeBy(program);
      return undefined;
    } catch (error) {
      return { place, error: asError(error) };
    }
  }

  #open(place: AttachPlace): Attachment {
    const attachment = Attachment.open(place, this.#root.at(PIN.attach));
    this.#attachments.set(attachment.name, attachment);
    const record = this.#state.filters.find((one) => one.place === attachment.name);
    if (record) attachment.adoptFilter(TcFilter.at(filterOptions(record)));
    return attachment;
  }

  /**
   * Has the stubs at these places and at no others. What links hold that are pinned in `others` is taken over where it is wanted, and detached where it is not. `repaired`:
   * places that somebody else had taken the stub from.
   */
  settle(
    wanted: readonly AttachPlace[],
    around: Surroundings,
    others: readonly PinDirectory[],
    bridge: BridgeAt,
  ): { readonly problems: readonly PlaceProblem[]; readonly repaired: readonly AttachPlace[]; readonly gaps: readonly Gap[] } {
    const names = new Set(wanted.map(placeName));
    const pinned = new Set(this.#root.at(PIN.attach).list().directories);
    for (const place of wanted) {
      const known = this.#attachments.get(placeName(place));
      if (known) known.aimAt(place);
      // What has no program now goes on by the one that an earlier process put there.
      else if (pinned.has(placeName(place))) this.#open(place);
    }
    const pool = new LinkPool();
    const lost = this.#release(names, around, pool);
    for (const directory of others) pool.collect(directory);
    const problems: PlaceProblem[] = [];
    const repaired: AttachPlace[] = [];
    const gaps: Gap[] = [];
    for (const place of wanted) {
      const attachment = this.#attachments.get(placeName(place));
      const unfit = attachment && this.#unfitFor(attachment, around);
      if (unfit) problems.push({ place, error: unfit });
      // What has no program has been told already.
      if (!attachment || attachment.held || attachment.judging === undefined) continue;
      const problem = this.#attach(attachment, around, pool, (at) => {
        const bridged = bridge(at);
        if (typeof bridged !== 'string') return bridged;
        const start = performance.now();
        return { close: () => gaps.push({ place, ms: performance.now() - start, why: bridged }) };
      });
      if (problem) problems.push(problem);
      else if (lost.has(attachment.name)) repaired.push(place);
    }
    pool.clear();
    this.#sweep(names);
    return { problems, repaired, gaps };
  }

  /** Puts links that hold nothing that is wanted there into the pool. Returns the names of places that lost their stub although their interface is still there. */
  #release(names: ReadonlySet<string>, around: Surroundings, pool: LinkPool): ReadonlySet<string> {
    const lost = new Set<string>();
    for (const [name, attachment] of this.#attachments) {
      const { place, held } = attachment;
      if (names.has(name) && (attachment.fits(around) || this.#unfitFor(attachment, around))) continue;
      const isThere = place.kind === 'cgroup' || around.interfaces.has(place.interface);
      if (names.has(name) && held && isThere && !attachment.alive) lost.add(name);
      const link = attachment.giveUp();
      if (link) pool.add(link);
      else attachment.detach();
    }
    const attach = this.#root.at(PIN.attach);
    for (const name of attach.list().directories)
      if (!names.has(name) && !this.#attachments.has(name)) pool.collect(attach.at(name), [PIN.attach, name]);
    return lost;
  }

  #attach(attachment: Attachment, around: Surroundings, pool: LinkPool, bridge: (place: XdpPlace) => Bridge): PlaceProblem | undefined {
    const { place } = attachment;
    // Native and generic XDP exclude each other: tc judges between them.
    const bridged = place.kind === 'xdp' && pool.isInTheWay(attachment, around) ? bridge(place) : undefined;
    try {
      return this.#attachNow(attachment, around, pool);
    } finally {
      bridged?.close();
    }
  }

  #attachNow(attachment: Attachment, around: Surroundings, pool: LinkPool): PlaceProblem | undefined {
    const { place, name } = attachment;
    const exchanged = pool.isInTheWay(attachment, around);
    try {
      if (pool.take(attachment, around)) return undefined;
      // A filter has no pin: it is written down before it is there.
      if (place.kind === 'tc' && !around.tcx) this.#noteFilter(place, name, around);
      this.#note(name, attachment.attach(around));
      return undefined;
    } catch (error) {
      const problem = { place, error: asError(error) };
      if (exchanged && place.kind === 'xdp') this.#attachOtherwise(attachment, place, around, problem.error);
      return problem;
    }
  }

  /** A mode that cannot be had is no reason to be without a program. It is asked for again when it is wanted anew. */
  #attachOtherwise(attachment: Attachment, place: XdpPlace, around: Surroundings, error: Error): void {
    this.#unfit.set(attachment.name, { mode: place.mode, index: around.interfaces.get(place.interface)?.index, error });
    attachment.aimAt({ ...place, mode: 'auto' });
    attachment.attach(around);
    attachment.aimAt(place);
  }

  /** What is wanted is wanted anew: modes that could not be had are asked for again. */
  wantAgain(): void {
    this.#unfit.clear();
  }

  /** Why a place has not the mode that is wanted, where that is known to be refused. */
  #unfitFor(attachment: Attachment, around: Surroundings): Error | undefined {
    const { place, held } = attachment;
    const known = this.#unfit.get(attachment.name);
    if (!known || !held || place.kind !== 'xdp' || place.mode !== known.mode) return undefined;
    return around.interfaces.get(place.interface)?.index === known.index && attachment.alive ? known.error : undefined;
  }

  #noteFilter({ interface: called, direction }: Extract<AttachPlace, { kind: 'tc' }>, name: string, around: Surroundings): void {
    const here = around.interfaces.get(called);
    if (!here) return;
    const record: FilterRecord = { place: name, netns: around.netns, interface: here.index, direction, ...FILTER_PLACE };
    this.#write({ ...this.#state, filters: [...this.#state.filters.filter((one) => one.place !== name), record] });
  }

  #note(name: string, why: string | undefined): void {
    if (this.#state.fallbacks[name] === why) return;
    const { [name]: _, ...others } = this.#state.fallbacks;
    this.#write({ ...this.#state, fallbacks: why === undefined ? others : { ...others, [name]: why } });
  }

  #write(state: StateRecord): void {
    this.#state = state;
    writeState(this.#root, state);
  }

  /** Removes the places that are not wanted. */
  #sweep(names: ReadonlySet<string>): void {
    const attach = this.#root.at(PIN.attach);
    for (const [name, attachment] of this.#attachments) {
      if (names.has(name)) continue;
      attachment.remove();
      this.#attachments.delete(name);
    }
    const { filters, fallbacks } = this.#state;
    const gone = filters.filter(({ place }) => !names.has(place));
    for (const record of gone) removeFilter(record, attach);
    for (const name of attach.list().directories) if (!names.has(name)) removeOwnPins(attach.at(name), isOwnPin, [PIN.attach, name]);
    const kept = Object.entries(fallbacks).filter(([place]) => names.has(place));
    if (gone.length > 0 || kept.length < Object.keys(fallbacks).length)
      this.#write({ filters: filters.filter(({ place }) => names.has(place)), fallbacks: Object.fromEntries(kept) });
  }

  /** Whether a place is as this process left it: its stub attached, this program in its slot. True where nothing is held. */
  isSound(place: AttachPlace, program: BpfProgram | undefined): boolean {
    const attachment = this.#attachments.get(placeName(place));
    return !attachment?.held || (attachment.alive && (program === undefined || attachment.judging === program.info().id));
  }

  status(place: AttachPlace, around: Surroundings): HeldPlace {
    const attachment = this.#attachments.get(placeName(place));
    if (!attachment?.held || !attachment.alive) return { way: undefined, why: undefined };
    return { way: wayOf(place, attachment, around), why: this.#state.fallbacks[placeName(place)] };
  }

  /** What is pinned of the places; what is not pinned as an object is written again. */
  pins(): readonly HeldPin[] {
    if (JSON.stringify(readState(this.#root)) !== JSON.stringify(this.#state)) this.#write(this.#state);
    return [...this.#attachments.values()].flatMap((attachment) => attachment.pins());
  }

  /** Gives the descriptors back: everything goes on judging. */
  close(): void {
    for (const attachment of this.#attachments.values()) attachment.close();
    this.#attachments.clear();
  }
}

function wayOf(place: AttachPlace, { filter }: Attachment, { interfaces }: Surroundings): string {
  switch (place.kind) {
    case 'tc':
      return filter ? 'clsact' : 'tcx';
    case 'cgroup':
      return 'cgroup';
    case 'xdp':
      return interfaces.get(place.interface)?.xdp?.mode ?? 'xdp';
  }
}

function filterOptions({ netns, interface: index, direction, priority, handle }: FilterRecord) {
  return { interface: index, direction, priority, handle, ...(netns === undefined ? {} : { netns }) };
}

/** Takes a filter away that was written down, if it is still the one. */
function removeFilter(record: FilterRecord, attach: PinDirectory): void {
  const stub = attach.list().directories.includes(record.place) ? attach.at(record.place).program(PIN.stub) : undefined;
  if (!stub) return;
  try {
    const filter = TcFilter.at(filterOptions(record));
    if (filter.info()?.programId === stub.info().id) filter.detach();
  } finally {
    stub.close();
  }
}
