import { parseIp } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import { lower } from '../ir/lower.ts';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { parse } from '../syntax/parse.ts';
import { type AddressTable, readAddressTable } from './address-table.ts';
import { applyTables } from './apply-tables.ts';
import { evaluate } from './evaluate.ts';
import { writeMaxMind } from './test-maxmind.ts';
import type { Value } from './value.ts';

const RECORDS = { '192.0.2.0/24': ['SE', 64_496], '198.51.100.0/24': ['NO', 64_497], '2001:db8::/32': ['SE', 64_511] } as const;

function table(kind: 'country' | 'asnum'): AddressTable {
  const record = (code: string, asn: number): { readonly [key: string]: string | number } => ({ country_code: code, asn });
  const networks = Object.fromEntries(Object.entries(RECORDS).map(([network, [code, asn]]) => [network, record(code, asn)]));
  const result = readAddressTable(writeMaxMind({ networks }), kind);
  if ('problem' in result) throw new Error(result.problem);
  return result.table;
}

const TABLES = { country: table('country'), asnum: table('asnum') };

/** Each address with what it is looked up to, the interpreter's way. */
const SOURCES: readonly { readonly address: string; readonly country?: string; readonly asnum?: number }[] = [
  { address: '192.0.2.7', country: 'SE', asnum: 64_496 },
  { address: '198.51.100.7', country: 'NO', asnum: 64_497 },
  { address: '203.0.113.7' },
  { address: '2001:db8::7', country: 'SE', asnum: 64_511 },
  { address: '2001:db9::7' },
];

test.each([
  'ip.src.country == "SE"',
  'ip.src.country != "SE"',
  'not ip.src.country == "SE"',
  'not ip.src.country != "SE"',
  'ip.src.country in {"SE" "NO"}',
  'ip.src.country > "NP"',
  'ip.src.country matches "^S"',
  'ip.src.country wildcard "s*"',
  'lower(ip.src.country) == "se"',
  'len(ip.src.country) == 2',
  'starts_with(ip.src.country, "N")',
  'not ends_with(ip.src.country, "E")',
  'ip.src.asnum == 64496',
  'ip.src.asnum in {64496..64500}',
  'ip.src.asnum & 1',
  'not ip.src.asnum >= 64497',
  'ip.src.country == "DK"',
  'ip.src.country == "SE" and ip.src.asnum != 64496',
  'ip.src.country == "SE" xor ip.src.asnum == 64511',
  '(ip.src.country == "NO" or not ip.src.asnum < 64500) and ip.ttl > 5',
  'ip.dst.country == "SE"',
])('%s says the same of addresses as of what the table has of them', (text) => {
  const parsed = parse(text, PACKET_SCHEME);
  if ('problem' in parsed) throw new Error(parsed.problem.message);
  const { expr } = lower(parsed.tree, PACKET_SCHEME, { tables: { asnum: true, country: true } });
  if (!expr) throw new Error('not lowered');
  const applied = applyTables(expr, TABLES, PACKET_SCHEME);
  expect(JSON.stringify(applied, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).not.toMatch(
    /country|asnum/,
  );
  for (const { address, country, asnum } of SOURCES) {
    const fields: Record<string, Value | undefined> = {
      'ip.src': parseIp(address),
      'ip.dst': parseIp('203.0.113.9'),
      'ip.ttl': 64,
      'ip.src.country': country === undefined ? undefined : new TextEncoder().encode(country),
      'ip.src.asnum': asnum,
    };
    const subject = { field: (name: string) => fields[name], slice: () => undefined };
    expect([address, evaluate(applied, subject)]).toEqual([address, evaluate(expr, subject)]);
  }
});

test('an expression that asks for neither, and one whose table is not there, stay as they are', () => {
  for (const text of ['ip.src == 192.0.2.1', 'ip.src.country == "SE"']) {
    const parsed = parse(text, PACKET_SCHEME);
    if ('problem' in parsed) throw new Error(parsed.problem.message);
    const { expr } = lower(parsed.tree, PACKET_SCHEME, { tables: { country: true } });
    if (!expr) throw new Error('not lowered');
    expect(applyTables(expr, text.includes('country') ? {} : TABLES, PACKET_SCHEME)).toEqual(expr);
  }
});
