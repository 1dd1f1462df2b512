import { ip4 } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { GUARDED_PACKET_SCHEME, type Hook, PACKET_SCHEME, parseScheme, type Scheme } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { ipSet } from './ip-set.ts';
import type { ListDefinitions } from './lists.ts';
import { type Lowered, type LowerOptions, lower } from './lower.ts';
import { keyOctets } from './octets.ts';
import { intSet } from './range-set.ts';
import { printExpr } from './text.ts';

const LISTS: ListDefinitions = new Map([
  ['blocked', { kind: 'named', type: { kind: 'Ip' } }],
  ['admins', { kind: 'constant', values: { type: 'Ip', set: ipSet([{ first: ip4(0xc0000200), last: ip4(0xc00002ff) }]) } }],
  ['web_ports', { kind: 'constant', values: { type: 'Int', set: intSet(80, 443) } }],
  ['names', { kind: 'constant', values: { type: 'Bytes', values: [keyOctets('eth0')] } }],
  ['none', { kind: 'constant', values: { type: 'Int', set: [] } }],
]);

function run(text: string, scheme: Scheme = PACKET_SCHEME, options: LowerOptions = {}): Lowered {
  const parsed = parse(text, scheme);
  if ('problem' in parsed) throw new Error(`${parsed.problem.message}: ${text}`);
  return lower(parsed.tree, scheme, { lists: LISTS, ...options });
}

/** What was found, with the text under its span. */
function told(text: string, found: Lowered['warnings'] | Lowered['problems']): string[] {
  return found.map(({ code, message, span }) => `${code} [${text.slice(span.start, span.end)}] ${message}`);
}

describe('lowering', () => {
  it.each([
    { input: 'tcp.dstport == 80 or tcp.dstport in {443 8080}', want: 'tcp.dstport in {80 443 8080}' },
    { input: 'tcp.dstport ge 1000 and tcp.dstport le 2000 and tcp.dstport != 1500', want: 'tcp.dstport in {1000..1499 1501..2000}' },
    { input: 'not (ip.ttl == 80 or ip.ttl == 44)', want: 'not ip.ttl in {44 80}' },
    { input: 'not not tcp.flags.syn', want: 'tcp.flags.syn' },
    { input: 'ip.ttl > 5 and (ip.ttl < 9 and ip.id == 3)', want: 'ip.ttl in {6..8} and ip.id == 3' },
    { input: 'ip.proto in {"tcp" "udp"} and ip.proto != "udp"', want: 'ip.proto == "tcp"' },
    { input: 'ip.proto matches "^icmp" or ip.proto == "tcp"', want: 'ip.proto in {"icmp" "tcp" "icmpv6"}' },
    { input: 'tcp.flags & 3 or tcp.flags & 4', want: 'tcp.flags & 7' },
    { input: 'tcp.flags & 0xff', want: 'tcp.flags >= 1' },
    { input: 'tcp.flags & 0xfff0', want: 'tcp.flags & 240' },
    { input: 'ip.src > 192.0.2.1', want: 'ip.src in {192.0.2.2..255.255.255.255}' },
    { input: 'ip.src in $admins', want: 'ip.src in {192.0.2.0/24}' },
    { input: 'ip.src in $blocked and not ip.dst in $blocked', want: 'ip.src in $blocked and not ip.dst in $blocked' },
    { input: 'tcp.dstport in $web_ports', want: 'tcp.dstport in {80 443}' },
    { input: 'iif.name in $names', want: 'iif.name == "eth0"' },
    { input: 'iif.name >= "eth" and iif.name < "eti"', want: 'iif.name >= "eth" and iif.name < "eti"' },
    { input: 'iif.name >= "a" and iif.name > "a"', want: 'iif.name > "a"' },
    { input: 'iif.name < "a" and iif.name <= "a"', want: 'iif.name < "a"' },
    {
      input: 'tcp.flags & 6 and not tcp.flags & 4 and ip.proto == "tcp"',
      want: 'tcp.flags & 6 and not tcp.flags & 4 and ip.proto == "tcp"',
    },
    { input: 'iif.name >= "a" and iif.name <= "a"', want: 'iif.name == "a"' },
    { input: 'cidr(ip.src, 24, 48) in {192.0.2.0 2001:db8:1::}', want: 'ip.src in {192.0.2.0/24 2001:db8:1::/48}' },
    { input: 'cidr(cidr(ip.src, 28, 0), 24, 0) == 192.0.2.0', want: 'ip.src in {192.0.2.0/24}' },
    { input: 'len(udp.payload) in {0..99 100}', want: 'len(udp.payload) <= 100' },
    { input: 'lower(sip.method) in {"INVITE" "bye"}', want: 'lower(sip.method) == "bye"' },
    {
      input: 'bit_slice(tcp, 0, 4) >= 3 and starts_with(tcp.payload, "GET")',
      want: 'bit_slice(tcp, 0, 4) >= 3 and starts_with(tcp.payload, "GET")',
    },
    { input: 'meta.mark != 0 and not ct.new', want: 'meta.mark >= 1 and not ct.new' },
    { input: 'udp.payload contains ""', want: 'udp.payload >= ""' },
    { input: 'ip.ttl == 1 xor ip.ttl in {1 2} xor ip.id == 3', want: 'ip.ttl == 2 xor ip.id == 3' },
    { input: 'tcp.flags.syn xor tcp.flags.syn xor tcp.flags.ack', want: 'tcp.flags.ack' },
  ])('$input', ({ input, want }) => {
    const { expr, problems, warnings } = run(input);
    expect(told(input, problems)).toEqual([]);
    expect(told(input, warnings)).toEqual([]);
    expect(expr && printExpr(expr)).toBe(want);
  });

  it('keeps the spans of what it was made from', () => {
    const { expr } = run('tcp.dstport == 80 and (ip.ttl > 1 or ip.id == 2) and tcp.dstport < 100');
    expect(expr).toMatchObject({
      kind: 'and',
      span: { start: 0, end: 70 },
      items: [
        { kind: 'literal', span: { start: 0, end: 70 } },
        { kind: 'or', span: { start: 23, end: 47 }, items: [{ span: { start: 23, end: 33 } }, { span: { start: 37, end: 47 } }] },
      ],
    });
  });

  it.each([
    { input: 'tcp.dstport != 80', want: 'tcp.dstport in {0..79 81..65535}' },
    { input: 'not tcp.dstport != 80', want: 'not tcp.dstport in {0..79 81..65535}' },
    { input: 'not tcp.dstport == 80', want: 'not tcp.dstport == 80' },
    { input: 'ip.src != 192.0.2.1', want: 'ip.src in {0.0.0.0..192.0.2.0 192.0.2.2..255.255.255.255 ::/0}' },
    { input: 'iif.name != "eth0"', want: 'iif.name >= "" and not iif.name == "eth0"' },
    { input: 'ip.proto != "tcp"', want: 'ip.proto.num in {1..2 4 8..9 17 33 41 46..47 50..51 58 88..89 97 103 112 115 132 136}' },
  ])('where != of a missing value is false: $input', ({ input, want }) => {
    const { expr, problems } = run(input, GUARDED_PACKET_SCHEME);
    expect(problems).toEqual([]);
    expect(expr && printExpr(expr, GUARDED_PACKET_SCHEME)).toBe(want);
  });
});

const GUARD = 'is true of every packet that has no';

describe('warnings', () => {
  it.each([
    {
      input: 'tcp.dstport == 80 and tcp.dstport == 443',
      want: [
        'never-true [tcp.dstport == 80 and tcp.dstport == 443] this is never true: nothing that `tcp.dstport` can be fits all of these',
      ],
    },
    {
      input: 'ip.ttl == 1 or (tcp.dstport == 80 and tcp.dstport == 443)',
      want: [
        'never-true [tcp.dstport == 80 and tcp.dstport == 443] this is never true: nothing that `tcp.dstport` can be fits all of these',
      ],
    },
    {
      input: 'ip.ttl == 1 and (ip.id == 80 and ip.id == 443)',
      want: [
        'never-true [ip.ttl == 1 and (ip.id == 80 and ip.id == 443)] the whole expression is never true',
        'never-true [ip.id == 80 and ip.id == 443] this is never true: nothing that `ip.id` can be fits all of these',
      ],
    },
    {
      input: 'ip.ttl < 5 or not ip.ttl < 5',
      want: ['always-true [ip.ttl < 5 or not ip.ttl < 5] this is always true: whatever `ip.ttl` is, one of these holds'],
    },
    {
      input: 'not (ip.ttl < 5 or not ip.ttl < 5)',
      want: ['always-true [ip.ttl < 5 or not ip.ttl < 5] this is always true: whatever `ip.ttl` is, one of these holds'],
    },
    { input: 'meta.mark < 5 or meta.mark >= 5', want: ['always-true [meta.mark < 5 or meta.mark >= 5] this is always true'] },
    { input: 'ip.ttl < 5 or ip.ttl >= 5', want: [] },
    {
      input: 'ct.new and not ct.new',
      want: ['never-true [ct.new and not ct.new] this is never true: nothing that `ct.new` can be fits all of these'],
    },
    { input: 'ip.ttl > 255', want: ['never-true [ip.ttl > 255] this is never true'] },
    { input: 'ip.ttl > 300', want: ['out-of-range [300] 300 is outside of `ip.ttl`, which is 0 to 255'] },
    {
      input: 'tcp.dstport in {80 70000..70001}',
      want: ['out-of-range [70000..70001] 70000..70001 is outside of `tcp.dstport`, which is 0 to 65535'],
    },
    { input: 'ip.ttl <= 0x100', want: ['out-of-range [0x100] 0x100 is outside of `ip.ttl`, which is 0 to 255'] },
    { input: 'meta.mark >= 0', want: ['always-true [meta.mark >= 0] this is always true'] },
    { input: 'ip.ttl & 0', want: ['never-true [ip.ttl & 0] this is never true'] },
    { input: 'ip.proto == "TCP"', want: ['never-true [ip.proto == "TCP"] this is never true'] },
    { input: 'lower(sip.method) == "BYE"', want: ['never-true [lower(sip.method) == "BYE"] this is never true'] },
    { input: 'ip.src in {}', want: ['empty-set [ip.src in {}] nothing is in an empty set'] },
    { input: 'not (ip.src in {})', want: ['empty-set [ip.src in {}] nothing is in an empty set'] },
    { input: 'tcp.dstport in $none', want: ['never-true [tcp.dstport in $none] this is never true'] },
    {
      input: 'tcp.dstport != 80',
      want: [
        `unguarded-negation [tcp.dstport != 80] this ${GUARD} \`tcp.dstport\` too; add \`ip.proto.num == 6\` if only packets of that protocol are meant`,
      ],
    },
    {
      input: 'ip.ttl > 1 and not udp.dstport in {53}',
      want: [
        `unguarded-negation [udp.dstport in {53}] this ${GUARD} \`udp.dstport\` too; add \`ip.proto.num == 17\` if only packets of that protocol are meant`,
      ],
    },
    { input: 'ip.proto == "tcp" and tcp.dstport != 80', want: [] },
    { input: 'ip.proto != "tcp" or tcp.dstport != 80', want: [] },
    { input: 'tcp.srcport == 9 and (ip.ttl == 1 or tcp.dstport != 80)', want: [] },
    {
      input: 'udp.srcport == 9 and tcp.dstport != 80',
      want: [
        `unguarded-negation [tcp.dstport != 80] this ${GUARD} \`tcp.dstport\` too; add \`ip.proto.num == 6\` if only packets of that protocol are meant`,
      ],
    },
    { input: 'ip.ttl != 80', want: [] },
    {
      input: 'tcp.dstport == 80 and udp.dstport == 53',
      want: [
        'never-true [tcp.dstport == 80 and udp.dstport == 53] this is never true: what it asks for is of different protocols or address families',
      ],
    },
    {
      input: 'icmpv6.type == 135 and (ip.ttl == 255 or ip.src in {192.0.2.0/24})',
      want: ['never-true [ip.src in {192.0.2.0/24}] this is never true: what it asks for is of different protocols or address families'],
    },
    { input: 'icmpv6.type == 135 and not ip.src in {192.0.2.0/24} and ip.dst in {2001:db8::/32 192.0.2.1}', want: [] },
    { input: 'tcp.dstport == 80 or udp.dstport == 53', want: [] },
  ])('$input', ({ input, want }) => {
    const { expr, warnings, problems } = run(input);
    expect(problems).toEqual([]);
    expect(expr).toBeDefined();
    expect(told(input, warnings)).toEqual(want);
  });

  it('takes a guard from outside', () => {
    expect(run('tcp.dstport != 80', PACKET_SCHEME, { guarded: [6] }).warnings).toEqual([]);
  });
});

describe('problems', () => {
  const input: readonly Hook[] = ['input'];
  const big = `udp.payload matches "${'(ab){1,60}'.repeat(30)}"`;
  it.each([
    {
      input: 'oif.name == "eth0"',
      options: { hooks: input },
      want: ['hook [oif.name] `oif.name` cannot be seen at input; it can be at forward, output and tc'],
    },
    {
      input: 'process.uid == 0 and ct.new',
      options: { hooks: ['input', 'connect', 'output'] as const },
      want: [
        'hook [process.uid] `process.uid` cannot be seen at input; it can be at connect and output',
        'hook [ct.new] `ct.new` cannot be seen at connect; it can be at prerouting, input, forward, output, xdp and tc',
      ],
    },
    {
      input: 'bit_slice(tcp, 0, 8) == 1',
      options: { hooks: ['connect'] as const },
      want: [
        'hook [bit_slice(tcp, 0, 8)] `bit_slice` cannot be seen at connect; it can be at prerouting, input, forward, output, xdp and tc',
      ],
    },
    {
      input: 'ip.src.country == "NL"',
      options: {},
      want: ['needs-table [ip.src.country] `ip.src.country` needs a table of addresses and countries, and none is configured'],
    },
    {
      input: 'ip.dst.asnum == 64496',
      options: { tables: { country: true } },
      want: ['needs-table [ip.dst.asnum] `ip.dst.asnum` needs a table of addresses and AS numbers, and none is configured'],
    },
    { input: 'ip.dst.asnum == 64496', options: { tables: { asnum: true } }, want: [] },
    {
      input: 'ip.src in $blokced',
      options: {},
      want: ['unknown-list [ip.src in $blokced] there is no list `$blokced`; did you mean `$blocked`?'],
    },
    { input: 'ip.src in $zebra', options: {}, want: ['unknown-list [ip.src in $zebra] there is no list `$zebra`'] },
    { input: 'ip.src in $web_ports', options: {}, want: ['type [ip.src in $web_ports] `$web_ports` is a list of Int, not of Ip'] },
    { input: 'tcp.dstport in $blocked', options: {}, want: ['type [tcp.dstport in $blocked] `$blocked` is a list of Ip, not of Int'] },
    {
      input: `ip.ttl == 1 and ${big}`,
      options: {},
      want: [
        `too-costly [${big}] the expression costs 5373 steps a packet, and 4096 are allowed; 5372 of them are \`${big.slice(0, 57)}...\``,
      ],
    },
    {
      input: 'ip.ttl == 1',
      options: { maxCost: 0 },
      want: ['too-costly [ip.ttl == 1] the expression costs 1 steps a packet, and 0 are allowed; 1 of them are `ip.ttl == 1`'],
    },
  ])('$input', ({ input, options, want }) => {
    const { expr, problems } = run(input, PACKET_SCHEME, options);
    expect(told(input, problems)).toEqual(want);
    expect(expr === undefined).toBe(want.length > 0);
  });
});

describe('arrays and maps', () => {
  const parsed = parseScheme({ names: 'Array(Bytes)', ports: 'Array(Int)', flags: 'Array(Bool)', headers: 'Map(Array(Bytes))' });
  if ('problems' in parsed) throw new Error(parsed.problems.join());
  const { scheme } = parsed;
  it.each([
    { input: 'any(ports[*] == 80)', want: 'any(ports[*] == 80)' },
    { input: 'any(ports[*] != 80)', want: 'any(ports[*] in {-9223372036854775808..79 81..9223372036854775807})' },
    { input: 'not all(names[*] != "a")', want: 'not all(not names[*] == "a")' },
    { input: 'any((ports[*] > 5 and ports[*] < 9))', want: 'any(ports[*] in {6..8})' },
    {
      input: 'any((names[*] == "a" or names[*] contains "b" or len(names[*])[*] > 9))',
      want: 'any(names[*] == "a") or any(names[*] contains "b") or any(len(names[*])[*] >= 10)',
    },
    {
      input: 'not all((names[*] contains "b" and lower(names[*])[*] == "b"))',
      want: 'not all(names[*] contains "b") or not all(lower(names[*])[*] == "b")',
    },
    { input: 'all(flags)', want: 'all(flags[*])' },
    { input: 'any(flags[*])', want: 'any(flags[*])' },
    { input: 'all(not flags)', want: 'all(not flags[*])' },
    { input: 'any(lower(names[*])[*] contains "x")', want: 'any(lower(names[*])[*] contains "x")' },
    { input: 'headers["k"][0] == "v"', want: 'headers["k"][0] == "v"' },
    { input: 'any(headers[*][0] == "v")', want: 'any(headers[*][0] == "v")' },
    { input: 'any(ports[*] in {})', want: 'names[0] in {}' },
    { input: 'all(ports[*] in {})', want: 'all(not ports[*] >= -9223372036854775808)' },
  ])('$input', ({ input, want }) => {
    const { expr, problems } = run(input, scheme);
    expect(problems).toEqual([]);
    if (want.startsWith('names[0]')) expect(expr).toMatchObject({ kind: 'constant', value: false });
    else expect(expr && printExpr(expr, scheme)).toBe(want);
  });

  it.each(['(ports[*] == 1 and names[*] == "a")', '(ports[*] == 1 or names[*] == "a")', '(names[*] == "a" and names[*] contains "b")'])(
    'refuses what is no one test: any(%s)',
    (inner) => {
      const text = `any(${inner})`;
      expect(told(text, run(text, scheme).problems)).toEqual([
        `type [${inner}] any() takes one comparison, or several that it can be asked of one by one`,
      ]);
    },
  );
});

describe('trees that no parser has checked', () => {
  const span = { start: 0, end: 3 };
  const port = { kind: 'field', name: 'tcp.dstport', span } as const;
  const literal = { kind: 'bytes', value: keyOctets('a'), form: 'string', text: '"a"', span } as const;
  it.each([
    {
      name: 'an unknown field',
      root: { kind: 'comparison', left: { kind: 'field', name: 'tcp.dstprt', span }, relation: undefined, span },
      want: 'there is no field `tcp.dstprt`; did you mean `tcp.dstport`?',
    },
    {
      name: 'an Int alone',
      root: { kind: 'comparison', left: port, relation: undefined, span },
      want: 'Int is not true or false: a comparison is missing',
    },
    {
      name: 'an Int and a string',
      root: { kind: 'comparison', left: port, relation: { kind: 'order', op: 'Equal', value: literal }, span },
      want: 'Int cannot be compared with this by order',
    },
    {
      name: 'an Int that contains',
      root: { kind: 'comparison', left: port, relation: { kind: 'contains', value: literal }, span },
      want: 'Int cannot be compared with this by contains',
    },
    {
      name: 'an index of an Int',
      root: { kind: 'comparison', left: { kind: 'index', of: port, key: { kind: 'each' }, span }, relation: undefined, span },
      want: 'Int has no elements to take with [*]',
    },
  ] as const)('$name', ({ root, want }) => {
    const { expr, problems } = lower({ text: 'abc', root });
    expect(expr).toBeUndefined();
    expect(problems.map((p) => p.message)).toEqual([want]);
  });
});
