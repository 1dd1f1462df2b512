import { BpfMap, readEntries, sumCpus, updateBatch } from '@weir/ebpf/kernel';

/** Numbers of 64 bits that programs count up for each rule: `words` for each, one rule after the other. */
export interface CountColumns {
  readonly words: number;
  readonly counts: BigUint64Array<ArrayBuffer>;
}

export function noCounts(words: number, rules: number): CountColumns {
  return { words, counts: new BigUint64Array(rules * words) };
}

/** Adds what stands in an array with `words` numbers a rule, per CPU or not. BpfError. */
export function addCounts(map: BpfMap, { words, counts }: CountColumns): void {
  readEntries(map, (key, value) => {
    const rule = new DataView(key.buffer, key.byteOffset, key.length).getUint32(0, true);
    if (rule * words >= counts.length) return;
    const sums = sumCpus(value, words * 8);
    for (let word = 0; word < words; word++) counts[rule * words + word] = (counts[rule * words + word] ?? 0n) + (sums[word] ?? 0n);
  });
}

/** An array for counts of rules that no program has. BpfError. */
export function createBase(words: number, rules: number): BpfMap {
  return BpfMap.create({ name: 'weir_base', type: 'array', keySize: 4, valueSize: words * 8, maxEntries: Math.max(1, rules) });
}

/** Writes counts into an array that nobody counts in. BpfError. */
export function writeCounts(map: BpfMap, { words, counts }: CountColumns): void {
  const rules = counts.length / words;
  if (rules === 0) return;
  const keys = Uint32Array.from({ length: rules }, (_, rule) => rule);
  updateBatch(map, new Uint8Array(keys.buffer), new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength));
}

/** Counts of rules as those of other rules in another order, by their refs. What is of no rule any more is dropped. */
export function carryCounts({ words, counts }: CountColumns, from: readonly string[], to: readonly string[]): CountColumns {
  const places = new Map(from.map((ref, i) => [ref, i]));
  const out = noCounts(words, to.length);
  for (const [i, ref] of to.entries()) {
    const place = places.get(ref);
    if (place !== undefined) out.counts.set(counts.subarray(place * words, (place + 1) * words), i * words);
  }
  return out;
}
