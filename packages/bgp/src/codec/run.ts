import { mask32, type Prefix } from '@weir/wire/inet';
import { family } from './family.ts';
import type { NlriRun, UnicastFamily } from './types.ts';

/** Prefix `index` as a value. Makes an object: for display and small runs, not for full tables. */
export function prefixAt(run: NlriRun, index: number): Prefix {
  if (!(index >= 0 && index < run.count)) throw new RangeError(`run of ${run.count} prefixes has no index ${index}`);
  return family(run.family).prefixAt(run, index);
}

/** A run from prefixes, with their path identifiers where add-path is on. RangeError when a prefix is of the other address family. */
export function nlriRun(name: UnicastFamily, prefixes: readonly Prefix[], pathIds?: readonly number[]): NlriRun {
  const { address, stride } = family(name);
  const words = new Uint32Array(prefixes.length * stride);
  const lengths = new Uint8Array(prefixes.length);
  prefixes.forEach((p, i) => {
    if (p.family !== address) throw new RangeError(`IPv${p.family} prefix in ${name}`);
    lengths[i] = p.length;
    words[i * stride] = p.w0 & mask32(p.length);
    if (stride === 4) words.set([p.w1, p.w2, p.w3], i * 4 + 1);
  });
  return { family: name, count: prefixes.length, words, lengths, pathIds: pathIds ? Uint32Array.from(pathIds) : undefined };
}

/** Runs of one family as one; path identifiers are kept where any run has them. */
export function concatRuns(name: UnicastFamily, runs: readonly NlriRun[]): NlriRun {
  const [only] = runs;
  if (runs.length === 1 && only) return only;
  const { stride } = family(name);
  const count = runs.reduce((n, run) => n + run.count, 0);
  const words = new Uint32Array(count * stride);
  const lengths = new Uint8Array(count);
  const pathIds = runs.some((run) => run.pathIds) ? new Uint32Array(count) : undefined;
  let at = 0;
  for (const run of runs) {
    words.set(run.words.subarray(0, run.count * stride), at * stride);
    lengths.set(run.lengths.subarray(0, run.count), at);
    if (run.pathIds) pathIds?.set(run.pathIds.subarray(0, run.count), at);
    at += run.count;
  }
  return { family: name, count, words, lengths, pathIds };
}
