import { type Family, mask32, type Prefix, prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SET_LAYOUT } from '../../../model/set-layout.ts';
import { eachMember, openTrie } from './read-trie.ts';
import { type SetTrie, writeHeader } from './set-trie.ts';

type Words = readonly [number, number, number, number];

interface Kind {
  readonly name: string;
  readonly family: Family;
  /** Octets besides those of the trie. */
  readonly besides?: number;
  readonly homes?: number;
  /** How many times fewer histories are enough of memory that is large. */
  readonly slow?: number;
}

const FOUR: Kind = { name: 'IPv4', family: 4 };
const SIX: Kind = { name: 'IPv6', family: 6 };
const KINDS: readonly Kind[] = [
  FOUR,
  { name: 'IPv4, with networks', family: 4, besides: SET_LAYOUT.networksFrom, slow: 20 },
  SIX,
  // So few that they often find no room at home, or none at all.
  { name: 'IPv6, with hosts', family: 6, homes: 2 },
  { name: 'IPv6, with many hosts', family: 6, homes: 40 },
];

function memory({ family, besides = 0, homes = 0 }: Kind, slots = 4096): Int32Array {
  const words = new Int32Array(
    (SET_LAYOUT.poolSlot + slots + (homes > 0 ? homes + SET_LAYOUT.bucket.probes - 1 : 0)) * SET_LAYOUT.slotWords + besides / 4,
  );
  writeHeader(words, family, homes);
  return words;
}

function open(words: Int32Array, family: Family): SetTrie {
  const trie = openTrie(words, family);
  if (!trie) throw new Error('damaged');
  return trie;
}

const words = ({ w0, w1, w2, w3 }: Prefix): Words => [w0, w1, w2, w3];
const add = (trie: SetTrie, one: Prefix) => trie.add(...words(one), one.length);
const remove = (trie: SetTrie, one: Prefix) => trie.remove(...words(one), one.length);

function listed(memory: Int32Array, family: Family): string[] {
  const out: string[] = [];
  eachMember(memory, family, (w0, w1, w2, w3, length) => out.push(printPrefix(prefixFromWords(family, w0, w1, w2, w3, length))));
  return out.sort();
}

function inside(one: Prefix, address: Words): boolean {
  return words(one).every((word, i) => ((word ^ (address[i] as number)) & mask32(one.length - 32 * i)) === 0);
}

/** The address just before, in and just after a prefix, and one further inside. */
function probes(one: Prefix): Words[] {
  const bits = one.family === 4 ? 32 : 128;
  const value = words(one).reduce((sum, word, i) => (i < bits / 32 ? (sum << 32n) | BigInt(word) : sum), 0n);
  const size = 1n << BigInt(bits - one.length);
  return [value - 1n, value, value + size - 1n, value + size, value + size / 3n].map((address) => {
    const word = (i: number): number => Number(BigInt.asUintN(32, address >> BigInt(bits - 32 - 32 * i)));
    return bits === 32 ? [word(0), 0, 0, 0] : [word(0), word(1), word(2), word(3)];
  });
}

/** The addresses at the edges of `one` of which the trie says something else than a list of its members does. */
function misjudged(trie: SetTrie, one: Prefix, members: readonly Prefix[]): Words[] {
  return probes(one).filter((address) => trie.covers(...address) !== members.some((member) => inside(member, address)));
}

/** Prefixes that often share bits: few values of each nibble, lengths on and off the borders of nodes. */
function somePrefix(family: Family): fc.Arbitrary<Prefix> {
  const bits = family === 4 ? 32 : 128;
  const nibble = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.constantFrom(1, 8, 15) }, fc.nat(15));
  const length = fc.oneof(
    { weight: 2, arbitrary: fc.nat(bits) },
    fc.constantFrom(...(family === 4 ? [8, 16, 17, 20, 24, 28, 31, 32] : [16, 17, 32, 48, 63, 64, 65, 124, 127, 128])),
  );
  return fc.tuple(fc.array(nibble, { minLength: bits / 4, maxLength: bits / 4 }), length).map(([nibbles, bitsOf]) => {
    const word = (i: number): number => nibbles.slice(8 * i, 8 * i + 8).reduce((sum, one) => sum * 16 + one, 0);
    return family === 4 ? prefixFromWords(4, word(0), 0, 0, 0, bitsOf) : prefixFromWords(6, word(0), word(1), word(2), word(3), bitsOf);
  });
}

interface Change {
  readonly wanted: boolean;
  readonly prefix: Prefix;
}

/** Changes of few enough prefixes that they meet again. */
function history(family: Family): fc.Arbitrary<Change[]> {
  return fc
    .array(somePrefix(family), { minLength: 1, maxLength: 30 })
    .chain((all) => fc.array(fc.record({ wanted: fc.boolean(), prefix: fc.constantFrom(...all) }), { maxLength: 120 }));
}

afterEach(() => vi.restoreAllMocks());

describe.each(KINDS)('members of $name', (kind) => {
  const { family, slow = 1 } = kind;

  test('are what a list of them is, in every order, also when read again', () => {
    fc.assert(
      fc.property(history(family), (changes) => {
        const where = memory(kind);
        let trie = open(where, family);
        const naive = new Map<string, Prefix>();
        for (const [i, { wanted, prefix: one }] of changes.entries()) {
          const text = printPrefix(one);
          if (wanted) expect(add(trie, one)).toBe(naive.has(text) ? 'there' : 'added');
          else expect(remove(trie, one)).toBe(naive.has(text));
          if (wanted) naive.set(text, one);
          else naive.delete(text);
          expect(trie.has(...words(one), one.length)).toBe(wanted);
          if (i % 16 === 0) trie.reclaim();
          if (i % 9 === 8) trie = open(where, family);
        }
        expect(trie.size).toBe(naive.size);
        expect(listed(where, family)).toEqual([...naive.keys()].sort());
        const all = [...naive.values()];
        expect(changes.flatMap((change) => misjudged(trie, change.prefix, all))).toEqual([]);
        // Nothing is left of what is gone.
        for (const one of all) remove(trie, one);
        expect(trie.pool.used).toBe(0);
        expect(where.every((word, at) => word === 0 || at >= SET_LAYOUT.headerSlot * SET_LAYOUT.slotWords)).toBe(true);
      }),
      { numRuns: Math.ceil(50 / slow) },
    );
  });

  test('what is covered before and after a change is covered all the time', () => {
    const plain = Atomics.store;
    fc.assert(
      fc.property(history(family), (changes) => {
        const where = memory(kind);
        const trie = open(where, family);
        const addresses = changes.flatMap((change) => probes(change.prefix)).slice(0, 40);
        const seen = (): boolean[] => addresses.map((address) => trie.covers(...address));
        for (const { wanted, prefix: one } of changes) {
          const before = seen();
          const between: boolean[][] = [];
          const spy = vi.spyOn(Atomics, 'store').mockImplementation(((target: Int32Array, at: number, value: number) => {
            plain(target, at, value);
            // A short prefix is thousands of stores of one kind.
            if (between.length < 40 || at % 997 === 0) between.push(seen());
            return value;
          }) as typeof Atomics.store);
          if (wanted) add(trie, one);
          else remove(trie, one);
          spy.mockRestore();
          const after = seen();
          const gaps = between.filter((moment) => moment.some((covered, i) => before[i] === after[i] && covered !== after[i]));
          expect(gaps).toEqual([]);
        }
      }),
      { numRuns: Math.ceil(20 / slow) },
    );
  });

  test('a slot that is given back stays as it was until no program can be there', () => {
    fc.assert(
      fc.property(history(family), (changes) => {
        const where = memory(kind);
        const trie = open(where, family);
        const resting = new Map<number, string>();
        const release = trie.pool.release.bind(trie.pool);
        const contents = (slot: number): string => where.slice(slot * 16, slot * 16 + 16).join();
        vi.spyOn(trie.pool, 'release').mockImplementation((slot) => {
          resting.set(slot, contents(slot));
          release(slot);
        });
        for (const { wanted, prefix: one } of changes) {
          if (wanted) add(trie, one);
          else remove(trie, one);
          expect([...resting].filter(([slot, was]) => contents(slot) !== was)).toEqual([]);
        }
      }),
      { numRuns: Math.ceil(30 / slow) },
    );
  });

  test('when it is full nothing changes, and it goes on in larger memory', () => {
    fc.assert(
      fc.property(fc.uniqueArray(somePrefix(family), { maxLength: 60, selector: printPrefix }), (all) => {
        const small = memory(kind, 12);
        const trie = open(small, family);
        const fits: string[] = [];
        for (const one of all) {
          const before = trie.pool.available;
          const outcome = add(trie, one);
          if (outcome === 'full') expect([trie.pool.available, trie.has(...words(one), one.length)]).toEqual([before, false]);
          else fits.push(printPrefix(one));
        }
        expect(listed(small, family)).toEqual(fits.sort());
        const large = memory(kind, 600);
        const grown = open(large, family);
        const copied = grown.copy(trie);
        expect(copied).toBe(kind.homes === undefined);
        for (const one of all) expect(add(grown, one)).not.toBe('full');
        expect(all.flatMap((one) => misjudged(grown, one, all))).toEqual([]);
        expect(listed(large, family)).toEqual(all.map(printPrefix).sort());
        expect(grown.size).toBe(all.length);
      }),
      { numRuns: Math.ceil(50 / slow) },
    );
  });
});

describe('memory that another process left', () => {
  test('a member that is half written is taken out', () => {
    const where = memory(FOUR);
    const trie = open(where, 4);
    for (const text of ['192.0.2.0/30', '192.0.2.128/32', '198.48.0.0/14', '10.0.0.0/7']) add(trie, prefix(text));
    // One of the entries of each: of a node, of the first level, of first octets.
    const node = (where[0xc000] as number) >>> SET_LAYOUT.slotShift;
    expect(node).toBe(SET_LAYOUT.poolSlot);
    where[198 * 256 + 49] = 0;
    where[SET_LAYOUT.shortWords + 11] = 0;
    const again = open(where, 4);
    expect(listed(where, 4)).toEqual(['192.0.2.0/30', '192.0.2.128/32']);
    expect(again.size).toBe(2);
    expect([again.covers(10 << 24, 0, 0, 0), again.covers(0xc6330001, 0, 0, 0), again.covers(0xc0000202, 0, 0, 0)]).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('slots that it had given back are clean when they are taken again', () => {
    const where = memory(SIX, 12);
    const trie = open(where, 6);
    const all = ['2001:db8::1/128', '2001:db8::2/128', '2001:db8:8000::/48'].map(prefix);
    for (const one of all) add(trie, one);
    for (const one of all) remove(trie, one);
    const again = open(where, 6);
    again.reclaim();
    for (const one of all) expect(add(again, one)).toBe('added');
    expect(listed(where, 6)).toEqual(all.map(printPrefix).sort());
    expect(openTrie(where, 6)?.size).toBe(all.length);
  });

  test('networks that are not what the trie has are written anew', () => {
    const where = memory({ ...FOUR, besides: SET_LAYOUT.networksFrom });
    const trie = open(where, 4);
    for (const text of ['192.0.2.0/24', '192.0.3.1/32']) add(trie, prefix(text));
    const at = where.length - SET_LAYOUT.networksOctets / 4 + 0xc0000;
    expect([where[at], trie.isSound()]).toEqual([(1 << 4) | (2 << 6), true]);
    where[at] = 0;
    expect(trie.isSound()).toBe(false);
    open(where, 4);
    expect(where[at]).toBe((1 << 4) | (2 << 6));
  });

  test('hosts that programs would not find are found again, and no place is used that one may still look at', () => {
    const where = memory({ ...SIX, homes: 1 });
    const trie = open(where, 6);
    trie.reclaim();
    const all = Array.from({ length: 9 }, (_, i) => prefix(`2001:db8::${i + 1}/128`));
    for (const one of all) add(trie, one);
    expect([trie.hosts?.size, trie.pool.used]).toEqual([9, 0]);
    const buckets = SET_LAYOUT.bucket.probes;
    const passed = (SET_LAYOUT.poolSlot + 4096) * 16 + SET_LAYOUT.bucket.passed / 4;
    expect([where[passed], where[passed + 16]]).toEqual([6, 3]);
    expect(trie.isSound()).toBe(true);
    where[passed] = 0;
    expect(trie.isSound()).toBe(false);
    expect(trie.covers(...words(all[8] as Prefix))).toBe(false);
    const again = open(where, 6);
    expect([again.size, again.hostCount, where[passed], again.covers(...words(all[8] as Prefix))]).toEqual([9, 9, 6, true]);
    expect([again.hosts?.resting, again.hosts?.places]).toEqual([3 * buckets - 9, 3 * buckets]);
  });

  test.each<{ readonly name: string; readonly family: Family; readonly homes?: number; readonly damage: (words: Int32Array) => void }>([
    { name: 'no header', family: 4, damage: (w) => w.fill(0, SET_LAYOUT.headerSlot * 16, SET_LAYOUT.headerSlot * 16 + 16) },
    { name: 'another version', family: 4, damage: (w) => (w[SET_LAYOUT.headerSlot * 16 + 1] = 99) },
    { name: 'the other family', family: 4, damage: (w) => (w[SET_LAYOUT.headerSlot * 16 + 2] = 6) },
    { name: 'a slot that is not there', family: 4, damage: (w) => (w[0] = 0x3fffff << SET_LAYOUT.slotShift) },
    { name: 'a slot of the first level', family: 4, damage: (w) => (w[0] = 5 << SET_LAYOUT.slotShift) },
    {
      name: 'a node in a circle',
      family: 4,
      damage: (w) => (w[(SET_LAYOUT.poolSlot + 1) * 16] = (SET_LAYOUT.poolSlot + 1) << SET_LAYOUT.slotShift),
    },
    { name: 'a member in the place of another', family: 4, damage: (w) => (w[(SET_LAYOUT.poolSlot + 1) * 16] = -1) },
    { name: 'a record that is none', family: 6, damage: (w) => (w[SET_LAYOUT.poolSlot * 16 + 10] = 0) },
    { name: 'hosts outside of the memory', family: 6, damage: (w) => (w[SET_LAYOUT.headerSlot * 16 + 3] = 0x7fff_ffc0) },
    {
      name: 'a host in the place of another',
      family: 6,
      homes: 9000,
      damage: (w) => (w[w.indexOf(0x0100_0000, SET_LAYOUT.poolSlot * 16)] = 0),
    },
    { name: 'a record of other bits', family: 6, damage: (w) => (w[SET_LAYOUT.poolSlot * 16 + 9] = 17) },
  ])('$name is not taken for a set', ({ family, homes = 0, damage }) => {
    const where = memory({ name: '', family, homes });
    const trie = open(where, family);
    trie.reclaim();
    for (const text of family === 4 ? ['192.0.2.1/32', '192.0.2.2/32'] : ['2001:db8::1/128']) add(trie, prefix(text));
    damage(where);
    const left = where.slice();
    expect(openTrie(where, family)).toBeUndefined();
    expect(Buffer.compare(Buffer.from(where.buffer), Buffer.from(left.buffer))).toBe(0);
  });
});
