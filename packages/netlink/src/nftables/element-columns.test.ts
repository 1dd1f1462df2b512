import { parseHex, printHex, Reader, Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyDecodeErrors, expectTruncationIsNoticed } from '../codec-kit.ts';
import { decodeElementList, encodeElements, type SetElement } from './element.ts';
import { ElementCollector } from './element-collector.ts';
import { type ElementColumns, ElementEncoder, type ElementExtras, encodeKeyQuery, stride, wordsPerKey } from './element-columns.ts';

const TARGET = { table: 't', set: 's' };

function encode(columns: ElementColumns, extras?: ElementExtras, from = 0, to = columns.count): Uint8Array {
  const w = new Writer(1);
  new ElementEncoder(columns, extras).encode(w, TARGET, from, to);
  return w.finish();
}

/** The same elements as objects, for the encoder that makes one at a time. */
function objects(columns: ElementColumns, extras: ElementExtras = {}): SetElement[] {
  const k = wordsPerKey(columns.keyLength);
  const key = (at: number): Uint8Array => {
    const w = new Writer();
    for (let i = 0; i < k; i++) w.u32(columns.words[at + i] ?? 0);
    return w.finish().slice(0, columns.keyLength);
  };
  const { data: _, ...carried } = extras;
  const out: SetElement[] = [];
  for (let i = 0; i < columns.count; i++) {
    const at = i * stride(columns);
    if (columns.shape === 'single') out.push({ key: key(at), ...carried });
    else if (columns.shape === 'concatenated') out.push({ key: key(at), keyEnd: key(at + k), ...carried });
    else if (columns.words.subarray(at + k, at + 2 * k).every((word) => word === 0)) {
      const comment =
        carried.comment === undefined
          ? ''
          : `00${(carried.comment.length + 1).toString(16).padStart(2, '0')}${Buffer.from(`${carried.comment}\0`).toString('hex')}`;
      out.push({ key: key(at), ...carried, userdata: parseHex(`${comment}010401000000`) });
    } else out.push({ key: key(at), ...carried }, { key: key(at + k), intervalEnd: true });
  }
  return out;
}

const word = fc.integer({ min: 0, max: 0xffffffff });

function anyColumns(): fc.Arbitrary<ElementColumns> {
  return fc
    .tuple(
      fc.constantFrom<ElementColumns['shape'][]>('single', 'interval', 'concatenated'),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 12 }),
    )
    .chain(([shape, keyLength, count]) => {
      const length = count * stride({ shape, keyLength });
      const unused = (4 - (keyLength & 3)) & 3;
      return fc.array(fc.oneof({ weight: 4, arbitrary: word }, fc.constant(0)), { minLength: length, maxLength: length }).map((list) => {
        const k = wordsPerKey(keyLength);
        const words = Uint32Array.from(list, (value, i) =>
          i % k === k - 1 ? Math.floor(value / 2 ** (8 * unused)) * 2 ** (8 * unused) : value,
        );
        return { shape, keyLength, words, count };
      });
    });
}

describe('encoding columns', () => {
  it('has the layout of nft: two hosts', () => {
    const columns: ElementColumns = { shape: 'single', keyLength: 4, words: Uint32Array.of(0xc0000201, 0xc0000202), count: 2 };
    expect(printHex(encode(columns))).toBe(
      ['0600010074000000', '0600020073000000', '24000380', '100001800c00018008000100c0000201', '100001800c00018008000100c0000202'].join(''),
    );
  });

  it('has the layout of nft: a range and one up to the highest address', () => {
    const columns: ElementColumns = {
      shape: 'interval',
      keyLength: 4,
      words: Uint32Array.of(0xc0000200, 0xc0000300, 0xe0000000, 0),
      count: 2,
    };
    expect(printHex(encode(columns)).slice(32)).toBe(
      [
        '48000380',
        '100001800c00018008000100c0000200',
        '180001800c00018008000100c00003000800030000000001',
        '1c0001800c00018008000100e0000000',
        '0a00060001040100000000' + '00',
      ].join(''),
    );
  });

  it('gives what encoding object by object gives', () => {
    const extras = fc.constantFrom<ElementExtras[]>({}, { comment: 'why' }, { timeout: 5n }, { timeout: 5n, comment: 'x' });
    fc.assert(
      fc.property(anyColumns(), extras, (columns, carried) => {
        const w = new Writer();
        encodeElements(w, TARGET, objects(columns, carried), 0);
        expect(printHex(encode(columns, carried))).toBe(printHex(w.finish()));
      }),
    );
  });

  it('of maps gives each its value', () => {
    const columns: ElementColumns = { shape: 'single', keyLength: 2, words: Uint32Array.of(80 << 16, 81 << 16), count: 2 };
    const bytes = encode(columns, { data: { length: 6, words: Uint32Array.of(0x01020304, 0x05060000, 0x0708090a, 0x0b0c0000) } });
    expect(decodeElementList(new Reader(bytes)).elements).toEqual([
      { key: Uint8Array.of(0, 80), data: { kind: 'value', bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) } },
      { key: Uint8Array.of(0, 81), data: { kind: 'value', bytes: Uint8Array.of(7, 8, 9, 10, 11, 12) } },
    ]);
  });

  const full: { name: string; shape: ElementColumns['shape']; keyLength: number; want: number }[] = [
    { name: 'IPv4 hosts', shape: 'single', keyLength: 4, want: 4_095 },
    { name: 'IPv4 ranges', shape: 'interval', keyLength: 4, want: 1_638 },
    { name: 'IPv6 hosts', shape: 'single', keyLength: 16, want: 2_340 },
    { name: 'IPv6 ranges', shape: 'interval', keyLength: 16, want: 1_023 },
    { name: 'address and port ranges', shape: 'concatenated', keyLength: 8, want: 1_820 },
  ];
  it.each(full)('a message holds $want $name', ({ shape, keyLength, want }) => {
    const count = want + 1;
    const words = Uint32Array.from({ length: count * stride({ shape, keyLength }) }, (_, i) => i + 1);
    const encoder = new ElementEncoder({ shape, keyLength, words, count });
    expect(encoder.perMessage).toBe(want);
    encoder.encode(new Writer(), TARGET, 0, want);
    expect(() => encoder.encode(new Writer(), TARGET, 0, want + 1)).toThrow(RangeError);
  });

  it('refuses columns that are shorter than they say', () => {
    expect(() => new ElementEncoder({ shape: 'interval', keyLength: 4, words: new Uint32Array(3), count: 2 })).toThrow(RangeError);
  });

  it('finds the entry of an attribute, whatever ranges lie before it', () => {
    const words = Uint32Array.of(1, 2, 0xf0000000, 0, 5, 6, 7, 8);
    const encoder = new ElementEncoder({ shape: 'interval', keyLength: 4, words, count: 4 });
    expect([0, 1, 2, 3, 4, 5, 6].map((position) => encoder.entryAt(0, position))).toEqual([0, 0, 1, 2, 2, 3, 3]);
    expect([0, 1, 2].map((position) => encoder.entryAt(1, position))).toEqual([1, 2, 2]);
  });

  it('asks for the end of a range by its last key', () => {
    const ask = (keyLength: number, ...words: number[]) => {
      const w = new Writer();
      encodeKeyQuery(w, TARGET, { shape: 'interval', keyLength, words: Uint32Array.from(words), count: 1 }, 0, true);
      return decodeElementList(new Reader(w.finish())).elements[0]?.key;
    };
    expect(ask(4, 1, 0xc0000300)).toEqual(Uint8Array.of(0xc0, 0, 2, 0xff));
    expect(ask(2, 1 << 16, 0x01000000)).toEqual(Uint8Array.of(0, 0xff));
    expect(printHex(ask(16, 0, 0, 0, 1, 0x20010db9, 0, 0, 0) ?? new Uint8Array(0))).toBe('20010db8ffffffffffffffffffffffff');
  });
});

describe('collecting columns', () => {
  it('gives the same as decoding object by object, in one or many messages', () => {
    fc.assert(
      fc.property(anyColumns(), fc.integer({ min: 1, max: 5 }), (columns, step) => {
        const collector = new ElementCollector(columns.keyLength);
        for (let from = 0; from < columns.count; from += step) {
          collector.add(new Reader(encode(columns, {}, from, Math.min(from + step, columns.count))), 's');
        }
        const k = wordsPerKey(columns.keyLength);
        if (columns.shape === 'interval') {
          expect(collector.count).toBe(objects(columns).length);
          return;
        }
        const got = columns.shape === 'single' ? collector.singles() : collector.concatenated();
        expect(got.count).toBe(columns.count);
        for (let i = 0; i < columns.count * stride(columns); i++) {
          const zeroEnd =
            columns.shape === 'concatenated' &&
            columns.words.subarray(Math.floor(i / k) * k, Math.floor(i / k) * k + k).every((w) => w === 0);
          if (!zeroEnd) expect(got.words[i]).toBe(columns.words[i]);
        }
      }),
    );
  });

  for (const keyLength of [4, 16]) {
    it(`pairs shuffled ends of ranges of ${keyLength} bytes`, () => {
      const k = wordsPerKey(keyLength);
      fc.assert(
        fc.property(
          fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }),
          fc.boolean(),
          fc.boolean(),
          fc.infiniteStream(fc.nat()),
          (cuts, openEnd, adjacent, random) => {
            const bounds = cuts.sort((a, b) => a - b);
            if (bounds.length % 2 === 1) bounds.pop();
            const ranges: [number, number][] = [];
            for (let i = 0; i < bounds.length; i += 2) ranges.push([bounds[i]!, bounds[i + 1]!]);
            if (adjacent && ranges.length > 1) ranges[1]![0] = ranges[0]![1];
            if (openEnd) ranges.push([500, 0]);
            const high = (value: number): number[] => [...new Array(k - 1).fill(keyLength === 4 ? 0 : 7), value * 65_536];
            const ends = ranges.flatMap(([start, end]) => [{ word: start, end: false }, ...(end === 0 ? [] : [{ word: end, end: true }])]);
            for (let i = ends.length - 1; i > 0; i--) {
              const j = random.next().value % (i + 1);
              [ends[i], ends[j]] = [ends[j]!, ends[i]!];
            }
            const w = new Writer();
            const elements = ends.map(({ word: value, end }): SetElement => {
              const keyWriter = new Writer();
              for (const part of high(value)) keyWriter.u32(part);
              return { key: keyWriter.finish(), ...(end ? { intervalEnd: true } : {}) };
            });
            encodeElements(w, TARGET, [{ key: new Uint8Array(keyLength), intervalEnd: true }, ...elements], 0);
            const collector = new ElementCollector(keyLength);
            collector.add(new Reader(w.finish()), 's');
            const got = collector.intervals();
            const want = ranges.flatMap(([start, end]) => [...high(start), ...(end === 0 ? new Array<number>(k).fill(0) : high(end))]);
            expect([...got.words.subarray(0, got.count * 2 * k)]).toEqual(want);
          },
        ),
      );
    });
  }

  it('takes descending and ascending dumps without sorting, and more than a million', () => {
    const collector = new ElementCollector(4);
    const count = 60_000;
    for (let from = count; from > 0; from -= 1_000) {
      const words = Uint32Array.from({ length: 2_000 }, (_, i) => (from - (i >> 1)) * 256 + (i & 1) * 10);
      collector.add(new Reader(encode({ shape: 'interval', keyLength: 4, words, count: 1_000 })), 's');
    }
    const got = collector.intervals();
    expect(got.count).toBe(count);
    for (let i = 0; i < count; i++) {
      if (got.words[2 * i] !== (i + 1) * 256 || got.words[2 * i + 1] !== (i + 1) * 256 + 10) throw new Error(`range ${i}`);
    }
  });

  it('leaves out the catch-all, other sets, and what is beyond its limit', () => {
    const w = new Writer();
    encodeElements(w, TARGET, [{ catchall: true }, { key: parseHex('c0000201') }, { catchall: true, intervalEnd: true }], 0);
    const collector = new ElementCollector(4, 2);
    expect(collector.add(new Reader(w.finish()), 'other')).toBe(0);
    expect(collector.add(new Reader(w.finish()), 's')).toBe(1);
    expect(collector.singles()).toMatchObject({ count: 1 });
    expect(() => collector.add(new Reader(w.finish()), 's')).toThrow(RangeError);
    collector.reset();
    expect(collector.count).toBe(0);
  });

  it('input that is cut short, changed or of another key length gives a DecodeError or a value', () => {
    const bytes = encode(
      { shape: 'concatenated', keyLength: 8, words: Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8), count: 2 },
      { comment: 'c' },
    );
    const decode = (r: Reader) => new ElementCollector(8).add(r, 's');
    expectTruncationIsNoticed(decode, bytes);
    expectOnlyDecodeErrors(decode, bytes);
    expect(() => new ElementCollector(4).add(new Reader(bytes), 's')).toThrow(/8 bytes in a set of 4/);
  });
});
