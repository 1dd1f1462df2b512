import { BpfMap, readValues, updateBatch } from '@weir/ebpf/kernel';

/** Numbers of 64 bits that programs count up for each rule: `words` for each, one rule after the other. */
export interface CountColumns {
  readonly words: number;
  readonly counts: BigUint64Array<ArrayBuffer>;
}

export function noCounts(words: number, rules: number): CountColumns {
  return { words, counts: new BigUint64Array(rules * words) };
}

/** Adds what stands in an array with `words` numbers a rule, per CPU or not; a value holds those of one rule or of several. BpfError. */
export function addCounts(map: BpfMap, { words, counts }: CountColumns): void {
  const values = readValues(map);
  const perValue = Math.floor(map.valueSize / 8 / words) * words;
  const sums = new Uint32Array(counts.buffer, counts.byteOffset, counts.length * 2);
  const parts = new Uint32Array(values.buffer);
  const halves = map.valueBytes / 4;
  const cpuHalves = Math.ceil(map.valueSize / 8) * 2;
  for (let value = 0, to = 0; value < map.maxEntries; value++, to += perValue * 2) {
    const end = Math.min(perValue * 2, sums.length - to);
    for (let cpu = value * halves; cpu < (value + 1) * halves; cpu += cpuHalves) {
      for (let at = 0; at < end; at += 2) {
        // Numbers of 64 bits by halves: as integers of their own they would be an object each.
        const low = (sums[to + at] ?? 0) + (parts[cpu + at] ?? 0);
        sums[to + at] = low;
        sums[to + at + 1] = (sums[to + at + 1] ?? 0) + (parts[cpu + at + 1] ?? 0) + (low > 0xffff_ffff ? 1 : 0);
      }
    }
  }
}

/** What an array has counted for so many rules. BpfError. */
export function readCounts(map: BpfMap, words: number, rules: number): CountColumns {
  const out = noCounts(words, rules);
  addCounts(map, out);
  return out;
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
  const out = noCounts(words, to.length);
  // Most lists have the rules that they had, in the same order.
  let begin = 0;
  while (begin < from.length && begin < to.length && from[begin] === to[begin]) begin++;
  let end = 0;
  while (end < from.length - begin && end < to.length - begin && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
  out.counts.set(counts.subarray(0, begin * words));
  out.counts.set(counts.subarray((from.length - end) * words, from.length * words), (to.length - end) * words);
  const places = new Map<string, number>();
  for (let i = begin; i < from.length - end; i++) places.set(from[i] ?? '', i);
  for (let i = begin; i < to.length - end; i++) {
    const place = places.get(to[i] ?? '');
    if (place !== undefined) out.counts.set(counts.subarray(place * words, (place + 1) * words), i * words);
  }
  return out;
}
