import { adoptMap, BpfMap, compareMap, type PinDirectory } from '@weir/ebpf/kernel';
import type { MapNeed } from '../../model/ebpf-program.ts';
import { sameTable } from './compare-hook.ts';
import type { HeldPin } from './held-pin.ts';
import { createMap } from './load-hook.ts';
import { isWeirs } from './own-pins.ts';
import { PIN, pinName } from './pin-layout.ts';

/** Maps of one hook that outlive a generation: tables that stay as they are, by their contents; and what is kept, by its pin. BpfError. */
export class MapStore {
  readonly #directory: PinDirectory;
  readonly #kept = new Map<string, { readonly kind: MapNeed['kind']; readonly map: BpfMap }>();
  #tables: { readonly need: MapNeed; readonly map: BpfMap; used: boolean }[] = [];

  /** `parent`: of the hook, or of all. */
  constructor(parent: PinDirectory) {
    this.#directory = parent.at(PIN.kept);
  }

  /** A table with these contents: one that is there already, or a new one. */
  table(need: MapNeed): BpfMap {
    const known = this.#tables.find((one) => sameTable(one.need, need));
    if (known) {
      known.used = true;
      return known.map;
    }
    const map = createMap(need);
    this.#tables.push({ need, map, used: true });
    return map;
  }

  /** Between generations: `begin` before one is loaded, `end` when it is in force, or was refused (`undo`). Tables that it does not use are let go. */
  begin(): void {
    for (const table of this.#tables) table.used = false;
  }

  end(): void {
    for (const table of this.#tables) if (!table.used) table.map.close();
    this.#tables = this.#tables.filter(({ used }) => used);
  }

  /** The map of this symbol that was there before, or a new one where there is none or its shape is another: then it begins empty. */
  kept({ kind, symbol, shape }: MapNeed): BpfMap {
    const spec = { name: mapName(symbol), ...shape };
    const name = pinName(symbol);
    const known = this.#kept.get(name);
    if (known && compareMap(known.map.info(), spec).length === 0) return known.map;
    const found = known ? undefined : adoptMap(this.#directory, name, spec);
    const map = found?.kind === 'adopted' ? found.map : BpfMap.create(spec);
    try {
      if (found?.kind !== 'adopted') this.#directory.pin(map, name);
    } catch (error) {
      map.close();
      throw error;
    }
    known?.map.close();
    this.#kept.set(name, { kind, map });
    return map;
  }

  /** What is kept for needs of a kind that this process has seen. */
  ofKind(kind: MapNeed['kind']): readonly BpfMap[] {
    return [...this.#kept.values()].filter((one) => one.kind === kind).map(({ map }) => map);
  }

  /** What is kept under a symbol, if anything is. */
  find(symbol: string): BpfMap | undefined {
    return this.#kept.get(pinName(symbol))?.map;
  }

  /** What is pinned of it. */
  pins(): readonly HeldPin[] {
    return [...this.#kept].map(([pin, { map }]) => ({ directory: this.#directory, pin, kind: 'map', object: map }));
  }

  /** Removes what is kept under other symbols. */
  keep(symbols: ReadonlySet<string>): void {
    const names = new Set([...symbols].map(pinName));
    for (const [name, { map }] of this.#kept) {
      if (names.has(name)) continue;
      map.close();
      this.#kept.delete(name);
    }
    for (const name of this.#directory.list().pinned) if (!names.has(name) && isWeirs(this.#directory, name)) this.#directory.unpin(name);
  }

  close(): void {
    for (const { map } of this.#tables) map.close();
    this.#tables = [];
    for (const { map } of this.#kept.values()) map.close();
    this.#kept.clear();
  }
}

/** What bpftool shows: at most 15 bytes of `A-Za-z0-9_.`. */
function mapName(symbol: string): string {
  return `weir_${symbol}`.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 15);
}
