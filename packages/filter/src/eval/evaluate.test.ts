import { describe, expect, it } from 'vitest';
import type { ListDefinitions } from '../ir/lists.ts';
import { lower } from '../ir/lower.ts';
import { PACKET_SCHEME, parseScheme, type Scheme } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { evaluate } from './evaluate.ts';
import { genericSubject } from './generic-subject.ts';
import type { Lists } from './value.ts';

const parsed = parseScheme({
  host: 'Bytes',
  n: 'Int',
  ip: 'Ip',
  ok: 'Bool',
  names: 'Array(Bytes)',
  ports: 'Array(Int)',
  flags: 'Array(Bool)',
  headers: 'Map(Array(Bytes))',
  cube: 'Array(Array(Array(Int)))',
});
if ('problems' in parsed) throw new Error(parsed.problems.join());
const { scheme } = parsed;

const DEFINITIONS: ListDefinitions = new Map([['odd', { kind: 'named', type: { kind: 'Int' } }]]);
const LISTS: Lists = { has: (list, value) => list === 'odd' && typeof value === 'number' && value % 2 === 1 };

function run(text: string, fields: unknown, of: Scheme = scheme): boolean {
  const result = parse(text, of);
  if ('problem' in result) throw new Error(result.problem.message);
  const { expr, problems } = lower(result.tree, of, { lists: DEFINITIONS });
  if (!expr) throw new Error(problems.map((p) => p.message).join());
  const made = genericSubject(fields, of);
  if ('problems' in made) throw new Error(made.problems.join());
  return evaluate(expr, made.subject, LISTS);
}

describe('expressions', () => {
  it.each([
    // Missing values.
    { input: 'n == 1', fields: {}, want: false },
    { input: 'n != 1', fields: {}, want: true },
    { input: 'not n == 1', fields: {}, want: true },
    { input: 'not n != 1', fields: {}, want: false },
    { input: 'ok', fields: {}, want: false },
    { input: 'not ok', fields: {}, want: true },
    { input: 'n in $odd', fields: {}, want: false },
    { input: 'not n in $odd', fields: {}, want: true },
    { input: 'len(host) == 0', fields: {}, want: false },
    { input: 'lower(host) != "a"', fields: {}, want: true },
    // Numbers.
    { input: 'n in {1..3 7}', fields: { n: 7 }, want: true },
    { input: 'n in {1..3 7}', fields: { n: 4 }, want: false },
    { input: 'n > -5 and n <= -1', fields: { n: -1 }, want: true },
    { input: 'n == 9007199254740993', fields: { n: '9007199254740993' }, want: true },
    { input: 'n == 9007199254740992', fields: { n: '9007199254740993' }, want: false },
    { input: 'n & 0x8000000000', fields: { n: 0x8000000000 }, want: true },
    { input: 'n & 6', fields: { n: 9 }, want: false },
    { input: 'n & -1', fields: { n: 0 }, want: false },
    { input: 'n in $odd', fields: { n: 3 }, want: true },
    { input: 'n in $odd', fields: { n: 4 }, want: false },
    // Addresses.
    { input: 'ip in {192.0.2.0/24 2001:db8::/32}', fields: { ip: '2001:db8:ffff::1' }, want: true },
    { input: 'ip in {192.0.2.0/24 2001:db8::/32}', fields: { ip: '2001:db9::' }, want: false },
    { input: 'ip == 192.0.2.1', fields: { ip: '::ffff:192.0.2.1' }, want: false },
    { input: 'ip != 192.0.2.1', fields: { ip: '::ffff:192.0.2.1' }, want: true },
    { input: 'ip < 192.0.2.1', fields: { ip: '::' }, want: false },
    { input: 'ip < 192.0.2.1', fields: { ip: '10.0.0.1' }, want: true },
    { input: 'cidr(ip, 24, 48) == 192.0.2.0', fields: { ip: '192.0.2.77' }, want: true },
    // Octets.
    { input: 'host == "a"', fields: { host: 'a' }, want: true },
    { input: 'host > "a" and host < "b"', fields: { host: 'aa' }, want: true },
    { input: 'host > "a"', fields: { host: 'a' }, want: false },
    { input: 'host contains "bc"', fields: { host: 'abcd' }, want: true },
    { input: 'host contains ff:00', fields: { host: [1, 255, 0] }, want: true },
    { input: 'host matches "^b"', fields: { host: 'ab' }, want: false },
    { input: 'host matches r"\\xff$"', fields: { host: [97, 255] }, want: true },
    { input: 'host wildcard "A*c"', fields: { host: 'abC' }, want: true },
    { input: 'host strict wildcard "A*c"', fields: { host: 'abc' }, want: false },
    { input: 'len(host) == 3', fields: { host: 'äa' }, want: true },
    { input: 'lower(host) == "abc"', fields: { host: 'aBC' }, want: true },
    { input: 'upper(host) in {"ABC"}', fields: { host: 'aBC' }, want: true },
    { input: 'starts_with(host, "ab") and ends_with(host, "bc")', fields: { host: 'abc' }, want: true },
    { input: 'starts_with(host, "abc")', fields: { host: 'ab' }, want: false },
    { input: 'ends_with(host, host)', fields: { host: 'ab' }, want: true },
    // Parity.
    { input: 'ok xor n == 1 xor n == 2', fields: { ok: true, n: 1 }, want: false },
    { input: 'ok xor n == 1 xor n == 2', fields: { ok: true, n: 3 }, want: true },
    { input: 'not (ok xor n == 1)', fields: { ok: true, n: 1 }, want: true },
    // Arrays and maps.
    { input: 'ports[1] == 8', fields: { ports: [7, 8] }, want: true },
    { input: 'ports[2] == 8', fields: { ports: [7, 8] }, want: false },
    { input: 'ports[2] != 8', fields: { ports: [7, 8] }, want: true },
    { input: 'any(ports[*] == 8)', fields: { ports: [7, 8] }, want: true },
    { input: 'all(ports[*] == 8)', fields: { ports: [7, 8] }, want: false },
    { input: 'any(ports[*] != 8)', fields: { ports: [7, 8] }, want: true },
    { input: 'not any(ports[*] != 8)', fields: { ports: [8, 8] }, want: true },
    { input: 'any(ports[*] == 8)', fields: { ports: [] }, want: false },
    { input: 'all(ports[*] == 8)', fields: { ports: [] }, want: true },
    { input: 'any(ports[*] == 8)', fields: {}, want: false },
    { input: 'all(ports[*] == 8)', fields: {}, want: false },
    { input: 'not all(ports[*] == 8)', fields: {}, want: true },
    { input: 'any(flags)', fields: { flags: [false, true] }, want: true },
    { input: 'all(flags)', fields: { flags: [false, true] }, want: false },
    { input: 'any(not flags)', fields: { flags: [true, true] }, want: false },
    { input: 'any(lower(names[*])[*] == "b")', fields: { names: ['a', 'B'] }, want: true },
    { input: 'any(len(names[*])[*] > 1)', fields: { names: ['a', 'bb'] }, want: true },
    { input: 'headers["k"][0] == "v"', fields: { headers: { k: ['v'] } }, want: true },
    { input: 'headers["x"][0] == "v"', fields: { headers: { k: ['v'] } }, want: false },
    { input: 'headers["\\xc3\\xa4"][0] == "v"', fields: { headers: { ä: ['v'] } }, want: true },
    { input: 'any(headers["k"][*] == "v")', fields: { headers: { k: ['u', 'v'] } }, want: true },
    { input: 'any(headers[*][0] == "v")', fields: { headers: { k: ['u', 'v'], l: [], m: ['v'] } }, want: true },
    { input: 'all(headers[*][1] == "v")', fields: { headers: { k: ['u', 'v'], l: [] } }, want: true },
    { input: 'any(cube[*][0][1] == 5)', fields: { cube: [[[4, 5]], []] }, want: true },
    { input: 'all(cube[*][0][*] > 3)', fields: { cube: [[[4, 5], [1]], []] }, want: true },
    { input: 'any(headers[*][*] == "u")', fields: { headers: { k: ['u'], l: ['t', 'v'] } }, want: true },
    { input: 'any(headers[*][*] == "v")', fields: { headers: { k: ['u'], l: ['t', 'v'] } }, want: true },
  ])('$input of $fields is $want', ({ input, fields, want }) => {
    expect(run(input, fields)).toBe(want);
  });

  it.each([
    { input: 'ip.proto == "tcp"', fields: { 'ip.proto.num': 6 }, want: true },
    { input: 'ip.proto.num == 6', fields: { 'ip.proto': 'tcp' }, want: true },
    { input: 'ip.proto != "tcp"', fields: { 'ip.proto.num': 253 }, want: true },
    { input: 'ip.proto >= ""', fields: { 'ip.proto.num': 253 }, want: false },
    { input: 'bit_slice(tcp, 4, 12) == 0x23', fields: { tcp: [0x12, 0x34] }, want: true },
    { input: 'bit_slice(tcp, 4, 17) == 0', fields: { tcp: [0x12, 0x34] }, want: false },
    { input: 'bit_slice(udp, 0, 32) == 0xffffffff', fields: { udp: [255, 255, 255, 255] }, want: true },
  ])('of a packet: $input of $fields is $want', ({ input, fields, want }) => {
    expect(run(input, fields, PACKET_SCHEME)).toBe(want);
  });
});
