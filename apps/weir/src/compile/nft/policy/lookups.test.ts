import { type Expr, ipSet, ipSetOfPrefixes, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4, prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HookRules, Rule } from '../../../model/rule.ts';
import { testRule } from '../../test-rule.ts';
import type { TableImage } from '../image.ts';
import { printTable } from '../print.ts';
import { compileRules } from './index.ts';
import { judgeTable, type TestPacket } from './test-judge.ts';

function rule(ref: string, expression: Expr, action: Rule['action'], log = false): Rule {
  return testRule(ref, expression, action, { log });
}

function compiled(list: readonly Rule[], options: { readonly linear?: boolean } = {}): TableImage {
  const hook: HookRules = { hook: 'input', priority: 0, rules: [...list, rule('default', x.constant(true), { kind: 'deny' })] };
  const { table, problems } = compileRules([hook], [], { table: 'weir', ...options });
  expect(problems).toEqual([]);
  return table;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const port = (field: string, first: number, last = first): Expr => x.int(field, rangeSet([{ first, last }]));
const source = (...networks: string[]): Expr => x.ip('ip.src', ipSetOfPrefixes(networks.map(prefix)));
const destination = (...networks: string[]): Expr => x.ip('ip.dst', ipSetOfPrefixes(networks.map(prefix)));
const allow = { kind: 'allow' } as const;
const deny = { kind: 'deny' } as const;
const ten = <T>(make: (i: number) => T): T[] => Array.from({ length: 10 }, (_, i) => make(i));

const goldens: readonly { readonly name: string; readonly rules: readonly Rule[] }[] = [
  {
    name: 'lookup-values',
    rules: ten((i) => rule(`host-${i}`, x.and([source(`192.0.2.${i}/32`), port('tcp.dstport', 8000 + i)]), i % 2 === 0 ? allow : deny)),
  },
  {
    name: 'lookup-ranges',
    rules: [
      ...ten((i) => rule(`net-${i}`, x.and([destination(`198.51.100.${i * 16}/28`), port('udp.dstport', 5000, 5000 + i)]), allow)),
      ...ten((i) => rule(`net6-${i}`, x.and([source(`2001:db8:${i}::/48`), destination('2001:db8:ffff::/48')]), deny)),
    ],
  },
  {
    name: 'lookup-interfaces',
    rules: ten((i) =>
      rule(
        `port-${i}`,
        x.and([x.bytes('iif.name', [bytes(`eth${i % 3}`)]), destination(`203.0.113.${i}/32`), port('tcp.dstport', 443)]),
        allow,
      ),
    ),
  },
  {
    name: 'lookup-and-more',
    rules: [
      ...ten((i) => rule(`new-${i}`, x.and([x.flag('ct.new'), source(`192.0.2.${i}/32`), port('tcp.dstport', 22)]), allow, i === 3)),
      rule('scan', x.and([source('192.0.2.0/24'), port('tcp.dstport', 22)]), { kind: 'mark', mark: 7 }),
      rule('limit', x.and([source('192.0.2.0/24')]), { kind: 'rate-limit', limit: { unit: 'packets', rate: 5, burst: 5, per: 'rule' } }),
    ],
  },
  {
    // Rules that packets meet together: the network's rule comes behind the maps of its hosts and before that of the others.
    name: 'lookup-layers',
    rules: [
      ...ten((i) => rule(`host-${i}`, x.and([source(`192.0.2.${i}/32`), port('tcp.dstport', 25)]), allow)),
      rule('spam', source('192.0.2.0/28'), deny),
      ...ten((i) => rule(`again-${i}`, x.and([source(`192.0.2.${i}/32`), port('tcp.dstport', 0, 65_535)]), allow)),
    ],
  },
  { name: 'lookup-one-field', rules: ten((i) => rule(`web-${i}`, port('tcp.dstport', 80 + i * 2), i % 2 === 0 ? allow : deny)) },
];

describe('rules that differ in the values of the same fields', () => {
  it.each(goldens)('$name', async ({ name, rules }) => {
    const table = compiled(rules);
    expect(table.lookups?.length).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(table))).toEqual(table);
    await expect(printTable(table)).toMatchFileSnapshot(`golden/${name}.nft`);
  });

  it('are one lookup, whatever their number', () => {
    const list = Array.from({ length: 3000 }, (_, i) =>
      rule(`r${i}`, x.and([x.ip('ip.src', ipSet([{ first: ip4(0x0a000000 + i) }])), port('tcp.dstport', i % 100)]), allow),
    );
    const table = compiled(list);
    expect(table.lookups?.map(({ elements, ranges }) => [elements.length, ranges])).toEqual([[3000, false]]);
    const { counted, steps } = judgeTable(table, { family: 4, values: { saddr4: '10.0.5.7', protocol: 6, tcpDport: 87 } });
    expect(counted).toEqual(['r1287']);
    expect(steps).toBeLessThan(4);
  });

  it('another rule is another element', () => {
    const list = Array.from({ length: 500 }, (_, i) =>
      rule(`r${i}`, x.and([source(`10.0.${i >> 4}.${(i & 15) * 16}/28`), port('tcp.dstport', i % 100, 200)]), allow),
    );
    const before = compiled(list);
    const after = compiled([
      ...list.slice(0, 200),
      rule('new', x.and([source('10.9.0.0/28'), port('tcp.dstport', 5)]), deny),
      ...list.slice(200),
    ]);
    const elements = (table: TableImage): Set<string> =>
      new Set(table.lookups?.flatMap((map) => map.elements.map((element) => JSON.stringify([map.name, map.keys, map.ranges, element]))));
    const known = elements(before);
    expect([...elements(after)].filter((element) => !known.has(element)).length).toBe(1);
    const names = new Set(before.chains.map((chain) => JSON.stringify(chain)));
    expect(after.chains.filter((chain) => !names.has(JSON.stringify(chain))).map((chain) => chain.rules.map((one) => one.name))).toEqual([
      ['new'],
    ]);
  });

  it('few of them stay rules', () => {
    const table = compiled(ten((i) => rule(`r${i}`, x.and([source(`192.0.2.${i}/32`), port('tcp.dstport', 80)]), allow)).slice(0, 7));
    expect(table.lookups).toBeUndefined();
    expect(table.chains.at(-1)?.rules.length).toBe(8);
  });
});

const HOSTS = Array.from({ length: 24 }, (_, i) => i * 5);
const ADDRESSES = HOSTS.flatMap((host) => [`192.0.2.${host}`, `2001:db8:${host}::1`]);
const NETWORKS4 = ['192.0.2.0/25', '192.0.2.0/28', ...HOSTS.map((host) => `192.0.2.${host}/32`), '192.0.2.40/30'];
const NETWORKS6 = ['2001:db8::/33', ...HOSTS.map((host) => `2001:db8:${host}::/48`), '2001:db8:20::1/128'];
const PORTS = [22, 53, 80, 443, 1000, 2000];

const addresses = (field: string, networks: readonly string[]): fc.Arbitrary<Expr> =>
  fc
    .uniqueArray(fc.constantFrom(...networks), { minLength: 1, maxLength: 2 })
    .map((list) => x.ip(field, ipSetOfPrefixes(list.map(prefix))));
const ports = (field: string): fc.Arbitrary<Expr> =>
  fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(0, 0, 0, 30, 400)).map(([first, more]) => port(field, first, first + more));
const parts: Readonly<Record<string, fc.Arbitrary<Expr>>> = {
  source4: addresses('ip.src', NETWORKS4),
  destination4: addresses('ip.dst', NETWORKS4),
  source6: addresses('ip.src', NETWORKS6),
  either: addresses('ip.src', [...NETWORKS4, ...NETWORKS6]),
  tcp: ports('tcp.dstport'),
  udp: ports('udp.dstport'),
  from: ports('tcp.srcport'),
  protocol: fc
    .constantFrom([6], [17], [1], [6, 17])
    .map((list) => x.int('ip.proto.num', rangeSet(list.map((n) => ({ first: n, last: n }))))),
  in: fc.uniqueArray(fc.constantFrom('eth0', 'eth1'), { minLength: 1, maxLength: 2 }).map((names) => x.bytes('iif.name', names.map(bytes))),
  not: ports('tcp.dstport').map((test) => x.not(test)),
  // Of one family each, and not a part of a key.
  ttl: fc.constantFrom(1, 64).map((ttl) => port('ip.ttl', ttl)),
  ipv6: fc.constant(port('ip6.flow_label', 0)),
};
const action = fc.constantFrom<Rule['action']>(allow, deny, deny, { kind: 'log' }, { kind: 'mark', mark: 3 });

/** Runs of rules that ask for the same one to three fields, one behind the other. */
const runs = fc
  .array(
    fc
      .uniqueArray(fc.constantFrom(...Object.keys(parts)), { minLength: 1, maxLength: 3 })
      .chain((names) =>
        fc.array(fc.tuple(fc.tuple(...names.map((name) => parts[name] as fc.Arbitrary<Expr>)), action), { minLength: 4, maxLength: 60 }),
      ),
    { minLength: 1, maxLength: 5 },
  )
  .map((lists) => lists.flat().map(([items, one], i) => rule(`r${i}`, x.and(items), one)));

const packets = fc.array(
  fc
    .record({
      source: fc.constantFrom(...ADDRESSES),
      destination: fc.nat(23),
      in: fc.constantFrom('eth0', 'eth1', 'eth2'),
      protocol: fc.constantFrom(6, 17, 1),
      ports: fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS), fc.constantFrom(0, 0, 1, 300)),
      /** How much of the transport header is there. */
      there: fc.constantFrom(0, 1, 2, 2, 2, 2),
    })
    .map((made): TestPacket => {
      const family = made.source.includes(':') ? 6 : 4;
      const same = ADDRESSES.filter((address) => address.includes(':') === (family === 6));
      const other = same[made.destination % same.length] ?? made.source;
      const [sport, dport, more] = made.ports;
      const [from, to] = made.protocol === 6 ? (['tcpSport', 'tcpDport'] as const) : (['udpSport', 'udpDport'] as const);
      return {
        family,
        in: made.in,
        values: {
          protocol: made.protocol,
          ...(family === 4 ? { ttl4: 64 } : { ttl6: 64, flowLabel6: 0 }),
          ...(family === 4 ? { saddr4: made.source, daddr4: other } : { saddr6: made.source, daddr6: other }),
          ...(made.protocol !== 1 && made.there > 0 ? { [from]: sport } : {}),
          ...(made.protocol !== 1 && made.there > 1 ? { [to]: dport + more } : {}),
        },
      };
    }),
  { minLength: 30, maxLength: 60 },
);

it('where there are many layers, maps are at the leaves of a tree', () => {
  const list = Array.from({ length: 6 * 20 * 10 }, (_, i) => {
    const [network, level, host] = [Math.floor(i / 200), Math.floor(i / 10) % 20, i % 10];
    const to = destination(host === 9 ? `10.${network}.0.0/16` : `10.${network}.${level * 9 + host}.0/24`);
    const ports = host === 9 ? port('tcp.dstport', 0, 60_000) : port('tcp.dstport', level, 60_000);
    return rule(
      `r${i}`,
      x.and([source(host === 9 ? '192.0.2.0/24' : `192.0.2.${host}/32`), to, ports]),
      host === 9 ? { kind: 'log' } : i % 3 === 0 ? deny : allow,
    );
  });
  // Each of the wide ones lies over what comes before it and behind it.
  const table = compiled(list);
  expect(table.maps?.length).toBeGreaterThan(0);
  expect(table.lookups?.length).toBeGreaterThan(2);
  const linear = compiled(list, { linear: true });
  for (let i = 0; i < 100; i++) {
    const values = { saddr4: `192.0.2.${i % 11}`, daddr4: `10.${i % 7}.${(i * 7) % 190}.1`, protocol: 6, tcpDport: (i * 13) % 25 };
    const { steps, ...as } = judgeTable(table, { family: 4, values });
    const { steps: before, ...want } = judgeTable(linear, { family: 4, values });
    expect(as).toEqual(want);
    expect(steps).toBeLessThan(Math.max(60, before));
  }
});

it('maps count and judge every packet as the same rules one by one do, and no packet meets two elements of one', () => {
  let maps = 0;
  fc.assert(
    fc.property(runs, packets, (list, some) => {
      const table = compiled(list);
      const linear = compiled(list, { linear: true });
      maps += table.lookups?.length ?? 0;
      for (const packet of some) {
        const { steps: _, ...as } = judgeTable(table, packet);
        const { steps: __, ...want } = judgeTable(linear, packet);
        expect(as).toEqual(want);
      }
    }),
    { numRuns: 60 },
  );
  expect(maps).toBeGreaterThan(10);
});
