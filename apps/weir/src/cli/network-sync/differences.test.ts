import { prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { NetworkSource } from '../../model/network.ts';
import { type Contents, emptyTables, place } from './contents.ts';
import { differences, emptied } from './differences.ts';
import { KnownTables } from './known-tables.ts';
import { renderDifferences, summarize } from './render.ts';

const TABLES = [
  { table: 'admins', communities: ['65000:1'], max: 10 },
  { table: 'spammers', communities: ['65000:2', '64512:1:2'], max: 10 },
  { table: '65000:9', communities: ['65000:9'] },
];
const known = (only: readonly string[] = [], unnamed = false): KnownTables => new KnownTables(TABLES, { only, unnamed });
const operator: NetworkSource = { kind: 'operator' };

/** Table and prefix; a source where it is another. */
type Entry = readonly [string, string, NetworkSource?];

function here(...all: readonly Entry[]): ReturnType<typeof emptyTables> {
  const tables = emptyTables();
  for (const [table, text, source = operator] of all)
    tables.apply([
      { kind: 'set', table, prefixes: [prefix(text)], note: { source, by: '', since: 1, until: undefined, comment: undefined } },
    ]);
  return tables;
}

function there(...all: readonly Entry[]): Contents {
  return { tables: here(...all), told: undefined, families: [4, 6] };
}

const text = (...given: Parameters<typeof differences>): string =>
  [...renderDifferences(differences(...given), { remove: true, dryRun: false })].join('');

describe('differences', () => {
  it('are what is only there and only here, in the order of addresses', () => {
    const a = here(['spammers', '203.0.113.9/32'], ['spammers', '203.0.113.1/32'], ['admins', '192.0.2.1/32']);
    const b = there(
      ['spammers', '2001:db8::/48'],
      ['spammers', '198.51.100.0/24'],
      ['spammers', '203.0.113.1/32'],
      ['admins', '192.0.2.1/32'],
    );
    expect(text(a, b, known())).toBe(`table admins: the same, 1 prefix
table spammers: 2 here, 3 there; 2 only there; 1 only here
+ 198.51.100.0/24
+ 2001:db8::/48
- 203.0.113.9/32
`);
  });

  it('leave out what others have put here, and say who', () => {
    const feed: NetworkSource = { kind: 'feed', name: 'list' };
    const a = here(['spammers', '203.0.113.1/32', feed], ['spammers', '203.0.113.2/32', feed], ['spammers', '203.0.113.2/32']);
    const found = differences(a, there(['spammers', '203.0.113.1/32']), known(['spammers']));
    expect(summarize(found)).toEqual({
      tables: [{ table: 'spammers', here: 2, there: 1, only_there: [], only_here: [{ prefix: '203.0.113.2/32', stays: 'feed list' }] }],
      unknown: [],
    });
    expect(emptied(found)).toEqual([]);
  });

  it('are not known of a family that was not spoken of, and of tables that were not told', () => {
    const a = here(['spammers', '203.0.113.1/32'], ['spammers', '2001:db8::/48'], ['admins', '192.0.2.1/32']);
    expect(text(a, { ...there(), families: [6], told: ['spammers'] }, known())).toBe(
      'table spammers: 1 here, 0 there; 0 only there; 1 only here\n- 2001:db8::/48\n',
    );
  });

  it('say which tables would be empty', () => {
    const a = here(['spammers', '203.0.113.1/32'], ['admins', '192.0.2.1/32']);
    expect(emptied(differences(a, there(['admins', '192.0.2.2/32']), known()))).toEqual(['spammers']);
  });

  it('count what no table here has, or take it as tables without a name', () => {
    const a = here(['65000:9', '203.0.113.1/32']);
    const b = there(['65000:8', '203.0.113.2/32'], ['no table', '203.0.113.3/32'], ['no table', '203.0.113.4/32']);
    expect(differences(a, b, known())).toMatchObject({
      tables: [{ table: 'admins' }, { table: 'spammers' }],
      unknown: [
        { community: 'no table', prefixes: 2 },
        { community: '65000:8', prefixes: 1 },
      ],
    });
    const taken = differences(a, b, known([], true));
    expect(taken.unknown).toEqual([{ community: 'no table', prefixes: 2 }]);
    expect(taken.tables.map(({ table, add, remove }) => [table, add.length, remove.length])).toEqual([
      ['admins', 0, 0],
      ['spammers', 0, 0],
      ['65000:8', 1, 0],
      ['65000:9', 0, 1],
    ]);
    expect(differences(a, b, known(['65000:9'], true)).tables.map(({ table }) => table)).toEqual(['65000:9']);
  });
});

describe('a route', () => {
  const large = { global: 64512, local1: 1, local2: 2 };
  it.each([
    { name: 'of a table', attributes: { communities: [0xfde8_0001] }, want: ['admins'] },
    {
      name: 'of two, by any of their communities',
      attributes: { communities: [0xfde8_0001], largeCommunities: [large] },
      want: ['admins', 'spammers'],
    },
    { name: 'of a table, with what nobody knows', attributes: { communities: [0xfde8_0001, 7] }, want: ['admins'] },
    { name: 'of no table', attributes: { communities: [0xfde8_0008] }, want: ['65000:8'] },
    { name: 'that only says how it is handled', attributes: { communities: [0xffff_ff01] }, want: ['no table'] },
    { name: 'without a word', attributes: {}, want: ['no table'] },
  ])('$name', ({ attributes, want }) => {
    expect(known().ofRoute(attributes)).toEqual(want);
  });

  it('is in what it was announced in last', () => {
    const tables = emptyTables();
    const one = prefix('203.0.113.1/32');
    place(tables, [one, prefix('203.0.113.2/32')], ['admins', 'spammers']);
    place(tables, [one], ['spammers']);
    place(tables, [prefix('203.0.113.2/32')], []);
    expect([tables.memberships(one).map(({ table }) => table), tables.size, tables.sizeOf('admins')]).toEqual([['spammers'], 1, 0]);
  });

  it('cannot bring more names than are told apart', () => {
    const many = known();
    for (let i = 0; i < 1000; i++) expect(many.ofRoute({ communities: [i + 1] })).toEqual([`0:${i + 1}`]);
    expect(many.ofRoute({ communities: [0xfde8_0008] })).toEqual(['no table']);
    const attributes = { communities: Array.from({ length: 500 }, (_, i) => i + 1) };
    expect(many.ofRoute(attributes)).toHaveLength(16);
  });
});

it('a table that is not here cannot be asked for', () => {
  expect(() => known(['admin'])).toThrow('there is no table admin: there are admins, spammers');
  expect(() => known(['65000:9'])).toThrow('there is no table 65000:9');
});
