import { type BpfMap, type BpfProgram, PinDirectory, VerifierError } from '@weir/ebpf/kernel';
import { z } from 'zod';
import type { CompiledHook, MapNeed } from '../../model/ebpf-program.ts';
import { pinText, readText } from './blob.ts';
import { digestHooks, HooksDigest, sameHook } from './compare-hook.ts';
import { RefusedProgramError } from './engine-error.ts';
import type { HeldPin } from './held-pin.ts';
import { createMap, type LoadedHook, type LoadHookOptions, loadHook } from './load-hook.ts';
import { generationDirectory, PIN, pinName } from './pin-layout.ts';
import { addCounts, type CountColumns, carryCounts, createBase, noCounts, writeCounts } from './rule-counts.ts';

/** The programs of one hook by variant: they have the same rules. */
export type HookPrograms = ReadonlyMap<string, CompiledHook>;

/** What rules count in, which is carried over. */
type CountedNeed = Extract<MapNeed, { kind: 'counters' | 'event-counts' }>;

export function isCounted(need: MapNeed): need is CountedNeed {
  return need.kind === 'counters' || need.kind === 'event-counts';
}

/** What programs are bound to besides a generation's own maps; all of it stays the giver's. */
export interface GivenMaps {
  readonly provide: (need: MapNeed) => BpfMap | undefined;
}

interface Counted {
  readonly map: BpfMap;
  /** What was counted in generations before. */
  readonly base: BpfMap;
  readonly words: number;
}

const listSchema = z.object({ list: z.string(), family: z.union([z.literal(4), z.literal(6)]) });
const infoSchema = z.object({
  refs: z.array(z.string()),
  variants: z.array(z.string()),
  counted: z.array(z.string()),
  lists: z.array(listSchema),
  /** Symbols of what is kept for the hook, and for all hooks. */
  kept: z.array(z.string()),
  common: z.array(z.string()),
});

/** What programs look into that is not their generation's own. */
export interface Uses {
  readonly lists: readonly { readonly list: string; readonly family: 4 | 6 }[];
  /** Symbols of what is kept for the hook, and for all hooks. */
  readonly kept: readonly string[];
  readonly common: readonly string[];
}

export function usesOf(hooks: HookPrograms): Uses {
  const needs = [...hooks.values()].flatMap(({ maps }) => maps);
  const symbols = (kind: MapNeed['kind']): string[] => [...new Set(needs.filter((need) => need.kind === kind).map(({ symbol }) => symbol))];
  const lists = new Map(
    needs.flatMap((need) => (need.kind === 'list' ? [[`${need.family} ${need.list}`, { list: need.list, family: need.family }]] : [])),
  );
  return { lists: [...lists.values()], kept: symbols('limits'), common: [...symbols('events'), ...symbols('interfaces')] };
}

/**
 * The programs of a hook's rules at one time, with what they count in. It is in force where its programs stand in slots; it is pinned, so that the next process finds what
 * was counted and can put the programs into further slots. BpfError.
 */
export class Generation {
  readonly number: number;
  readonly refs: readonly string[];
  readonly programs: ReadonlyMap<string, BpfProgram>;
  readonly uses: Uses;
  readonly #directory: PinDirectory;
  readonly #counted: ReadonlyMap<string, Counted>;
  readonly #hooks: HookPrograms | undefined;
  readonly #mapIds = new Map<BpfProgram, ReadonlySet<number>>();
  #digest: HooksDigest | undefined;
  #closed = false;

  private constructor(
    directory: PinDirectory,
    parts: Pick<Generation, 'number' | 'refs' | 'programs' | 'uses'>,
    counted: ReadonlyMap<string, Counted>,
    hooks: HookPrograms | undefined,
  ) {
    this.#directory = directory;
    this.number = parts.number;
    this.refs = parts.refs;
    this.programs = parts.programs;
    this.uses = parts.uses;
    this.#counted = counted;
    this.#hooks = hooks;
  }

  /**
   * Loads and pins programs; nothing of them is in force yet. Nothing is left when it throws.
   * @throws BpfError, RefusedProgramError
   */
  static load(parent: PinDirectory, number: number, hooks: HookPrograms, given: GivenMaps): Generation {
    const directory = parent.at(generationDirectory(number));
    const refs = [...hooks.values()][0]?.rules.map(({ ref }) => ref) ?? [];
    const programs = new Map<string, BpfProgram>();
    const counted = new Map<string, Counted>();
    try {
      for (const [variant, compiled] of hooks) {
        const twin = [...hooks].find(([other, one]) => one === compiled && programs.has(other))?.[0];
        if (twin !== undefined) {
          pinAgain(directory, twin, variant, programs);
          continue;
        }
        const loaded = loadVariant(variant, compiled, {
          name: `weir_${compiled.place}`,
          provide: (need) => (isCounted(need) ? countIn(counted, need, refs.length) : given.provide(need)),
        });
        try {
          directory.pin(loaded.program, PIN.program + pinName(variant));
          const own = directory.program(PIN.program + pinName(variant));
          if (own) programs.set(variant, own);
        } finally {
          loaded.close();
        }
      }
      for (const [symbol, { map, base }] of counted) {
        directory.pin(map, PIN.counters + pinName(symbol));
        directory.pin(base, PIN.base + pinName(symbol));
      }
      const uses = usesOf(hooks);
      const info: Uses & { readonly refs: readonly string[]; readonly variants: readonly string[]; readonly counted: readonly string[] } = {
        refs,
        variants: [...hooks.keys()],
        counted: [...counted.keys()],
        ...uses,
      };
      pinText(directory, PIN.info, JSON.stringify(info));
      return new Generation(directory, { number, refs, programs, uses }, counted, hooks);
    } catch (error) {
      for (const program of programs.values()) program.close();
      for (const { map, base } of counted.values()) for (const one of [map, base]) one.close();
      directory.remove();
      throw error;
    }
  }

  /** What an earlier process pinned; undefined when it is not whole. */
  static open(parent: PinDirectory, number: number): Generation | undefined {
    const directory = parent.at(generationDirectory(number));
    const info = readInfo(directory);
    if (!info) return undefined;
    const programs = new Map<string, BpfProgram>();
    const counted = new Map<string, Counted>();
    const generation = new Generation(directory, { number, refs: info.refs, programs, uses: info }, counted, undefined);
    for (const variant of info.variants) {
      const program = directory.program(PIN.program + pinName(variant));
      if (program) programs.set(variant, program);
    }
    for (const symbol of info.counted) {
      const map = directory.map(PIN.counters + pinName(symbol));
      const base = directory.map(PIN.base + pinName(symbol));
      if (map && base) counted.set(symbol, { map, base, words: base.valueSize / 8 });
      else for (const one of [map, base]) one?.close();
    }
    if (programs.size === info.variants.length && counted.size === info.counted.length) return generation;
    generation.close();
    return undefined;
  }

  /** Whether these programs are the ones that this has already. */
  is(hooks: HookPrograms): boolean {
    if (!this.#hooks) return readText(this.#directory, PIN.digest) === digestHooks(hooks);
    return (
      hooks.size === this.#hooks.size &&
      [...hooks].every(([variant, compiled]) => {
        const mine = this.#hooks?.get(variant);
        return mine !== undefined && sameHook(mine, compiled);
      })
    );
  }

  /** Notes for the next process what these programs are, in steps of a few milliseconds: whether it is done. */
  seal(): boolean {
    if (!this.#hooks) return true;
    this.#digest ??= new HooksDigest(this.#hooks);
    const digest = this.#digest.step();
    if (digest === undefined) return false;
    pinText(this.#directory, PIN.digest, digest);
    return true;
  }

  /** The maps that a program is bound to, for as long as it is there. */
  mapIds(variant: string): ReadonlySet<number> | undefined {
    const program = this.programs.get(variant);
    if (!program) return undefined;
    const ids = this.#mapIds.get(program) ?? new Set(program.info().mapIds);
    this.#mapIds.set(program, ids);
    return ids;
  }

  /** The map that rules are counted in, as programs name it. */
  map(symbol: string): BpfMap | undefined {
    return this.#counted.get(symbol)?.map;
  }

  /** What is pinned of it; where what describes it is gone it is written again. */
  pins(): readonly HeldPin[] {
    const directory = this.#directory;
    const counted = [...this.#counted].flatMap(([symbol, { map, base }]): HeldPin[] => [
      { directory, pin: PIN.counters + pinName(symbol), kind: 'map', object: map },
      { directory, pin: PIN.base + pinName(symbol), kind: 'map', object: base },
    ]);
    if (readInfo(directory) === undefined) this.#describe();
    return [
      ...[...this.programs].map(
        ([variant, object]): HeldPin => ({ directory, pin: PIN.program + pinName(variant), kind: 'program', object }),
      ),
      ...counted,
    ];
  }

  #describe(): void {
    const { refs, uses } = this;
    const info: z.infer<typeof infoSchema> = {
      refs: [...refs],
      variants: [...this.programs.keys()],
      counted: [...this.#counted.keys()],
      lists: [...uses.lists],
      kept: [...uses.kept],
      common: [...uses.common],
    };
    pinText(PinDirectory.open(this.#directory.path), PIN.info, JSON.stringify(info));
  }

  /** What the rules have counted, also in generations before, by the map's symbol; undefined where there is no such map. */
  counts(symbol: string): CountColumns | undefined {
    const counted = this.#counted.get(symbol);
    if (!counted) return undefined;
    const sums = noCounts(counted.words, this.refs.length);
    addCounts(counted.base, sums);
    addCounts(counted.map, sums);
    return sums;
  }

  /** Takes over what another one counted, by the refs of the rules. Doing it again changes nothing but for what was counted there meanwhile. */
  inherit(before: Generation): void {
    for (const [symbol, { base, words }] of this.#counted) {
      const counts = before.counts(symbol);
      if (counts?.words === words) writeCounts(base, carryCounts(counts, before.refs, this.refs));
    }
  }

  /** Gives the descriptors back. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const program of this.programs.values()) program.close();
    for (const { map, base } of this.#counted.values()) for (const one of [map, base]) one.close();
  }

  /** Closes it and removes its pins; programs that stand in slots go on. */
  remove(): void {
    this.close();
    this.#directory.remove();
  }
}

function loadVariant(variant: string, compiled: CompiledHook, options: LoadHookOptions): LoadedHook {
  try {
    return loadHook(compiled, options);
  } catch (error) {
    throw error instanceof VerifierError ? new RefusedProgramError(variant, error) : error;
  }
}

/** One program for two variants that are the same. */
function pinAgain(directory: PinDirectory, twin: string, variant: string, programs: Map<string, BpfProgram>): void {
  const program = directory.program(PIN.program + pinName(twin));
  if (!program) return;
  programs.set(variant, program);
  directory.pin(program, PIN.program + pinName(variant));
}

/** The map for what rules count in a program, one for all variants. */
function countIn(counted: Map<string, Counted>, need: CountedNeed, rules: number): BpfMap {
  const known = counted.get(need.symbol);
  if (known) return known.map;
  const map = createMap(need);
  try {
    counted.set(need.symbol, { map, base: createBase(need.words, rules), words: need.words });
  } catch (error) {
    map.close();
    throw error;
  }
  return map;
}

function readInfo(directory: PinDirectory): z.infer<typeof infoSchema> | undefined {
  const text = readText(directory, PIN.info);
  if (text === undefined) return undefined;
  try {
    return infoSchema.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
