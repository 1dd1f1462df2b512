import type { UpdateMessage } from '@weir/bgp/codec';
import { encodeFlowActions, type FlowAction, type FlowRule, flowRun, parseFlow } from '@weir/bgp/flowspec';
import { asn, ip4, prefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { Config, Peer } from '../../model/config.ts';
import { type ActiveFlow, DEFAULT_FLOWSPEC, type FlowConfig, type FlowGuard } from '../../model/flow.ts';
import { RouteState } from '../route-state.ts';
import { TestClock, testConfig, testPeer, update } from '../test-fixtures.ts';
import type { FlowState } from './flow-state.ts';

const SPAN = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
const FAMILIES = ['ipv4 unicast', 'ipv4 flow', 'ipv6 flow'] as const;
const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };
const LIMIT: FlowAction = { kind: 'rate-bytes', rate: 1000, asn: 0 };

function rule(text: string): FlowRule {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem.message}`);
  return parsed.rule;
}

const VICTIM = 'flow4 { dst 203.0.113.7/32; }';
const OTHER = 'flow4 { dst 203.0.113.8/32; }';

class Bed {
  readonly clock = new TestClock();
  readonly routes: RouteState;
  readonly flows: FlowState;
  readonly enforced = new Map<string, string>();
  told = 0;

  constructor(config: Config, unenforceable: (text: string) => string | undefined = () => undefined) {
    const { clock } = this;
    this.routes = new RouteState({
      clock,
      unenforceable: ({ provenance: why }) => (why.kind === 'flow' ? unenforceable(why.flow) : undefined),
    });
    this.flows = this.routes.flows;
    this.flows.onDirty(() => this.told++);
    this.routes.configure(config);
  }

  say(peer: string, message: UpdateMessage): void {
    this.routes.update(peer, message, { fourOctetAs: true, receivedAt: this.clock.now() });
  }

  announce(peer: string, texts: readonly string[], actions: readonly FlowAction[] = [DISCARD], asPath: readonly number[] = [64513]): this {
    const message = update({
      attributes: { asPath: [{ kind: 'sequence', asns: asPath.map((number) => asn(number)) }], ...encodeFlowActions(actions) },
    });
    const routes = texts.map(rule);
    this.say(peer, { ...message, announceFlows: [{ nextHop: undefined, run: flowRun('ipv4 flow', routes) }] });
    return this;
  }

  withdraw(peer: string, text: string): this {
    this.say(peer, { ...update({}), withdrawFlows: [flowRun('ipv4 flow', [rule(text)])] });
    return this;
  }

  unicast(peer: string, announce: readonly string[], asPath: readonly number[] = [64513]): this {
    const attributes = { asPath: [{ kind: 'sequence', asns: asPath.map((number) => asn(number)) }] } as const;
    this.routes.update(peer, update({ announce, attributes }), { fourOctetAs: true, receivedAt: this.clock.now() });
    return this;
  }

  /** Texts of what is enforced, after everything was drained. */
  get now(): readonly string[] {
    const { reset, gone, put } = this.flows.drain();
    if (reset) this.enforced.clear();
    for (const key of gone) this.enforced.delete(key);
    for (const { rule: one, provenance } of put) if (provenance.kind === 'flow') this.enforced.set(one.key, provenance.flow);
    return [...this.enforced.values()].sort();
  }

  refusals(): readonly (string | undefined)[] {
    return this.flows.list().map(({ refusal }) => refusal?.reason);
  }
}

const guard = (more: Partial<FlowGuard> = {}): FlowGuard => ({
  ...DEFAULT_FLOWSPEC.guard,
  peers: ['a', 'b'],
  destinations: undefined,
  span: SPAN,
  ...more,
});

function config(
  given: { readonly guard?: Partial<FlowGuard>; readonly peer?: Partial<Peer>; readonly flowspec?: Partial<FlowConfig> } = {},
): Config {
  const flowspec: FlowConfig = {
    at: 'prerouting',
    protected: [],
    protectedFlows: [],
    guards: [guard(given.guard)],
    redirects: [],
    announce: undefined,
    firstMark: 1,
    routing: DEFAULT_FLOWSPEC.routing,
    onSessionLoss: { kind: 'hold', ms: 60_000 },
    sampleRate: 1,
    span: SPAN,
    ...given.flowspec,
  };
  const peers = ['a', 'b'].map((name, i) => testPeer(name, i + 1, { families: FAMILIES, ...given.peer }));
  return testConfig(peers, [], { flowspec });
}

describe('what peers announce', () => {
  test('is enforced until it is withdrawn, once for all that announce it', () => {
    const bed = new Bed(config()).announce('a', [VICTIM, OTHER]).announce('b', [VICTIM]);
    expect(bed.now).toEqual([VICTIM, OTHER].map((text) => expect.stringContaining(text.slice(0, 28))));
    bed.withdraw('a', VICTIM);
    expect(bed.now).toHaveLength(2);
    bed.withdraw('b', VICTIM);
    expect(bed.now).toHaveLength(1);
    expect(bed.told).toBeGreaterThan(0);
  });

  test('of several announcements of one rule the best counts', () => {
    const bed = new Bed(config()).announce('a', [VICTIM], [DISCARD], [64513, 64514]).announce('b', [VICTIM], [LIMIT], [64515]);
    expect(bed.flows.drain().put.map(({ treatment }) => treatment.rateBytes)).toEqual([1000]);
    bed.withdraw('b', VICTIM);
    expect(bed.flows.drain().put.map(({ treatment }) => treatment.rateBytes)).toEqual([0]);
  });

  test('as it was before gives nothing to drain', () => {
    const bed = new Bed(config()).announce('a', [VICTIM]);
    expect(bed.now).toHaveLength(1);
    bed.announce('a', [VICTIM]);
    expect(bed.flows.isDirty).toBe(false);
  });
});

describe('redirects to an address', () => {
  const to = (host: number, copy = false): FlowAction => ({ kind: 'redirect-ip', address: ip4(0xc0000200 + host), copy });
  const redirecting = () =>
    new Bed(config({ guard: { actions: ['redirect'] }, flowspec: { routing: { ...DEFAULT_FLOWSPEC.routing, most: 1 } } }));
  const learn = (bed: Bed, refused?: string): void =>
    bed.flows.paths.learn(bed.flows.paths.hops().map(({ address }) => ({ address, refused })));

  test('are in force once there is a way, and while there is one', () => {
    const bed = redirecting().announce('a', [VICTIM], [to(9)]);
    expect([bed.now, bed.refusals()]).toEqual([[], ['unenforceable']]);
    learn(bed);
    const [put] = bed.flows.drain().put;
    expect(put?.path).toEqual({ mark: 0x0f20_0000, table: 7900 });
    learn(bed, 'there is no route');
    expect([bed.flows.drain().gone.length, bed.refusals()]).toEqual([1, ['unenforceable']]);
    expect(bed.flows.list()[0]?.refusal?.message).toBe('there is no route');
    learn(bed);
    expect(bed.now).toHaveLength(1);
  });

  test('wait for a mark until nothing judges by it any more', () => {
    const bed = redirecting().announce('a', [VICTIM], [to(9)]);
    learn(bed);
    expect(bed.now).toHaveLength(1);
    bed.announce('a', [OTHER], [to(10)]);
    bed.withdraw('a', VICTIM);
    expect(bed.now).toHaveLength(0);
    bed.flows.paths.carried();
    learn(bed);
    expect(bed.flows.drain().put.map(({ path }) => path?.mark)).toEqual([0x0f20_0000]);
  });

  test('with other marks are handed over again', () => {
    const bed = redirecting().announce('a', [VICTIM], [to(9)]);
    learn(bed);
    expect(bed.now).toHaveLength(1);
    const given = config({ guard: { actions: ['redirect'] }, flowspec: { routing: { ...DEFAULT_FLOWSPEC.routing, firstMark: 7 } } });
    bed.flows.preview(given);
    expect(bed.flows.isDirty).toBe(false);
    bed.routes.configure(given);
    expect(bed.flows.drain()).toMatchObject({ reset: true, put: [{ path: { mark: 7, table: 7900 } }] });
  });

  test('of before the start keep theirs, also when the peer says them again', () => {
    const before = redirecting().announce('a', [VICTIM], [to(9)]);
    learn(before);
    const kept = before.flows.drain().put;
    const bed = redirecting();
    bed.flows.addLedger(kept);
    expect(bed.now).toHaveLength(1);
    bed.announce('a', [VICTIM], [to(9)]);
    expect(bed.refusals()).toEqual([undefined]);
    expect(bed.flows.drain().put.map(({ path }) => path)).toEqual([{ mark: 0x0f20_0000, table: 7900 }]);
  });
});

describe('guards', () => {
  test.each<{
    readonly name: string;
    readonly given: Partial<FlowGuard>;
    readonly actions?: readonly FlowAction[];
    readonly text?: string;
    readonly reason: string;
  }>([
    { name: 'another peer', given: { peers: ['b'] }, reason: 'guard' },
    { name: 'a short destination', given: {}, text: 'flow4 { dst 203.0.112.0/23; }', reason: 'length' },
    { name: 'no destination', given: {}, text: 'flow4 { proto = 17; }', reason: 'length' },
    { name: 'another destination', given: { destinations: [prefix('198.51.100.0/24')] }, reason: 'destination' },
    { name: 'another action', given: { actions: ['rate'] }, reason: 'action' },
    { name: 'sampling', given: {}, actions: [{ kind: 'traffic-action', sample: true, terminal: true }], reason: 'action' },
  ])('refuse $name', ({ given, actions = [DISCARD], text = VICTIM, reason }) => {
    const bed = new Bed(config({ guard: given })).announce('a', [text], actions);
    expect([bed.now, bed.refusals()]).toEqual([[], [reason]]);
    expect(bed.flows.counts()[0]).toMatchObject({ peer: 'a', rules: 1, enforced: 0, refused: { [reason]: 1 } });
  });

  test('what is enforced stays when there is no room, and what was refused comes in when there is', () => {
    const bed = new Bed(config({ guard: { maxRules: 1 } })).announce('a', [VICTIM]).announce('a', [OTHER]);
    expect([bed.now.length, bed.refusals()]).toEqual([1, [undefined, 'full']]);
    bed.withdraw('a', VICTIM);
    expect(bed.now).toEqual([expect.stringContaining('203.0.113.8')]);
  });

  test('new rules wait for the churn limit, withdrawals do not', () => {
    const bed = new Bed(config({ guard: { churn: { rate: 1, burst: 1 } } })).announce('a', [VICTIM, OTHER]);
    expect([bed.now.length, bed.flows.counts()[0]?.waiting]).toEqual([1, 1]);
    bed.withdraw('a', VICTIM);
    expect(bed.now).toEqual([]);
    bed.clock.advance(1000);
    expect(bed.now).toEqual([expect.stringContaining('203.0.113.8')]);
  });

  test('a rule that changes is never without effect, however fast it changes', () => {
    const bed = new Bed(config({ guard: { churn: { rate: 1, burst: 1 } } })).announce('a', [VICTIM]);
    for (const action of [LIMIT, DISCARD, LIMIT]) {
      bed.announce('a', [VICTIM], [action]);
      expect([bed.now.length, bed.flows.counts()[0]?.waiting]).toEqual([1, 0]);
    }
  });

  test('what the engine cannot do is refused', () => {
    const bed = new Bed(config(), (text) => (text.includes('203.0.113.8') ? 'no' : undefined)).announce('a', [VICTIM, OTHER]);
    expect([bed.now.length, bed.refusals()]).toEqual([1, [undefined, 'unenforceable']]);
  });

  test('another configuration judges again', () => {
    const bed = new Bed(config()).announce('a', [VICTIM]);
    expect(bed.now).toHaveLength(1);
    bed.routes.configure(config({ guard: { peers: ['b'] } }));
    expect(bed.now).toEqual([]);
    bed.routes.configure(config());
    expect(bed.now).toHaveLength(1);
    bed.routes.configure(testConfig([testPeer('a', 1, { families: FAMILIES })], []));
    expect(bed.now).toEqual([]);
  });
});

describe('session loss', () => {
  test('holds rules for the time of the configuration', () => {
    const bed = new Bed(config()).announce('a', [VICTIM]);
    bed.routes.sessionDown('a', { hard: false });
    expect([bed.now.length, bed.flows.counts()[0]?.stale]).toEqual([1, 1]);
    bed.clock.advance(59_999);
    expect(bed.now).toHaveLength(1);
    bed.clock.advance(1);
    expect(bed.now).toEqual([]);
  });

  test('what is not announced again until the peer has converged goes', () => {
    const bed = new Bed(config()).announce('a', [VICTIM, OTHER]);
    bed.routes.sessionDown('a', { hard: false });
    bed.announce('a', [OTHER]);
    bed.routes.converged('a', 'ipv4 flow');
    expect(bed.now).toEqual([expect.stringContaining('203.0.113.8')]);
  });

  test('a hard reset ends them at once', () => {
    const bed = new Bed(config()).announce('a', [VICTIM]);
    bed.routes.sessionDown('a', { hard: true });
    expect(bed.now).toEqual([]);
  });

  test('a refresh takes out what is not in it', () => {
    const bed = new Bed(config()).announce('a', [VICTIM, OTHER]);
    bed.routes.beginRefresh('a', 'ipv4 flow');
    bed.announce('a', [VICTIM]);
    bed.routes.endRefresh('a', 'ipv4 flow');
    expect(bed.now).toEqual([expect.stringContaining('203.0.113.7')]);
  });
});

describe('what was in force before the start', () => {
  const before = (): readonly ActiveFlow[] => new Bed(config()).announce('a', [VICTIM, OTHER]).flows.drain().put;

  test('stays until every peer has said what it has', () => {
    const bed = new Bed(config());
    bed.flows.addLedger(before());
    bed.announce('a', [OTHER]);
    bed.routes.converged('a', 'ipv4 flow');
    expect(bed.now).toHaveLength(2);
    bed.routes.converged('b', 'ipv4 flow');
    expect(bed.now).toEqual([expect.stringContaining('203.0.113.8')]);
  });

  test('goes with the last peer that could announce it', () => {
    const bed = new Bed(config());
    bed.flows.addLedger(before());
    expect(bed.now).toHaveLength(2);
    bed.routes.configure(testConfig([], []));
    expect(bed.now).toEqual([]);
  });
});

describe('validation', () => {
  const strict = (): Bed => new Bed(config({ peer: { flowValidation: 'strict' } }));

  test('needs a unicast route from the same neighbour', () => {
    const bed = strict().announce('a', [VICTIM]);
    expect(bed.refusals()).toEqual(['invalid']);
    bed.unicast('b', ['203.0.113.0/24']);
    bed.clock.advance(1000);
    expect(bed.refusals()).toEqual(['invalid']);
    bed.unicast('a', ['203.0.113.0/25']);
    bed.clock.advance(1000);
    expect(bed.now).toHaveLength(1);
  });

  test('follows the unicast routes', () => {
    const bed = strict().unicast('a', ['203.0.113.0/24']).announce('a', ['flow4 { dst 203.0.113.0/24; }']);
    expect(bed.now).toHaveLength(1);
    bed.unicast('b', ['203.0.113.128/25'], [64599]);
    bed.clock.advance(1000);
    expect([bed.now, bed.flows.list()[0]?.refusal?.message]).toEqual([
      [],
      '203.0.113.128/25 within its destination is announced by another AS',
    ]);
    bed.routes.sessionDown('b', { hard: true });
    bed.clock.advance(1000);
    expect(bed.now).toHaveLength(1);
  });

  test('of one AS path with the best route, from a neighbour of another AS', () => {
    const bed = strict().unicast('a', ['203.0.113.0/24'], [64513]).announce('a', [VICTIM], [DISCARD], [64514]);
    expect(bed.flows.list()[0]?.refusal?.message).toContain('begins with 64514');
    const origin = new Bed(config({ peer: { flowValidation: 'origin' } }));
    origin.unicast('a', ['203.0.113.0/24'], [64513]).announce('a', [VICTIM], [DISCARD], [64514]);
    expect(origin.now).toHaveLength(1);
  });

  test('what the own AS has made needs no route of its own (RFC 9117)', () => {
    const bed = new Bed(config({ peer: { flowValidation: 'strict', as: asn(64512) } }));
    bed.unicast('b', ['203.0.113.0/24'], [64513]).announce('a', [VICTIM], [DISCARD], []);
    expect(bed.now).toHaveLength(1);
  });

  test('goes by ORIGINATOR_ID behind a route reflector', () => {
    const bed = new Bed(config({ peer: { flowValidation: 'origin', as: asn(64512) } }));
    const originatorId = ip4(0xc0000263);
    bed.routes.update('b', update({ announce: ['203.0.113.0/24'], attributes: { originatorId } }), {
      fourOctetAs: true,
      receivedAt: bed.clock.now(),
    });
    const message = update({ attributes: { originatorId, ...encodeFlowActions([DISCARD]) } });
    bed.say('a', {
      ...message,
      announceFlows: [{ nextHop: undefined, run: flowRun('ipv4 flow', [rule(VICTIM)]) }],
    });
    expect(bed.now).toHaveLength(1);
  });
});
