import { type Prefix, prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkSource } from '../../model/network.ts';
import type { NetworkTables } from '../../state/index.ts';
import { emptyTables } from './contents.ts';
import { differences, differs } from './differences.ts';
import { endOf, parseTables, printTables } from './dump-text.ts';
import { KnownTables } from './known-tables.ts';

const TABLES = [
  { table: 'admins', communities: ['65000:1'], max: 10 },
  { table: 'spammers', communities: ['65000:2', '64512:1:2'], max: 10 },
  { table: '65000:9', communities: ['65000:9'] },
];
const NAMED = new KnownTables(TABLES, { only: [], unnamed: false });
const ALL = new KnownTables(TABLES, { only: [], unnamed: true });
const NOW = Date.parse('2026-11-22T00:00:00Z');

const octets = (text: string): Uint8Array => Buffer.from(text);

/** `admins 203.0.113.1/32, ...` */
function contents(tables: NetworkTables): readonly string[] {
  return [...tables.all()].flatMap(({ prefix: one, memberships }) =>
    memberships.map(({ table, note }) => `${table} ${printPrefix(one)}${note.until === undefined ? '' : ` ${note.until - NOW}`}`),
  );
}

describe('a dump of tables', () => {
  it('is known by communities, whatever tables are called there', () => {
    const text = `# of somewhere else
table bad-hosts 64512:1:2
198.51.100.0/24
203.0.113.7 until 2026-11-22T00:00:01.000Z   # still there
203.0.113.8 until 2026-11-21T00:00:00Z
table admins
2001:db8::/48
table else 65000:77
192.0.2.1
`;
    const found = parseTables(octets(text), 'dump', NAMED, [], NOW);
    expect(contents(found.tables)).toEqual([
      'spammers 198.51.100.0/24',
      'spammers 203.0.113.7/32 1000',
      '65000:77 192.0.2.1/32',
      'admins 2001:db8::/48',
    ]);
    expect(found.told).toEqual(['spammers', 'admins', '65000:77']);
    expect(differences(emptyTables(), found, NAMED).unknown).toEqual([{ community: '65000:77', prefixes: 1 }]);
  });

  it('may be a list of one table', () => {
    const found = parseTables(octets('203.0.113.1\r\n# none\n'), 'list', NAMED, ['admins'], NOW);
    expect([contents(found.tables), found.told]).toEqual([['admins 203.0.113.1/32'], ['admins']]);
    expect(parseTables(octets(''), 'list', NAMED, ['admins'], NOW).told).toEqual(['admins']);
  });

  it.each([
    { name: 'host bits', text: 'table admins\n203.0.113.1/24\n', want: /1 line of dump not understood.*\ndump:2: host bits are set/ },
    { name: 'a line of ten megabytes', text: `${'x'.repeat(10 << 20)}\n`, want: /dump:1: a line of more than 4096 octets/ },
    { name: 'a long line that is a prefix', text: `table admins\n203.0.113.1${' '.repeat(9000)}/24`, want: /dump:2: a line of more/ },
    { name: 'octets that are no text', text: '\u007fELF\u0002\u0001\u0000\n\u001b[31m\n', want: /dump:2: not an address or prefix: \\x1b/ },
    {
      name: 'another file',
      text: 'bgp: { as: 64512 }\ndistribute:\n',
      want: /2 lines of dump.*\ndump:1: not an address or prefix: bgp:\n/,
    },
    { name: 'a table without a name', text: 'table\n', want: /dump:1: not a table here/ },
    {
      name: 'a table that is not here',
      text: 'table others\n203.0.113.1\n',
      want: /dump:1: not a table here, and not known by communities: others/,
    },
    { name: 'no community', text: 'table admins 65000\n', want: /dump:1: not a table here/ },
    { name: 'no time', text: 'table admins\n203.0.113.1 until soon\n', want: /dump:2: not understood: until soon/ },
    { name: 'more than a prefix', text: 'table admins\n203.0.113.1 203.0.113.2\n', want: /dump:2: not understood: 203.0.113.2/ },
    { name: 'a list of no table', text: '203.0.113.1\n', want: /does not say which table it is: --table/ },
    { name: 'nothing', text: '\n', want: /no table in it/ },
    { name: 'many mistakes', text: 'x\n'.repeat(50), want: /\nand 30 lines more$/ },
  ])('is refused with $name', ({ text, want }) => {
    expect(() => parseTables(octets(text), 'dump', NAMED, [], NOW)).toThrow(want);
  });

  it('is refused where a table begins below prefixes of none', () => {
    expect(() => parseTables(octets('203.0.113.1\ntable admins\n'), 'dump', NAMED, ['admins'], NOW)).toThrow('below prefixes of none');
  });
});

const anyPrefix = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    words: fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
    bits: fc.nat(128),
  })
  .map(
    ({ family, words: [a = 0, b = 0, c = 0, d = 0], bits }): Prefix =>
      prefixFromWords(family, a * 0x1000_0001, b, c, d * 0x4000_0000, Math.max(1, family === 4 ? bits % 33 : bits)),
  );
const sources: readonly NetworkSource[] = [{ kind: 'operator' }, { kind: 'feed', name: 'list' }];
const anyMembership = fc.record({
  one: anyPrefix,
  table: fc.constantFrom(...TABLES.map(({ table }) => table)),
  source: fc.constantFrom(...sources),
  until: fc.option(
    fc.nat(5).map((n) => NOW + 1000 * (n + 1)),
    { nil: undefined },
  ),
});

it('has all that the tables have: read again there is no difference, and ends are the same', () => {
  fc.assert(
    fc.property(fc.array(anyMembership, { maxLength: 40 }), (all) => {
      const tables = emptyTables();
      for (const { one, table, source, until } of all)
        tables.apply([{ kind: 'set', table, prefixes: [one], note: { source, by: '', since: 1, until, comment: 'why' } }]);
      const text = [...printTables(TABLES, tables)].join('');
      const found = parseTables(octets(text), 'dump', ALL, [], NOW);
      const { tables: compared, unknown } = differences(tables, found, ALL);
      expect([compared.filter(differs), unknown]).toEqual([[], []]);
      for (const { one, table } of all) expect(endOf(found.tables, one, table)).toBe(endOf(tables, one, table));
      expect([...printTables(TABLES, found.tables)].join('')).toBe(text);
    }),
  );
});

it('is in the order of addresses', () => {
  const tables = emptyTables();
  const prefixes = ['2001:db8::/48', '203.0.113.7/32', '198.51.100.0/24'].map(prefix);
  tables.apply([
    { kind: 'set', table: 'spammers', prefixes, note: { source: { kind: 'operator' }, by: '', since: 1, until: NOW, comment: undefined } },
  ]);
  expect([...printTables(TABLES, tables)].join('')).toBe(`table admins 65000:1
table spammers 65000:2 64512:1:2
198.51.100.0/24 until 2026-11-22T00:00:00.000Z
203.0.113.7/32 until 2026-11-22T00:00:00.000Z
2001:db8::/48 until 2026-11-22T00:00:00.000Z
table 65000:9 65000:9
`);
});
