import { createHash, type Hash } from 'node:crypto';
import type { CompiledHook, MapNeed } from '../../model/ebpf-program.ts';

/** Whether two programs do the same with the same maps, whatever their rules are called in files. */
export function sameHook(a: CompiledHook, b: CompiledHook): boolean {
  return (
    a.place === b.place &&
    a.rules.length === b.rules.length &&
    (a.rules === b.rules || a.rules.every((rule, i) => rule === b.rules[i] || rule.ref === b.rules[i]?.ref)) &&
    sameOctets(octetsOf(a.program.words), octetsOf(b.program.words)) &&
    sameOctets(octetsOf(a.program.references.slots), octetsOf(b.program.references.slots)) &&
    sameOctets(octetsOf(a.program.references.symbols), octetsOf(b.program.references.symbols)) &&
    JSON.stringify(a.program.symbols) === JSON.stringify(b.program.symbols) &&
    a.maps.length === b.maps.length &&
    a.maps.every((need, i) => {
      const other = b.maps[i];
      return other !== undefined && describeNeed(need) === describeNeed(other) && sameOctets(contentsOf(need), contentsOf(other));
    })
  );
}

/** The same for programs of different processes: a digest over all that `sameHook` compares. */
export function digestHooks(hooks: ReadonlyMap<string, CompiledHook>): string {
  const digest = new HooksDigest(hooks);
  for (;;) {
    const done = digest.step();
    if (done !== undefined) return done;
  }
}

/** Octets of tables that one step takes: a few milliseconds. */
const STEP_OCTETS = 1024 * 1024;

/** The digests of tables that have been seen: most tables stay when rules change. */
const DIGESTS = new WeakMap<Uint8Array, Buffer>();

/** `digestHooks` in steps. */
export class HooksDigest {
  readonly #hash = createHash('sha256');
  readonly #tables: Uint8Array[];
  #table: { readonly hash: Hash; at: number } | undefined;

  constructor(hooks: ReadonlyMap<string, CompiledHook>) {
    for (const [variant, { place, program, maps, rules }] of hooks) {
      this.#hash.update(JSON.stringify([variant, place, program.symbols, maps.map(describeNeed), rules.map(({ ref }) => ref)]));
      for (const words of [program.words, program.references.slots, program.references.symbols]) this.#hash.update(octetsOf(words));
    }
    this.#tables = [...hooks.values()].flatMap(({ maps }) => maps.map(contentsOf));
  }

  /** Goes on; the digest when it is done. */
  step(): string | undefined {
    let room = STEP_OCTETS;
    for (;;) {
      const [table] = this.#tables;
      if (!table) return this.#hash.digest('hex');
      let known = DIGESTS.get(table);
      if (!known) {
        if (room === 0) return undefined;
        this.#table ??= { hash: createHash('sha256'), at: 0 };
        const { hash, at } = this.#table;
        const slice = table.subarray(at, at + room);
        hash.update(slice);
        this.#table.at += slice.length;
        room -= slice.length;
        if (this.#table.at < table.length) return undefined;
        known = hash.digest();
        DIGESTS.set(table, known);
        this.#table = undefined;
      }
      this.#hash.update(known);
      this.#tables.shift();
    }
  }
}

/** Whether a map that was made for one need can serve another, as far as its shape and contents go. */
export function sameTable(a: MapNeed, b: MapNeed): boolean {
  return a.kind === 'table' && b.kind === 'table' && describeNeed(a) === describeNeed(b) && sameOctets(a.contents, b.contents);
}

/** What a need asks for, but for its contents. */
function describeNeed(need: MapNeed): string {
  return JSON.stringify(need, (key, value: unknown) => (key === 'contents' ? undefined : value));
}

const NONE = new Uint8Array(0);

function contentsOf(need: MapNeed): Uint8Array {
  return need.kind === 'table' ? need.contents : NONE;
}

function octetsOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0);
}
