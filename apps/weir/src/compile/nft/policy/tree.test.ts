import { ipSetOfPrefixes, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HookRules, Rule } from '../../../model/rule.ts';
import { testRule } from '../../test-rule.ts';
import { compileRules } from './index.ts';
import { judgeTable, type TestPacket } from './test-judge.ts';

const NETWORKS = [
  '192.0.2.0/24',
  '192.0.2.128/25',
  '192.0.2.7/32',
  '198.51.100.0/26',
  '198.51.100.64/26',
  '0.0.0.0/1',
  '203.0.113.0/28',
  '2001:db8::/32',
  '2001:db8:1::/48',
  '2001:db8:1::7/128',
];
const ADDRESSES = [
  '192.0.2.7',
  '192.0.2.8',
  '192.0.2.200',
  '198.51.100.70',
  '203.0.113.15',
  '203.0.113.16',
  '2001:db8::1',
  '2001:db8:1::7',
  '2001:db9::',
];
const PORTS = [22, 53, 80, 443, 1024, 8080];

const literal = fc.oneof(
  fc
    .tuple(fc.constantFrom('ip.src', 'ip.dst'), fc.uniqueArray(fc.constantFrom(...NETWORKS), { minLength: 1, maxLength: 3 }))
    .map(([field, list]) => x.ip(field, ipSetOfPrefixes(list.map(prefix)))),
  fc
    .tuple(fc.constantFrom('tcp.dstport', 'udp.dstport', 'tcp.srcport'), fc.constantFrom(...PORTS), fc.nat(400))
    .map(([field, first, more]) => x.int(field, rangeSet([{ first, last: first + more }]))),
  fc.constantFrom(6, 17, 1).map((n) => x.int('ip.proto.num', rangeSet([{ first: n, last: n }]))),
);
const action = fc.constantFrom<Rule['action']>({ kind: 'allow' }, { kind: 'deny' }, { kind: 'log' });
const rules = fc.array(fc.tuple(fc.array(literal, { minLength: 1, maxLength: 4 }), action), { minLength: 64, maxLength: 120 });
const packet = fc
  .record({
    source: fc.constantFrom(...ADDRESSES),
    other: fc.nat(8),
    protocol: fc.constantFrom(6, 17, 1),
    ports: fc.option(fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS), fc.nat(3))),
  })
  .map(({ source, other, protocol, ports }): TestPacket => {
    const family = source.includes(':') ? 6 : 4;
    const same = ADDRESSES.filter((address) => address.includes(':') === (family === 6));
    const destination = same[other % same.length]!;
    const [sport, dport] = ports ? [ports[0] + ports[2], ports[1] + ports[2]] : [undefined, undefined];
    const named = protocol === 6 ? { tcpSport: sport, tcpDport: dport } : protocol === 17 ? { udpSport: sport, udpDport: dport } : {};
    const addresses = family === 4 ? { saddr4: source, daddr4: destination } : { saddr6: source, daddr6: destination };
    return { family, values: JSON.parse(JSON.stringify({ protocol, ...named, ...addresses })) as TestPacket['values'] };
  });

function hookRules(list: readonly Rule[]): HookRules[] {
  return [{ hook: 'input', priority: 0, rules: [...list, testRule('default', x.constant(true), { kind: 'deny' })] }];
}

describe('long lists', () => {
  it('as trees count and judge every packet as they do one by one', () => {
    let trees = 0;
    fc.assert(
      fc.property(rules, fc.array(packet, { minLength: 20, maxLength: 40 }), (made, packets) => {
        const list = made.map(([items, action], i) => testRule(`r${i}`, x.and(items), action));
        const tree = compileRules(hookRules(list), [], { table: 't', maps: false }).table;
        const linear = compileRules(hookRules(list), [], { table: 't', linear: true }).table;
        if (tree.maps) trees++;
        for (const one of packets) {
          const { steps: _, ...as } = judgeTable(tree, one);
          const { steps: __, ...want } = judgeTable(linear, one);
          expect(as).toEqual(want);
        }
      }),
      { numRuns: 30 },
    );
    expect(trees).toBeGreaterThan(1);
  });

  const many = (count: number): Rule[] =>
    Array.from({ length: count }, (_, i) => {
      const source = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`;
      return testRule(
        `r${i}`,
        x.and([x.ip('ip.src', ipSetOfPrefixes([prefix(source)])), x.int('tcp.dstport', rangeSet([{ first: i % 100, last: i % 100 }]))]),
        { kind: 'allow' },
      );
    });

  it('a packet meets few of many rules', () => {
    const { table } = compileRules(hookRules(many(2000)), [], { table: 't', maps: false });
    const { counted, steps } = judgeTable(table, { family: 4, values: { saddr4: '10.0.5.7', protocol: 6, tcpDport: (5 * 256 + 7) % 100 } });
    expect(counted).toEqual([`r${5 * 256 + 7}`]);
    expect(steps).toBeLessThan(20);
  });

  it('another rule changes few chains and elements', () => {
    const list = many(2000);
    const before = compileRules(hookRules(list), [], { table: 't', maps: false }).table;
    const middle = testRule(
      'new',
      x.and([x.ip('ip.src', ipSetOfPrefixes([prefix('10.0.3.77/32')])), x.int('tcp.dstport', rangeSet([{ first: 9, last: 9 }]))]),
      { kind: 'deny' },
    );
    const after = compileRules(hookRules([...list.slice(0, 900), middle, ...list.slice(900)]), [], { table: 't', maps: false }).table;
    const names = new Set(before.chains.map((chain) => chain.name));
    expect(after.chains.filter((chain) => !names.has(chain.name)).length).toBeLessThan(5);
    const elements = new Set(before.maps?.flatMap((map) => map.elements.map((e) => JSON.stringify([map.name, e]))));
    expect(after.maps?.flatMap((map) => map.elements.filter((e) => !elements.has(JSON.stringify([map.name, e])))).length).toBeLessThan(8);
  });
});
