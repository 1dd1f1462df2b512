import { type FlowAction, parseFlow, printFlow } from '@weir/bgp/flowspec';
import { overlaps, type Prefix, prefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { ActiveFlow, SetFlows } from '../../model/flow.ts';
import { TestClock } from '../test-fixtures.ts';
import { isSetFlow, SetConversion } from './set-conversion.ts';

const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };
const PROTECTED = prefix('203.0.113.1/32');

function components(text: string): SetFlows['match'] {
  const [four, six] = [parseFlow(`flow4 { ${text} }`), parseFlow(`flow6 { ${text} }`)];
  return { 4: four.ok ? four.rule.components : undefined, 6: six.ok ? six.rule.components : undefined };
}

function convert(given: Partial<SetFlows> = {}, unenforceable: (flow: ActiveFlow) => string | undefined = () => undefined) {
  const rules = new Map<string, string>();
  const clock = new TestClock();
  let members: readonly Prefix[] = [];
  const definition: SetFlows = {
    set: 'blackholed',
    as: 'destination',
    match: { 4: [], 6: [] },
    actions: [DISCARD],
    enforce: true,
    peers: [],
    prefixes: undefined,
    minLength: { 4: 24, 6: 48 },
    maxRules: 100,
    churn: { rate: 10, burst: 100 },
    span: { file: 'weir.yaml', line: 1, column: 1, length: 1 },
    ...given,
  };
  const one: SetConversion = new SetConversion({
    definition,
    clock,
    isProtected: (member) => overlaps(member, PROTECTED),
    unenforceable,
    changed: (key, flow) => {
      if (flow) rules.set(key, printFlow(flow.rule));
      else rules.delete(key);
    },
    again: () => one.all(members),
  });
  return { one, clock, texts: () => [...rules.values()], members: (of: readonly Prefix[]) => (members = of) };
}

describe('members of a set as flow rules', () => {
  test.each<{ readonly name: string; readonly given?: Partial<SetFlows>; readonly member: string; readonly want: string }>([
    { name: 'a destination', member: '203.0.113.7/32', want: 'flow4 { dst 203.0.113.7/32; }' },
    { name: 'a source of IPv6', given: { as: 'source' }, member: '2001:db8::/64', want: 'flow6 { src 2001:db8::/64; }' },
    {
      name: 'with what packets have to be besides',
      given: { as: 'source', match: components('proto 17; sport 123;') },
      member: '198.51.100.0/24',
      want: 'flow4 { src 198.51.100.0/24; proto 17; sport 123; }',
    },
  ])('$name', ({ given, member, want }) => {
    const { one, texts } = convert(given);
    one.member(prefix(member), true);
    expect(texts()).toEqual([want]);
    expect(one.list().every(isSetFlow)).toBe(true);
    one.member(prefix(member), false);
    expect(texts()).toEqual([]);
  });

  test.each<{ readonly reason: string; readonly given?: Partial<SetFlows>; readonly member: string }>([
    { reason: 'length', member: '203.0.0.0/16' },
    { reason: 'prefix', given: { prefixes: [prefix('203.0.113.0/24')] }, member: '198.51.100.0/24' },
    { reason: 'protected', member: '203.0.113.0/24' },
    { reason: 'family', given: { match: components('label 5;') }, member: '203.0.113.7/32' },
    { reason: 'unenforceable', member: '203.0.113.9/32' },
  ])('is refused and counted: $reason', ({ reason, given, member }) => {
    const { one, texts } = convert(given, ({ rule }) => (printFlow(rule).includes('113.9') ? 'no' : undefined));
    one.member(prefix(member), true);
    expect([texts(), one.counts()]).toEqual([[], { rules: 0, waiting: 0, refused: { [reason]: 1 } }]);
    one.member(prefix(member), false);
    expect(one.counts().refused).toEqual({});
  });

  test('what cannot be enforced here is announced where it only is', () => {
    const { one, texts } = convert({ enforce: false }, () => 'no');
    one.member(prefix('203.0.113.9/32'), true);
    expect(texts()).toHaveLength(1);
  });

  test('a look at all members takes out those that are gone, and changes nothing else', () => {
    const { one, texts } = convert({ churn: { rate: 1, burst: 1 } });
    const all = ['203.0.113.7/32', '203.0.113.8/32', '203.0.113.9/32'].map(prefix);
    one.all(all);
    expect(texts()).toHaveLength(3);
    one.all(all.slice(1));
    expect(texts()).toEqual(['flow4 { dst 203.0.113.8/32; }', 'flow4 { dst 203.0.113.9/32; }']);
    one.close();
    expect(texts()).toEqual([]);
  });

  test('members that flap are let in at the churn limit', () => {
    const { one, clock, texts } = convert({ churn: { rate: 1, burst: 2 } });
    const member = prefix('203.0.113.7/32');
    for (let i = 0; i < 5; i++) {
      one.member(member, true);
      one.member(member, false);
    }
    one.member(member, true);
    expect([texts().length, one.counts().waiting]).toEqual([0, 1]);
    clock.advance(1000);
    expect(texts()).toHaveLength(1);
  });
});
