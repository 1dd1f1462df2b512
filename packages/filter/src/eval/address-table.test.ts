import { parseIp, parsePrefix, printIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containsIp, ipRanges } from '../ir/ip-set.ts';
import { type AddressTable, readAddressTable, type TableKind } from './address-table.ts';
import { type TestDatabase, writeMaxMind } from './test-maxmind.ts';

function read(database: TestDatabase, kind: TableKind = 'country'): AddressTable {
  const result = readAddressTable(writeMaxMind(database), kind);
  if ('problem' in result) throw new Error(result.problem);
  return result.table;
}

/** The networks of one country or AS number, as ranges. */
function of(table: AddressTable, wanted: string | number): string[] {
  const set = table.select((value) => (value instanceof Uint8Array ? new TextDecoder().decode(value) : value) === wanted);
  return ipRanges(set).map(({ first, last }) => `${printIp(first)}-${printIp(last)}`);
}

const country = (code: string): { readonly country: { readonly iso_code: string } } => ({ country: { iso_code: code } });
const NETWORKS = {
  '192.0.2.0/25': country('SE'),
  '192.0.2.128/25': country('SE'),
  '198.51.100.0/24': country('NO'),
  '203.0.113.7/32': country('SE'),
  '2001:db8::/33': country('NO'),
  '2001:db8:8000::/33': country('SE'),
};
const SE = ['192.0.2.0-192.0.2.255', '203.0.113.7-203.0.113.7', '2001:db8:8000::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'];

describe('a table of countries', () => {
  test.each([24, 28, 32] as const)('with records of %i bits', (recordBits) => {
    const table = read({ networks: NETWORKS, recordBits });
    expect(of(table, 'SE')).toEqual(SE);
    expect(of(table, 'NO')).toEqual(['198.51.100.0-198.51.100.255', '2001:db8::-2001:db8:7fff:ffff:ffff:ffff:ffff:ffff']);
    expect(of(table, 'DK')).toEqual([]);
  });

  test('of IPv4 alone', () => {
    expect(of(read({ networks: { '192.0.2.0/24': country('SE'), '0.0.0.0/2': country('NO') }, ipVersion: 4 }), 'NO')).toEqual([
      '0.0.0.0-63.255.255.255',
    ]);
  });

  test('IPv4 addresses that are found again in IPv6 are not IPv6 addresses', () => {
    expect(of(read({ networks: NETWORKS, aliases: ['2002::/16', '::ffff:0:0/96'] }), 'SE')).toEqual(SE);
  });

  test.each([
    { name: 'a flat code', record: { country_code: 'SE' }, want: ['192.0.2.0-192.0.2.255'] },
    { name: 'a text', record: { country: 'SE' }, want: ['192.0.2.0-192.0.2.255'] },
    {
      name: 'much beside it',
      record: { a: [1, true, 'x'.repeat(40)], country: { names: { en: 'Sweden' }, iso_code: 'SE' } },
      want: ['192.0.2.0-192.0.2.255'],
    },
    { name: 'none', record: { continent: { code: 'EU' } }, want: [] },
  ])('whose records have $name', ({ record, want }) => {
    expect(of(read({ networks: { '192.0.2.0/24': record, '198.51.100.0/24': country('NO') } }), 'SE')).toEqual(want);
  });
});

test.each([
  { name: 'a number', record: { autonomous_system_number: 64_496 } },
  { name: 'a text', record: { asn: 'AS64496' } },
])('a table of AS numbers with $name', ({ record }) => {
  const table = read({ networks: { '192.0.2.0/24': record, '2001:db8::/32': { asn: 4_200_000_000 } } }, 'asnum');
  expect([of(table, 64_496), of(table, 4_200_000_000)]).toEqual([
    ['192.0.2.0-192.0.2.255'],
    ['2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ]);
});

describe('what is no table', () => {
  test.each([
    { name: 'nothing', bytes: new Uint8Array(), want: 'there is no MaxMind metadata in it' },
    { name: 'a text', bytes: new TextEncoder().encode('x'.repeat(1000)), want: 'there is no MaxMind metadata in it' },
    {
      name: 'another version',
      bytes: writeMaxMind({ networks: NETWORKS, metadata: { binary_format_major_version: 3 } }),
      want: 'version 3 of the format is not known',
    },
    {
      name: 'other records',
      bytes: writeMaxMind({ networks: NETWORKS, metadata: { record_size: 20 } }),
      want: 'records of 20 bits are not known',
    },
    {
      name: 'a tree that is not there',
      bytes: writeMaxMind({ networks: NETWORKS, metadata: { node_count: 1_000_000 } }),
      want: 'the tree of 1000000 nodes is not all there',
    },
    {
      name: 'one of cities without countries',
      bytes: writeMaxMind({ networks: { '192.0.2.0/24': { city: 'x' } } }),
      want: 'it has no countries',
    },
  ])('$name', ({ bytes, want }) => expect(readAddressTable(bytes, 'country')).toEqual({ problem: want }));

  test('changed octets give a table or a problem, and no end of paths is followed', () => {
    const whole = writeMaxMind({ networks: NETWORKS, aliases: ['2002::/16'] });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = whole.slice();
        for (const [at, octet] of changes) bytes[at] = octet;
        const result = readAddressTable(bytes, 'country');
        expect('problem' in result || ipRanges(result.table.select(() => true)).length > 0).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('branches that come together again and again are given up', () => {
    // Both records of each of 120 nodes lead to the next: 2 to the power of 120 paths.
    const chain = writeMaxMind({ networks: { '2001:db8::/128': country('SE') } });
    const nodes = 128;
    for (let node = 0; node < nodes - 1; node++) {
      for (const right of [0, 3]) chain.set([0, 0, node + 1], node * 6 + right);
    }
    expect(readAddressTable(chain, 'country')).toEqual({ problem: 'the branches of its tree come together' });
  });
});

test('every address has what its network has, against looking it up in the list of networks', () => {
  const table = read({ networks: NETWORKS });
  const networks = Object.entries(NETWORKS).flatMap(([text, { country: c }]) => {
    const result = parsePrefix(text);
    return result.ok ? [{ prefix: result.prefix, code: c.iso_code }] : [];
  });
  for (const address of [
    '192.0.2.0',
    '192.0.2.255',
    '192.0.3.0',
    '203.0.113.7',
    '203.0.113.8',
    '198.51.100.9',
    '2001:db8::1',
    '2001:db8:8000::',
    '2001:db9::',
    '::c000:201',
    '2002:c000:201::',
  ]) {
    const ip = parseIp(address);
    if (!ip) throw new Error(address);
    const want = networks.find(({ prefix }) => ip.family === prefix.family && inside(address, prefix.length, printIp(prefix)))?.code;
    for (const code of ['SE', 'NO']) {
      const selected = table.select((value) => value instanceof Uint8Array && new TextDecoder().decode(value) === code);
      expect([address, code, containsIp(selected, ip)]).toEqual([address, code, want === code]);
    }
  }
});

function inside(address: string, length: number, network: string): boolean {
  const result = parsePrefix(`${address}/${length}`);
  const prefix = result.ok ? result.prefix : result.error.kind === 'host-bits' ? result.error.masked : undefined;
  return prefix !== undefined && printIp(prefix) === network;
}
