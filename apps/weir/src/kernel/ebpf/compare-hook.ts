import { createHash } from 'node:crypto';
import type { CompiledHook, MapNeed } from '../../model/ebpf-program.ts';

/** Whether two programs do the same with the same maps, whatever their rules are called in files. */
export function sameHook(a: CompiledHook, b: CompiledHook): boolean {
  return (
    a.place === b.place &&
    a.rules.length === b.rules.length &&
    a.rules.every(({ ref }, i) => ref === b.rules[i]?.ref) &&
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
  const hash = createHash('sha256');
  for (const [variant, { place, program, maps, rules }] of hooks) {
    hash.update(JSON.stringify([variant, place, program.symbols, maps.map(describeNeed), rules.map(({ ref }) => ref)]));
    for (const words of [program.words, program.references.slots, program.references.symbols]) hash.update(octetsOf(words));
    for (const need of maps) hash.update(contentsOf(need));
  }
  return hash.digest('hex');
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
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
