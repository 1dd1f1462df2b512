import { encodeAttributes, sessionContext } from '@weir/bgp/codec';
import { Writer } from '@weir/wire/bytes';
import { asn, covers, overlaps, type Prefix, parseIp, prefix, prefixFromWords } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { CommunityPattern } from '../model/named-set.ts';
import { attributeKey, decodeKey, nextHopOf, rawAttributesOf } from './attribute-key.ts';
import { AttributeStore } from './attribute-store.ts';
import { CommunityMatcher, matchedCommunities } from './community-matcher.ts';
import { CoverIndex } from './cover-index.ts';
import { FeedTable } from './feed-table.ts';
import { MemberTable } from './member-table.ts';
import { isNeverMember, NEVER_MEMBERS, SHORTEST } from './never-members.ts';
import { Smallest } from './smallest.ts';
import { testSet } from './test-fixtures.ts';
import { TokenBucket } from './token-bucket.ts';

// Properties take long on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const prefix4 = fc
  .tuple(fc.constantFrom(0xcb007100, 0xcb007000, 0x7f000000, 0xa9fe0000, 0xe0000000, 0, 0xffffff00), fc.nat(255), fc.nat(32))
  .map(([base, low, length]) => prefixFromWords(4, (base | low) >>> 0, 0, 0, 0, length));
const prefix6 = fc
  .tuple(fc.constantFrom(0x20010db8, 0, 0xfe800000, 0xff020000), fc.nat(3), fc.constantFrom(0, 0xffff), fc.nat(3), fc.nat(128))
  .map(([w0, w1, w2, w3, length]) => prefixFromWords(6, w0, w1, w2, w3, length));
const words = (p: Prefix): Uint32Array => Uint32Array.of(9, p.w0, p.w1, p.w2, p.w3);

describe('CoverIndex', () => {
  it.each([
    [4, prefix4],
    [6, prefix6],
  ] as const)('agrees with the prefix algebra (IPv%i)', (family, arbitrary) => {
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 8 }), arbitrary, (list, p) => {
        const index = new CoverIndex(family, list);
        expect(index.covers(words(p), 1, p.length)).toBe(list.some((q) => covers(q, p)));
        expect(index.overlaps(words(p), 1, p.length)).toBe(list.some((q) => overlaps(q, p)));
      }),
      { numRuns: 500 },
    );
  });
});

it('what never is a member: the list and the shortest lengths, and nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(prefix4, prefix6), (p) => {
      const want = p.length < SHORTEST[p.family] || NEVER_MEMBERS.some((never) => overlaps(never, p));
      expect(isNeverMember(p.family, words(p), 1, p.length)).toBe(want);
    }),
    { numRuns: 1000 },
  );
});

it('MemberTable agrees with a Map', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(1500), fc.nat(1000)), { maxLength: 2000 }), (steps) => {
      const table = new MemberTable();
      const map = new Map<number, number>();
      for (const [what, id, value] of steps) {
        if (what === 0) {
          if (map.delete(id)) table.delete(id);
        } else {
          const slot = table.ensure(id);
          if (table.created === map.has(id)) throw new Error(`created says otherwise for ${id}`);
          table.cells[slot] = value + 1;
          map.set(id, value + 1);
        }
      }
      const seen = new Map<number, number>();
      table.forEach((id, cell) => {
        seen.set(id, cell);
      });
      expect(seen).toEqual(map);
      expect(table.size).toBe(map.size);
      const ids = Array.from({ length: 1501 }, (_, id) => id);
      expect(ids.map((id) => table.get(id))).toEqual(ids.map((id) => map.get(id) ?? 0));
    }),
    { numRuns: 200 },
  );
});

it('MemberTable shrinks again', () => {
  const table = new MemberTable();
  for (let id = 0; id < 100_000; id++) table.cells[table.ensure(id)] = 1;
  const { bytes } = table;
  for (let id = 0; id < 100_000; id++) table.delete(id);
  expect([table.size, table.bytes < bytes / 100]).toEqual([0, true]);
});

describe('AttributeStore', () => {
  const bytes = (n: number): Uint8Array => new Uint8Array(1 + (n % 5) * 15_000).fill(n);

  it('agrees with a Map under any mixture of references, through compaction', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(40)), { maxLength: 300 }), (steps) => {
        const feeds = new FeedTable();
        const store = new AttributeStore(feeds, { k0: 1, k1: 2 });
        const refs = new Map<number, { id: number; refs: number }>();
        for (const [add, n] of steps) {
          const entry = refs.get(n);
          if (add) {
            const id = store.intern(bytes(n));
            if (entry) expect(id).toBe(entry.id);
            else store.setAsks(id, feeds.acquire([n, n + 1]));
            store.retain(id);
            refs.set(n, { id, refs: (entry?.refs ?? 0) + 1 });
          } else if (entry) {
            store.release(entry.id);
            if (entry.refs === 1) refs.delete(n);
            else refs.set(n, { ...entry, refs: entry.refs - 1 });
          }
        }
        expect([store.size, feeds.size, [...store.ids()].length]).toEqual([refs.size, refs.size, refs.size]);
        for (const [n, { id }] of refs) {
          expect(store.find(bytes(n))).toBe(id);
          expect(Buffer.compare(store.bytes(id), bytes(n))).toBe(0);
          expect(feeds.list(store.asks(id))).toEqual([n, n + 1]);
        }
        expect(store.liveBytes).toBe([...refs.keys()].reduce((sum, n) => sum + bytes(n).length, 0));
      }),
      { numRuns: 40 },
    );
  });

  it('gives space back once most of it is dead', () => {
    const store = new AttributeStore(new FeedTable(), { k0: 1, k1: 2 });
    const ids = Array.from({ length: 100 }, (_, i) => {
      const id = store.intern(new Uint8Array(60_000 + i));
      store.retain(id);
      return id;
    });
    expect(store.heldBytes).toBeGreaterThan(6_000_000);
    for (const id of ids.slice(1)) store.release(id);
    expect(store.heldBytes).toBeLessThan(3 << 20);
    expect(store.bytes(ids[0]!).length).toBe(60_000);
  });

  it('forgets what was interned and never referred to', () => {
    const store = new AttributeStore(new FeedTable(), { k0: 1, k1: 2 });
    store.discardUnused(store.intern(bytes(3)));
    expect([store.size, store.find(bytes(3))]).toEqual([0, 0]);
    expect(() => store.release(store.intern(bytes(3)))).toThrow(RangeError);
  });
});

it('FeedTable gives equal lists one id and forgets the unreferenced', () => {
  const feeds = new FeedTable();
  const [a, b, c] = [feeds.acquire([1, 4]), feeds.acquire([1, 4]), feeds.acquire([4])];
  expect([a === b, a === c, feeds.size, feeds.acquire([])]).toEqual([true, false, 2, 0]);
  feeds.release(a);
  expect(feeds.list(b)).toEqual([1, 4]);
  feeds.release(b);
  feeds.release(c);
  expect(feeds.size).toBe(0);
  expect(() => feeds.release(c)).toThrow(RangeError);
  expect(feeds.acquire([4])).not.toBe(feeds.acquire([1, 4]));
});

it('Smallest gives the first of a long list in order, and whether there is more', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(), { maxLength: 500 }), fc.integer({ min: 1, max: 50 }), (list, limit) => {
      const smallest = new Smallest(limit, (a, b) => a - b);
      for (const item of list) smallest.offer(item);
      const { items, more } = smallest.result();
      expect([...items]).toEqual([...list].sort((a, b) => a - b).slice(0, limit));
      expect(more).toBe(list.length > limit);
    }),
  );
});

it('TokenBucket allows the burst, then the rate', () => {
  const bucket = new TokenBucket({ rate: 10, burst: 3 }, 0);
  expect([1, 2, 3, 4].map(() => bucket.take(0))).toEqual([true, true, true, false]);
  expect([bucket.readyAt(1, 0), bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([100, false, true, false]);
  expect([1, 2, 3, 4].map(() => bucket.take(10_000))).toEqual([true, true, true, false]);
  bucket.change({ rate: 1, burst: 1 }, 10_000);
  expect(bucket.readyAt(5, 10_000)).toBe(11_000);
  expect(new TokenBucket({ rate: 0, burst: 1 }, 0).readyAt(1, 0)).toBe(0);
});

describe('communities', () => {
  const raw = (): Uint8Array => {
    const w = new Writer();
    encodeAttributes(
      w,
      {
        origin: 'igp',
        communities: [((64512 << 16) | 80) >>> 0, 0xffff029a],
        largeCommunities: [{ global: 4_200_000_001, local1: 1, local2: 2 }],
        extendedCommunities: [
          { high: 0x0002fc00, low: 80 },
          { high: 0x0103c000, low: 0x02010050 },
          { high: 0x0202fa56, low: 0xea010007 },
          { high: 0x4302abcd, low: 1 },
        ],
      },
      sessionContext(),
    );
    return w.finish();
  };
  const rows: readonly { pattern: CommunityPattern; want: readonly string[] }[] = [
    { pattern: { kind: 'standard', fields: [64512, 80] }, want: ['64512:80'] },
    { pattern: { kind: 'standard', fields: [64512, 81] }, want: [] },
    { pattern: { kind: 'standard', fields: ['*', 666] }, want: ['65535:666'] },
    { pattern: { kind: 'standard', fields: ['*', '*'] }, want: ['64512:80', '65535:666'] },
    { pattern: { kind: 'large', fields: [4_200_000_001, '*', 2] }, want: ['4200000001:1:2'] },
    { pattern: { kind: 'large', fields: [4_200_000_001, 2, '*'] }, want: [] },
    { pattern: { kind: 'extended', type: 'rt', fields: [64512, 80] }, want: ['rt:64512:80'] },
    { pattern: { kind: 'extended', type: 'ro', fields: [64512, 80] }, want: [] },
    { pattern: { kind: 'extended', type: 'ro', fields: [0xc0000201, 80] }, want: ['ro:192.0.2.1:80'] },
    { pattern: { kind: 'extended', type: 'rt', fields: [4_200_000_001, '*'] }, want: ['rt:4200000001:7'] },
    { pattern: { kind: 'extended', type: 'rt', fields: ['*', '*'] }, want: ['rt:64512:80', 'rt:4200000001:7'] },
    { pattern: { kind: 'extended-generic', high: 0x4302abcd, low: '*' }, want: ['generic:0x4302abcd:0x00000001'] },
  ];

  it.each(rows)('$pattern matches $want', ({ pattern, want }) => {
    const set = testSet('s', { communities: [pattern] });
    expect(matchedCommunities(set, raw())).toEqual(want);
    expect(new CommunityMatcher([undefined, set]).match(raw())).toEqual(want.length > 0 ? [1] : []);
  });

  it('several sets by one community, and one set by several', () => {
    const sets = [
      testSet('a'),
      testSet('b', { communities: rows.map((r) => r.pattern) }),
      testSet('c', { communities: [{ kind: 'standard', fields: [1, 1] }] }),
    ];
    expect(new CommunityMatcher(sets).match(raw())).toEqual([0, 1]);
    expect(new CommunityMatcher(sets).match(new Uint8Array())).toEqual([]);
  });

  it('reads attributes of any bytes without leaving them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (junk) => {
        new CommunityMatcher([testSet('a')]).match(junk);
      }),
    );
  });
});

describe('attribute keys', () => {
  const global = parseIp('2001:db8::fe')!;
  it.each([
    { name: 'no next hop', nextHop: undefined },
    { name: 'IPv4', nextHop: { address: parseIp('192.0.2.1')! } },
    { name: 'IPv6', nextHop: { address: global } },
    { name: 'IPv6 with its link-local address', nextHop: { address: global, linkLocal: parseIp('fe80::1')! } },
  ])('$name', ({ nextHop }) => {
    const attributes = { origin: 'egp' as const, asPath: [{ kind: 'sequence' as const, asns: [asn(64513)] }], med: 5 };
    for (const fourOctetAs of [true, false]) {
      const w = new Writer();
      encodeAttributes(w, attributes, sessionContext({ fourOctetAs }));
      const key = attributeKey(w.finish(), nextHop, fourOctetAs, undefined).slice();
      expect(nextHopOf(key)).toEqual(nextHop);
      expect(decodeKey(key)).toMatchObject(attributes);
      expect(rawAttributesOf(key).length).toBe(w.length);
      expect(decodeKey(attributeKey(w.finish(), nextHop, fourOctetAs, 4_200_000_000))).toMatchObject({
        ...attributes,
        onlyToCustomer: 4_200_000_000,
      });
    }
  });

  it('bytes that the codec would not read again decode as nothing', () => {
    expect(decodeKey(Uint8Array.of(1, 0, 0x40, 0x01))).toEqual({});
    expect(prefix('0.0.0.0/0').length).toBe(0);
  });
});
