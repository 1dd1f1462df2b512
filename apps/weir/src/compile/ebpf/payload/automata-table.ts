import type { MapNeed } from '../../../model/ebpf-program.ts';
import { ACCEPTED, type Automaton, leastLength } from './automaton.ts';

/** The map with the automata of a program. */
export const AUTOMATA = 'automata';

/**
 * In the table a row is the offset of the entry for its class 0, and the entry before that says what becomes of a value that ends there. Entries are u32: rows, or REJECT or ACCEPT, which are less
 * than every row.
 */
export const REJECT = 0;
export const ACCEPT = 4;

/** Where an automaton begins: { offset of its classes, an octet for each octet u32 · first row u32 }. */
const HEADER = 8;
const FIRST = 16;
const CLASSES = 256;

/** All the automata of one program together, in octets. */
export const MAX_TABLE: number = 16 * 1024 * 1024;

/** An automaton in the table. */
export interface PlacedAutomaton {
  readonly offset: number;
  /** Before the first octet: it has decided already where this is not 'open'. */
  readonly start: 'open' | 'rejects' | 'accepts';
  /** Octets that what it accepts has at least. */
  readonly least: number;
}

/** The automata of one program as one value of one array, each once. */
export class AutomataTable {
  #octets = new Uint8Array(4096);
  #view = new DataView(this.#octets.buffer);
  #used = FIRST;
  readonly #known = new Map<string, PlacedAutomaton>();
  readonly #classes = new Map<string, number>();

  /** Whether there is anything in it. */
  get empty(): boolean {
    return this.#known.size === 0;
  }

  /** The automaton of a key, made by `make` the first time; undefined where `make` gives none, or there is no more room. */
  add(key: string, make: () => Automaton | undefined): PlacedAutomaton | undefined {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const automaton = make();
    const offset = automaton && this.#write(automaton);
    if (automaton === undefined || offset === undefined) return undefined;
    const { start } = automaton;
    const placed: PlacedAutomaton = {
      offset,
      start: start >= 0 ? 'open' : start === ACCEPTED ? 'accepts' : 'rejects',
      least: leastLength(automaton) ?? 0,
    };
    this.#known.set(key, placed);
    return placed;
  }

  /** Offsets that are masked with it lie in the table, and 255 octets more. */
  get mask(): number {
    let size = 4096;
    while (size < this.#used) size *= 2;
    return size - 1;
  }

  need(): MapNeed {
    const valueSize = this.mask + 1 + CLASSES;
    const contents = new Uint8Array(valueSize);
    contents.set(this.#octets.subarray(0, this.#used));
    return { kind: 'table', symbol: AUTOMATA, shape: { type: 'array', keySize: 4, valueSize, maxEntries: 1 }, contents };
  }

  #write({ start, classOf, classes, next, accepts }: Automaton): number | undefined {
    const width = 4 * (classes + 1);
    if (this.#used + HEADER + CLASSES + width * accepts.length > MAX_TABLE) return undefined;
    const classesAt = this.#writeClasses(classOf);
    const header = this.#reserve(HEADER);
    const rows = this.#reserve(width * accepts.length);
    const entry = (row: number): number => (row >= 0 ? rows + width * row + 4 : row === ACCEPTED ? ACCEPT : REJECT);
    this.#view.setUint32(header, classesAt, true);
    this.#view.setUint32(header + 4, entry(start), true);
    for (const [row, end] of accepts.entries()) {
      const at = rows + width * row;
      this.#view.setUint32(at, end === 1 ? ACCEPT : REJECT, true);
      for (let c = 0; c < classes; c++) this.#view.setUint32(at + 4 + 4 * c, entry(next[row * classes + c] ?? -1), true);
    }
    return header;
  }

  #writeClasses(classOf: Uint8Array): number {
    const key = classOf.join();
    const known = this.#classes.get(key);
    if (known !== undefined) return known;
    const at = this.#reserve(CLASSES);
    this.#octets.set(classOf, at);
    this.#classes.set(key, at);
    return at;
  }

  #reserve(octets: number): number {
    const at = this.#used;
    this.#used += Math.ceil(octets / 4) * 4;
    if (this.#used > this.#octets.length) {
      const grown = new Uint8Array(Math.max(this.#used, 2 * this.#octets.length));
      grown.set(this.#octets);
      this.#octets = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
