import { describe, expect, test } from 'vitest';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { HostTable } from './host-table.ts';

function made(homes: number): { readonly words: Int32Array; readonly table: HostTable } {
  const words = new Int32Array((SET_LAYOUT.poolSlot + homes + SET_LAYOUT.bucket.probes - 1) * SET_LAYOUT.slotWords);
  HostTable.writeHeader(words, homes);
  const table = HostTable.open(words);
  if (!table) throw new Error('no table');
  return { words, table };
}

const host = (i: number): [number, number, number, number] => [0x2001_0db8, 0, i >>> 16, Math.imul(i, 0x9e37_79b1) >>> 0];

describe('hosts by their hash', () => {
  test('find room near their home as long as two of three places are taken', () => {
    const { table } = made(1000);
    let without = 0;
    for (let i = 0; i < 2000; i++) if (!table.add(...host(i))) without++;
    expect([without < 20, table.size + without]).toEqual([true, 2000]);
    for (let i = 0; i < 4000; i++) if (i >= 2000) expect(table.has(...host(i))).toBe(false);
  });

  test('neighbours are spread as well', () => {
    const { table } = made(1000);
    let without = 0;
    for (let i = 0; i < 2000; i++) if (!table.add(0x2001_0db8, 0, 0, i)) without++;
    expect(without).toBeLessThan(20);
  });

  test('a place that was given back stays as it was until no program can be there', () => {
    const { words, table } = made(1);
    const places = table.places;
    for (let i = 0; i < places; i++) expect(table.add(...host(i))).toBe(true);
    expect(table.add(...host(places))).toBe(false);
    const before = words.slice();
    expect([table.remove(...host(5)), table.remove(...host(5)), table.resting]).toEqual([true, false, 1]);
    expect(table.add(...host(places))).toBe(false);
    const first = SET_LAYOUT.poolSlot * SET_LAYOUT.slotWords;
    for (let bucket = 0; bucket < places / 3; bucket++)
      for (let word = 0; word < 12; word++) expect(words[first + 16 * bucket + word]).toBe(before[first + 16 * bucket + word]);
    table.reclaim();
    expect([table.add(...host(places)), table.has(...host(places)), table.has(...host(5))]).toEqual([true, true, false]);
  });
});
