import { encodeFlowActions, type FlowAction, flowRun, parseFlow } from '@weir/bgp/flowspec';
import { asn, prefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { Config, Peer } from '../../model/config.ts';
import { type ActiveFlow, DEFAULT_FLOWSPEC, type FlowConfig, type FlowGuard } from '../../model/flow.ts';
import { RouteState } from '../route-state.ts';
import { TestClock, testConfig, testPeer, update } from '../test-fixtures.ts';

const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };
const TEXTS = ['flow4 { dst 203.0.113.7/32; }', 'flow4 { dst 203.0.113.8/32; }', 'flow4 { dst 203.0.112.0/24; }'];

interface Given {
  readonly guard?: Partial<FlowGuard>;
  readonly peer?: Partial<Peer>;
  readonly flowspec?: Partial<FlowConfig> | undefined;
  readonly peers?: readonly string[];
}

function config({ guard, peer, flowspec, peers = ['a'] }: Given = {}): Config {
  const whole: FlowConfig = {
    ...DEFAULT_FLOWSPEC,
    protected: [],
    protectedFlows: [],
    redirects: [],
    announce: undefined,
    span,
    guards: [{ ...DEFAULT_FLOWSPEC.guard, peers: ['a'], destinations: undefined, span, ...guard }],
    ...flowspec,
  };
  return testConfig(
    peers.map((name, i) => testPeer(name, i + 1, { families: ['ipv4 unicast', 'ipv4 flow'], flowValidation: 'off', ...peer })),
    [],
    { flowspec: whole },
  );
}

/** A state that has heard the rules of `TEXTS` from `a`. */
function state(before: Config): RouteState {
  const clock = new TestClock();
  const unenforceable = (_: ActiveFlow, { at }: FlowConfig): string | undefined => (at === 'xdp' ? 'not at xdp' : undefined);
  const routes = new RouteState({ clock, unenforceable });
  routes.configure(before);
  const run = flowRun(
    'ipv4 flow',
    TEXTS.map((text) => {
      const parsed = parseFlow(text);
      if (!parsed.ok) throw new Error(text);
      return parsed.rule;
    }),
  );
  const asPath = [{ kind: 'sequence' as const, asns: [asn(64513)] }];
  const heard = { fourOctetAs: true, receivedAt: clock.now() };
  routes.update('a', update({ announce: ['203.0.113.0/24'], attributes: { asPath } }), heard);
  const message = update({ attributes: { asPath, ...encodeFlowActions([DISCARD]) } });
  routes.update('a', { ...message, announceFlows: [{ nextHop: undefined, run }] }, heard);
  return routes;
}

/** By text: `enforced`, or why not. */
const standings = (views: ReturnType<RouteState['flows']['list']>): Readonly<Record<string, string>> =>
  Object.fromEntries(views.map(({ flow, state: now, refusal }) => [(flow.provenance as { flow: string }).flow, refusal?.reason ?? now]));

describe('what another configuration would make of the rules', () => {
  test.each([
    { name: 'the same', after: {}, want: ['enforced', 'enforced', 'enforced'] },
    {
      name: 'other destinations',
      after: { guard: { destinations: [prefix('203.0.113.0/24')] } },
      want: ['enforced', 'enforced', 'destination'],
    },
    { name: 'longer prefixes', after: { guard: { minLength: { 4: 32, 6: 128 } } }, want: ['enforced', 'enforced', 'length'] },
    { name: 'other actions', after: { guard: { actions: ['rate' as const] } }, want: ['action', 'action', 'action'] },
    { name: 'fewer rules: the last stay, as after a reload', after: { guard: { maxRules: 2 } }, want: ['full', 'enforced', 'enforced'] },
    { name: 'a guard of others', after: { guard: { peers: ['b'] } }, want: ['guard', 'guard', 'guard'] },
    { name: 'another engine', after: { flowspec: { at: 'xdp' as const } }, want: ['unenforceable', 'unenforceable', 'unenforceable'] },
    { name: 'validation', after: { peer: { flowValidation: 'strict' as const } }, want: ['enforced', 'enforced', 'invalid'] },
    { name: 'the peer is gone', after: { peers: [] }, want: [] },
    { name: 'the family is gone', after: { peer: { families: ['ipv4 unicast' as const] } }, want: [] },
  ])('$name', ({ after, want }) => {
    // Routes are kept from the start.
    const routes = state(config({ peer: { keepAll: true } }));
    const before = routes.flows.list();
    const seen = standings(routes.flows.preview(config({ ...after, peer: { keepAll: true, ...('peer' in after ? after.peer : {}) } })));
    expect(TEXTS.flatMap((text) => seen[text] ?? [])).toEqual(want);
    expect(routes.flows.list()).toEqual(before);
  });

  test('is what comes of it', () => {
    for (const maxRules of [0, 1, 2, 3]) {
      const routes = state(config());
      const after = config({ guard: { maxRules, destinations: [prefix('203.0.112.0/23')] } });
      const seen = standings(routes.flows.preview(after));
      routes.configure(after);
      expect(standings(routes.flows.list())).toEqual(seen);
    }
  });

  test('what waits for the churn limit goes on waiting', () => {
    const routes = state(config({ guard: { churn: { rate: 1, burst: 1 } } }));
    expect(standings(routes.flows.list())).toEqual({
      [TEXTS[0] ?? '']: 'enforced',
      [TEXTS[1] ?? '']: 'waiting',
      [TEXTS[2] ?? '']: 'waiting',
    });
    expect(standings(routes.flows.preview(config({ guard: { churn: { rate: 1, burst: 1 } } })))).toEqual(standings(routes.flows.list()));
  });
});

test('what is in force from before the start is listed, until somebody has said it again', () => {
  const routes = state(config());
  const [first] = routes.flows.list();
  if (!first) throw new Error('no rule');
  const after = new RouteState({ clock: new TestClock() });
  after.configure(config());
  after.flows.addLedger([first.flow]);
  expect(after.flows.list()).toMatchObject([
    { peer: 'a', state: 'enforced', attributes: undefined, flow: { provenance: { stale: true } } },
  ]);
  after.flows.converged('a', 'ipv4 flow');
  expect(after.flows.list()).toEqual([]);
});
