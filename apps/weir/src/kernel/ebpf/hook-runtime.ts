import { type BpfMap, type BpfProgram, compareMap, type PinDirectory } from '@weir/ebpf/kernel';
import type { CompiledHook, MapNeed } from '../../model/ebpf-program.ts';
import { pinText, readText } from './blob.ts';
import { Generation, type HookPrograms, isCounted, type Uses, usesOf } from './generation.ts';
import type { HeldPin } from './held-pin.ts';
import type { ListStore } from './list-store.ts';
import { createMap, type LoadedHook, loadHook } from './load-hook.ts';
import { MapStore } from './map-store.ts';
import { generationDirectory, generationOf, PIN } from './pin-layout.ts';
import { type CountColumns, carryCounts } from './rule-counts.ts';
import { waitForPrograms } from './sets/wait-for-programs.ts';

/** A program of a generation before may still judge the packet that it began with; what it counts is taken over so many milliseconds later. */
const SETTLE_MS = 100;

export interface HookParts {
  readonly directory: PinDirectory;
  readonly lists: ListStore;
  /** What all hooks have in common. */
  readonly common: MapStore;
  /** A number that no generation had before. */
  readonly nextNumber: () => number;
}

const NONE: Uses = { lists: [], kept: [], common: [] };

/** The rules of one hook in the kernel: the generation in force, and the one before as long as its counts are not taken over. BpfError. */
export class HookRuntime {
  readonly #parts: HookParts;
  readonly #maps: MapStore;
  #current: Generation | undefined;
  #retired: { readonly generation: Generation; readonly at: number } | undefined;
  /** Of the programs that were last to be loaded: they may have been refused, and come again. */
  #asked: Uses = NONE;
  #sealed = true;
  /** What the generation in force is where it is not all that was wanted. */
  #standIn: string | undefined;

  /** Takes over what an earlier process pinned: the newest generation that is whole. */
  constructor(parts: HookParts) {
    this.#parts = parts;
    this.#maps = new MapStore(parts.directory);
    const numbers = generationNumbers(parts.directory).sort((a, b) => b - a);
    for (const number of numbers) {
      const found = Generation.open(parts.directory, number);
      if (found && !this.#current) this.#current = found;
      else if (found) {
        // Its counts may have been taken over already: doing it again is the same.
        this.#current?.inherit(found);
        found.remove();
      } else parts.directory.at(generationDirectory(number)).remove();
    }
    for (const { list, family } of this.#current?.uses.lists ?? []) parts.lists.adopt(list, family);
    this.#standIn = readStandIn(parts.directory, this.#current?.number);
  }

  /** What is in force in the place of the rules that were wanted, as it was noted by this process or one before it. */
  get standIn(): string | undefined {
    return this.#standIn;
  }

  /** Notes what the generation in force is where it is not all that was wanted. */
  noteStandIn(what: string | undefined): void {
    const { directory } = this.#parts;
    if (what === undefined && this.#standIn !== undefined) directory.unpin(PIN.standIn);
    // The number tells whether it is about the generation that is found.
    else if (what !== undefined && this.#current) pinText(directory, PIN.standIn, `${this.#current.number} ${what}`);
    this.#standIn = what;
  }

  get generation(): number | undefined {
    return this.#current?.number;
  }

  get refs(): readonly string[] {
    return this.#current?.refs ?? [];
  }

  program(variant: string): BpfProgram | undefined {
    return this.#current?.programs.get(variant);
  }

  /** Whether these programs are in force already. */
  is(programs: HookPrograms): boolean {
    return this.#current?.is(programs) ?? false;
  }

  /**
   * Loads programs and makes them the ones that are to stand in slots; false when they are already. `again`: also when they are the same. Nothing changes when it throws.
   * @throws BpfError, VerifierError
   */
  load(programs: HookPrograms, now: number, again = false): boolean {
    this.#asked = usesOf(programs);
    if (!again && this.is(programs) && this.#isBound(programs)) return false;
    this.takeCounts(now, true);
    const number = this.#parts.nextNumber();
    this.#maps.begin();
    const made: BpfMap[] = [];
    const next = Generation.load(this.#parts.directory, number, programs, {
      provide: (need) => {
        const map = this.#provide(need, number);
        if (need.kind === 'event-rates' || need.kind === 'generation') made.push(map);
        return map;
      },
    });
    for (const map of made) map.close();
    this.#maps.end();
    this.#maps.keep(new Set(next.uses.kept));
    if (this.#current) this.#retired = { generation: this.#current, at: now };
    this.#current = next;
    this.#sealed = false;
    return true;
  }

  /** Whether the programs in force look into the maps that are there now: one that was unpinned since, or moved, has been made anew. */
  #isBound(programs: HookPrograms): boolean {
    const ids = new Map<BpfMap, number>();
    for (const [variant, { maps, program }] of programs) {
      const bound = this.#current?.mapIds(variant);
      // Code that is never reached is left out, and what it alone would look into.
      const named = new Set(Array.from(program.references.symbols, (symbol) => program.symbols[symbol]?.name));
      for (const need of maps) {
        const map = this.#held(need);
        if (!map || !named.has(need.symbol)) continue;
        const id = ids.get(map) ?? map.info().id;
        ids.set(map, id);
        if (!bound?.has(id)) return false;
      }
    }
    return true;
  }

  /** The map of a need that outlives generations: found, or made. */
  #held(need: MapNeed): BpfMap | undefined {
    switch (need.kind) {
      case 'list':
        return this.#parts.lists.open(need).map;
      case 'limits':
        return this.#maps.kept(need);
      case 'events':
      case 'interfaces':
        return this.#parts.common.kept(need);
      default:
        return undefined;
    }
  }

  #provide(need: MapNeed, number: number): BpfMap {
    const held = this.#held(need);
    if (held) return held;
    switch (need.kind) {
      case 'table':
        return this.#maps.table(need);
      case 'event-rates':
        return createMap(need);
      case 'generation': {
        const map = createMap(need);
        map.update(new Uint8Array(4), new Uint8Array(Uint32Array.of(number).buffer));
        map.freeze();
        return map;
      }
      default:
        throw new TypeError(`${need.symbol} is of the generation`);
    }
  }

  /**
   * Loads a program that judges by the rules in force at another kind of place, and counts and limits with them; undefined where other rules are in force.
   * @throws BpfError, VerifierError
   */
  loadBeside(compiled: CompiledHook): LoadedHook | undefined {
    const current = this.#current;
    if (current?.refs.length !== compiled.rules.length || !compiled.rules.every(({ ref }, i) => ref === current.refs[i])) return undefined;
    // What is not there yet is made for this program alone.
    const provide = (need: MapNeed): BpfMap | undefined => {
      const known = isCounted(need)
        ? current.map(need.symbol)
        : need.kind === 'limits'
          ? this.#maps.find(need.symbol)
          : this.#parts.common.find(need.symbol);
      if (need.kind === 'list') return this.#parts.lists.open(need).map;
      return known && compareMap(known.info(), { name: known.name, ...need.shape }).length === 0 ? known : undefined;
    };
    return loadHook(compiled, { name: `weir_${compiled.place}`, provide });
  }

  /** What the programs look into that are in force, or were last to be loaded. */
  uses(): readonly Uses[] {
    return this.#current ? [this.#current.uses, this.#asked] : [this.#asked];
  }

  /** What is pinned of the rules in force. */
  pins(): readonly HeldPin[] {
    return [...(this.#current?.pins() ?? []), ...this.#maps.pins()];
  }

  /** What is kept of this hook alone. */
  kept(symbol: string): BpfMap | undefined {
    return this.#maps.find(symbol);
  }

  /**
   * Takes over what the generation before counted, once nothing counts there any more, and removes it; `atOnce` without waiting, and nothing else. After that it notes what the programs are,
   * which takes several calls.
   */
  takeCounts(now: number, atOnce = false): void {
    const retired = this.#retired;
    const settled = retired !== undefined && now - retired.at >= SETTLE_MS;
    if (retired && (atOnce || settled)) {
      if (!settled) waitForPrograms();
      this.#retired = undefined;
      this.#current?.inherit(retired.generation);
      retired.generation.remove();
    } else if (!retired && !this.#sealed && !atOnce) this.#sealed = this.#current?.seal() ?? true;
  }

  /** Milliseconds until `takeCounts` has something to do; undefined when it has not. */
  nextDue(now: number): number | undefined {
    if (this.#retired) return Math.max(0, this.#retired.at + SETTLE_MS - now);
    return this.#sealed ? undefined : 0;
  }

  /** What the rules in force have counted, by their refs. */
  counts(symbol: string): CountColumns | undefined {
    const sums = this.#current?.counts(symbol);
    const before = this.#retired?.generation;
    const counts = before?.counts(symbol);
    if (!sums || !before || counts?.words !== sums.words) return sums;
    for (const [i, count] of carryCounts(counts, before.refs, this.refs).counts.entries()) sums.counts[i] = (sums.counts[i] ?? 0n) + count;
    return sums;
  }

  /** Gives the descriptors back; what is pinned goes on. */
  close(now: number): void {
    this.takeCounts(now, true);
    while (!this.#sealed) this.#sealed = this.#current?.seal() ?? true;
    this.#current?.close();
    this.#maps.close();
  }

  /** Removes everything. Nothing may be attached any more. */
  remove(): void {
    this.#retired?.generation.close();
    this.#current?.close();
    this.#maps.close();
    this.#parts.directory.remove();
  }
}

function readStandIn(directory: PinDirectory, number: number | undefined): string | undefined {
  const [, of, what] = /^(\d+) (.*)$/s.exec(readText(directory, PIN.standIn) ?? '') ?? [];
  return number !== undefined && Number(of) === number ? what : undefined;
}

/** The numbers of the generations that are pinned for a hook. */
export function generationNumbers(directory: PinDirectory): number[] {
  return directory.list().directories.flatMap((name) => generationOf(name) ?? []);
}
