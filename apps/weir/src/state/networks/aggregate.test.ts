import { covers, type Prefix, prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Aggregate } from './aggregate.ts';

/** Labels from 3 on are never merged. */
function aggregate(family: 4 | 6 = 4): { readonly it: Aggregate; readonly now: Map<string, number>; readonly told: string[] } {
  const now = new Map<string, number>();
  const told: string[] = [];
  const one = new Aggregate(family, {
    mergeable: (label) => label < 3,
    changed: (changed, label) => {
      told.push(`${printPrefix(changed)} ${label}`);
      if (label === 0) now.delete(printPrefix(changed));
      else now.set(printPrefix(changed), label);
    },
  });
  return { it: one, now, told };
}

describe('an aggregate', () => {
  it.each([
    { name: 'halves are their whole', input: ['10.0.0.0/25', '10.0.0.128/25'], want: ['10.0.0.0/24 1'] },
    {
      name: 'and halves of halves',
      input: ['10.0.0.0/32', '10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/30', '10.0.0.8/29'],
      want: ['10.0.0.0/28 1'],
    },
    { name: 'neighbours that are no halves are not', input: ['10.0.1.0/24', '10.0.2.0/24'], want: ['10.0.1.0/24 1', '10.0.2.0/24 1'] },
    { name: 'what is covered is left out', input: ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24'], want: ['10.0.0.0/8 1'] },
    { name: 'the whole address space is two halves', input: ['0.0.0.0/1', '128.0.0.0/1'], want: ['0.0.0.0/1 1', '128.0.0.0/1 1'] },
  ])('$name', ({ input, want }) => {
    const { it: one, now } = aggregate();
    for (const text of input) one.set(prefix(text), 1);
    expect([...now].map(([text, label]) => `${text} ${label}`).sort()).toEqual(want);
  });

  it('of IPv6 is one as well', () => {
    const { it: one, now } = aggregate(6);
    for (const text of ['2001:db8::/127', '2001:db8::2/127', '2001:db8:0:0:8000::/65', '2001:db8::/65']) one.set(prefix(text), 1);
    expect([...now]).toEqual([['2001:db8::/64', 1]]);
  });

  it('keeps what says something else than what covers it, and what covers it', () => {
    const { it: one, now } = aggregate();
    one.set(prefix('10.0.0.0/24'), 1);
    one.set(prefix('10.0.0.0/25'), 2);
    one.set(prefix('10.0.0.128/25'), 2);
    one.set(prefix('10.0.0.7/32'), 1);
    expect([...now]).toEqual([
      ['10.0.0.0/24', 1],
      ['10.0.0.0/25', 2],
      ['10.0.0.128/25', 2],
      ['10.0.0.7/32', 1],
    ]);
    // Without the whole the halves are one; what is in them still says something else.
    one.set(prefix('10.0.0.0/24'), 0);
    expect([...now]).toEqual([
      ['10.0.0.0/24', 2],
      ['10.0.0.7/32', 1],
    ]);
  });

  it('tells what takes the place of a whole when an address of it goes', () => {
    const { it: one, told } = aggregate();
    for (let i = 0; i < 8; i++) one.set(prefix(`10.0.0.${i}/32`), 1);
    told.length = 0;
    one.set(prefix('10.0.0.5/32'), 0);
    expect(told.sort()).toEqual(['10.0.0.0/29 0', '10.0.0.0/30 1', '10.0.0.4/32 1', '10.0.0.6/31 1']);
    expect(one.announced(prefix('10.0.0.6/31'))).toBe(1);
    expect(one.announced(prefix('10.0.0.6/32'))).toBe(0);
  });

  it('changes by the path from the root, however much there is', () => {
    let looks = 0;
    const told: string[] = [];
    const one = new Aggregate(4, {
      mergeable: () => {
        looks++;
        return true;
      },
      changed: (changed, label) => told.push(`${printPrefix(changed)} ${label}`),
    });
    // All addresses of 10.0.0.0/15, and every second one of 10.2.0.0/15.
    for (let i = 0; i < 1 << 17; i++) one.set(prefixFromWords(4, 0x0a000000 + i, 0, 0, 0, 32), 1);
    for (let i = 0; i < 1 << 16; i++) one.set(prefixFromWords(4, 0x0a020000 + 2 * i, 0, 0, 0, 32), 1);
    for (const { text, label, most } of [
      { text: '10.1.7.7/32', label: 0, most: 18 },
      { text: '10.1.7.7/32', label: 1, most: 18 },
      // Covers a hundred thousand with another label: none of them is told, or looked at.
      { text: '10.0.0.0/8', label: 2, most: 1 },
      { text: '10.0.0.0/8', label: 0, most: 1 },
    ]) {
      told.length = 0;
      looks = 0;
      one.set(prefix(text), label);
      expect(told.length).toBeGreaterThan(0);
      expect(told.length).toBeLessThanOrEqual(most);
      expect(looks).toBeLessThan(300);
    }
  });
});

/** Every prefix of addresses of eight bits. */
const any = fc
  .nat(8)
  .chain((length) => fc.nat(2 ** length - 1).map((at) => prefixFromWords(4, (at << (32 - length)) >>> 0, 0, 0, 0, length)));
const step = fc.tuple(
  any.filter(({ length }) => length > 0),
  fc.nat(3),
);

/** The label of the longest prefix that has an address, and all labels that it has. */
function judge(routes: Iterable<readonly [Prefix, number]>, address: number): readonly unknown[] {
  const at = prefixFromWords(4, (address << 24) >>> 0, 0, 0, 0, 8);
  const there = [...routes].filter(([one]) => covers(one, at));
  const longest = there.reduce<readonly [Prefix, number] | undefined>(
    (best, one) => (best && best[0].length > one[0].length ? best : one),
    undefined,
  );
  return [longest?.[1], [...new Set(there.map(([, label]) => label))].sort()];
}

it('says of every address what the prefixes say, with as few as there can be, after every step', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { it: one, now } = aggregate();
      const members = new Map<string, readonly [Prefix, number]>();
      for (const [changed, label] of steps) {
        one.set(changed, label);
        if (label === 0) members.delete(printPrefix(changed));
        else members.set(printPrefix(changed), [changed, label]);
      }
      const routes = [...now].map(([text, label]) => [prefix(text), label] as const);
      for (let address = 0; address < 256; address++) expect(judge(routes, address)).toEqual(judge(members.values(), address));
      expect(one.size).toBe(members.size);
      for (const [route, label] of routes) {
        expect(one.announced(route)).toBe(label);
        if (label === 3) continue;
        // Neither is it covered by the same, nor has it another half where the whole is no prefix of its own.
        const above = routes
          .filter(([other]) => other.length < route.length && covers(other, route))
          .sort(([a], [b]) => b.length - a.length)[0];
        expect(above?.[1]).not.toBe(label);
        const other = printPrefix(prefixFromWords(4, (route.w0 ^ (1 << (32 - route.length))) >>> 0, 0, 0, 0, route.length));
        const whole = prefixFromWords(4, route.w0, 0, 0, 0, route.length - 1);
        if (route.length > 1 && !members.has(printPrefix(whole))) expect(now.get(other)).not.toBe(label);
      }
      // The same as put together in another order, and nothing is left of it in the end.
      const again = aggregate();
      for (const [changed, label] of [...members.values()].reverse()) again.it.set(changed, label);
      expect(new Map([...again.now].sort())).toEqual(new Map([...now].sort()));
      for (const [changed] of members.values()) one.set(changed, 0);
      expect(now.size).toBe(0);
    }),
    { numRuns: 100 },
  );
});
