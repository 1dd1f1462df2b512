import { type FlowAction, flowTreatment, parseFlow } from '@weir/bgp/flowspec';
import { ip4, overlaps, prefix, printPrefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { FlowBlackholes } from '../../model/blackhole.ts';
import { TestClock } from '../test-fixtures.ts';
import { type ConvertedFlow, FlowConversion } from './flow-conversion.ts';

const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };
const PROTECTED = prefix('203.0.113.1/32');

function flow(text: string, peer = 'detector', actions: readonly FlowAction[] = [DISCARD]): ConvertedFlow {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return { rule: parsed.rule, treatment: flowTreatment(actions, undefined), peer: peer === 'own' ? undefined : peer };
}

function convert(given: Partial<FlowBlackholes> = {}) {
  const routes = new Map<string, readonly string[]>();
  const clock = new TestClock();
  const one = new FlowConversion({
    definition: { from: ['detector'], own: true, peers: ['upstream', 'detector'], maxRoutes: 2, churn: { rate: 1, burst: 10 }, ...given },
    announce: { prefixes: [prefix('203.0.113.0/24'), prefix('2001:db8::/32')], minLength: { 4: 32, 6: 128 } },
    clock,
    isProtected: (one) => overlaps(one, PROTECTED),
    changed: (to, route) => {
      if (route) routes.set(printPrefix(to), route.peers);
      else routes.delete(printPrefix(to));
    },
    again: () => undefined,
  });
  return { one, routes, clock };
}

const VICTIM = 'flow4 { dst 203.0.113.7/32; }';

describe('flow rules as blackhole routes', () => {
  test('a rule that discards one destination; it does not go back to the peer that it is from', () => {
    const { one, routes } = convert();
    one.flow(flow(VICTIM), true);
    expect([...routes]).toEqual([['203.0.113.7/32', ['upstream']]]);
    one.flow(flow(VICTIM), false);
    expect([...routes]).toEqual([]);
  });

  test.each<{ readonly name: string; readonly flow: ConvertedFlow }>([
    { name: 'something else of packets', flow: flow('flow4 { dst 203.0.113.7/32; proto 17; }') },
    { name: 'a source', flow: flow('flow4 { src 203.0.113.7/32; }') },
    { name: 'an offset', flow: flow('flow6 { dst ::7/128 offset 64; }') },
    { name: 'a rate', flow: flow(VICTIM, 'detector', [{ kind: 'rate-bytes', rate: 5, asn: 0 }]) },
    { name: 'nothing to do', flow: flow(VICTIM, 'detector', []) },
    { name: 'a redirect', flow: flow(VICTIM, 'detector', [DISCARD, { kind: 'redirect-ip', address: ip4(0xc0000201), copy: false }]) },
    { name: 'somebody else', flow: flow(VICTIM, 'customer') },
  ])('not: $name', ({ flow: given }) => {
    const { one, routes } = convert();
    one.flow(given, true);
    expect([[...routes], one.counts()]).toEqual([[], { routes: 0, waiting: 0, refused: {} }]);
  });

  test.each<{ readonly reason: string; readonly text: string; readonly given?: Partial<FlowBlackholes> }>([
    { reason: 'length', text: 'flow4 { dst 203.0.113.0/25; }' },
    { reason: 'prefix', text: 'flow4 { dst 198.51.100.7/32; }' },
    { reason: 'protected', text: 'flow4 { dst 203.0.113.1/32; }' },
    { reason: 'nobody', text: VICTIM, given: { peers: ['detector'] } },
  ])('refused and counted: $reason', ({ reason, text, given }) => {
    const { one, routes } = convert(given);
    one.flow(flow(text), true);
    expect([[...routes], one.counts().refused]).toEqual([[], { [reason]: 1 }]);
  });

  test('of a peer and of our own: all peers are told while both ask, and the route stays while one does', () => {
    const { one, routes } = convert();
    one.flow(flow(VICTIM), true);
    one.all([flow(VICTIM), flow(VICTIM, 'own')]);
    expect([...routes]).toEqual([['203.0.113.7/32', ['upstream', 'detector']]]);
    one.flow(flow(VICTIM), false);
    expect([...routes]).toEqual([['203.0.113.7/32', ['upstream', 'detector']]]);
    one.all([]);
    expect([[...routes], one.list()]).toEqual([[], []]);
  });

  test('the announcement of another peer counts now: it is told who it is not from', () => {
    const { one, routes } = convert({ from: ['detector', 'upstream'] });
    one.flow(flow(VICTIM), true);
    one.flow(flow(VICTIM, 'upstream'), true);
    expect([...routes]).toEqual([['203.0.113.7/32', ['detector']]]);
  });

  test('not more than the limit', () => {
    const { one, routes, clock } = convert();
    for (const last of [7, 8, 9]) one.flow(flow(`flow4 { dst 203.0.113.${last}/32; }`), true);
    expect([routes.size, one.counts().waiting]).toEqual([2, 1]);
    one.flow(flow(VICTIM), false);
    clock.advance(1000);
    expect([...routes.keys()]).toEqual(['203.0.113.8/32', '203.0.113.9/32']);
  });
});
