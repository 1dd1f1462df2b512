import type { SetElement } from '@weir/netlink/nftables';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MapEntry } from '../../model/kernel-map.ts';
import { entriesOf, entryElements, rangeElements } from './range-elements.ts';

const key = (value: number): Uint8Array => new Uint8Array([value >> 8, value & 255]);

/** Ranges in order and apart; they may touch. */
const ranges = fc
  .uniqueArray(fc.nat(65_535), { maxLength: 20 })
  .map((values) => values.sort((a, b) => a - b))
  .map((values) => values.flatMap((first, i) => (i % 2 === 0 ? [{ first: key(first), last: key(values[i + 1] ?? 65_535) }] : [])));

it('entries of a map come back from their elements, in whatever order these are', () => {
  fc.assert(
    fc.property(ranges, fc.boolean(), (list, reversed) => {
      const entries = list.map(({ first, last }, i): MapEntry => ({ first, last, verdict: { kind: 'goto', chain: `c${i}` } }));
      const elements = entryElements(entries, 'ranges', true);
      expect(entriesOf(reversed ? elements.reverse() : elements, 'ranges')).toEqual(entries);
    }),
  );
});

it('what is deleted is named by its keys alone', () => {
  const [entry] = [{ first: key(5), last: key(9), verdict: { kind: 'jump', chain: 'c' } }] as const;
  expect(entryElements([entry], 'ranges', false)).toEqual([{ key: key(5) }, { key: key(10), intervalEnd: true }]);
});

it.each([
  { name: 'the lowest', ranges: [[0, 4]], want: ['0', '5 end'] },
  { name: 'not the lowest', ranges: [[3, 4]], want: ['0 end', '3', '5 end'] },
  { name: 'the highest', ranges: [[300, 65_535]], want: ['0 end', '300'] },
  {
    name: 'side by side',
    ranges: [
      [1, 2],
      [3, 4],
    ],
    want: ['0 end', '1', '3', '5 end'],
  },
])('ranges as nft writes them: $name', ({ ranges: list, want }) => {
  const elements = rangeElements(list.map(([first, last]) => ({ first: key(first ?? 0), last: key(last ?? 0) })));
  const text = ({ key: bytes, intervalEnd }: SetElement): string =>
    `${((bytes?.[0] ?? 0) << 8) | (bytes?.[1] ?? 0)}${intervalEnd ? ' end' : ''}`;
  expect(elements.map(text)).toEqual(want);
});
