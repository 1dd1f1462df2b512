import { asn, ip4, prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { standard, testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const peers = [testPeer('core', 1), testPeer('edge', 2)];
const make = (): StateUnderTest =>
  new StateUnderTest(testConfig(peers, [testSet('web'), testSet('mail', { communities: [standard(64512, 25)] })]));

describe('counting', () => {
  it('a route that a reflector sends back to its originator gives nothing, and takes out what it replaces', () => {
    const s = make();
    const from = (last: number) => ({ announce: ['203.0.113.7/32'], attributes: { originatorId: ip4(0xc0000200 + last) } });
    s.say('core', from(1));
    expect(s.members('web')).toEqual(['203.0.113.7/32']);
    // The configured identifier is 192.0.2.254.
    s.say('core', from(254));
    expect([s.members('web'), s.state.unneeded('core')]).toEqual([[], 1]);
  });

  it('a member stays until every path that asks for it is gone', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.7/32'], paths: [1] });
    s.say('core', { announce: ['203.0.113.7/32'], paths: [2] });
    s.say('edge', { announce: ['203.0.113.7/32'] });
    expect(s.members('web')).toEqual(['203.0.113.7/32']);
    s.say('core', { withdraw: ['203.0.113.7/32'], paths: [1] });
    s.say('edge', { withdraw: ['203.0.113.7/32'] });
    expect(s.members('web')).toEqual(['203.0.113.7/32']);
    s.say('core', { withdraw: ['203.0.113.7/32'], paths: [2] });
    expect(s.members('web')).toEqual([]);
  });

  it('announcing again counts once', () => {
    const s = make();
    for (let i = 0; i < 3; i++) s.say('core', { announce: ['203.0.113.7/32'] });
    s.say('core', { withdraw: ['203.0.113.7/32'] });
    expect(s.members('web')).toEqual([]);
  });

  it('an announcement without the community takes the member out (implicit withdraw)', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.7/32', '2001:db8::7/128'] });
    expect(s.members('web')).toEqual(['2001:db8::7/128', '203.0.113.7/32']);
    s.say('core', { announce: ['203.0.113.7/32'], communities: [] });
    expect(s.members('web')).toEqual(['2001:db8::7/128']);
    expect(s.state.counts().routes).toBe(1);
  });

  it('one route feeds every set that it asks for, and a change moves only what differs', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.7/32'], communities: ['64512:80', '64512:25'] });
    expect([s.members('web'), s.members('mail')]).toEqual([['203.0.113.7/32'], ['203.0.113.7/32']]);
    s.say('core', { announce: ['203.0.113.7/32'], communities: ['64512:25'] });
    const deltas = s.state.drain();
    expect(deltas.map((d) => [d.set, d.count, [...d.wanted]])).toEqual([['web', 1, [0]]]);
  });

  it('a prefix both withdrawn and announced in one UPDATE is announced, and nothing is sent', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.7/32'] });
    s.state.drain();
    s.say('core', { withdraw: ['203.0.113.7/32'], announce: ['203.0.113.7/32'] });
    expect(s.state.drain()).toEqual([]);
  });

  it('prefixes keep their length and overlaps count apart', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.0/24', '203.0.113.0/25', '203.0.113.0/32'] });
    s.say('core', { withdraw: ['203.0.113.0/25'] });
    expect(s.members('web')).toEqual(['203.0.113.0/24', '203.0.113.0/32']);
  });

  it('what is dirty is told once until it is drained, with the earliest receipt', () => {
    const s = make();
    let told = 0;
    s.state.onDirty(() => told++);
    const first = s.clock.now();
    s.say('core', { announce: ['203.0.113.7/32'] });
    s.wait(5);
    s.say('core', { announce: ['203.0.113.8/32'] });
    expect(told).toBe(1);
    const [delta] = s.state.drain();
    expect([delta?.count, delta?.oldest, delta?.complete]).toEqual([2, first, false]);
    s.say('core', { announce: ['203.0.113.9/32'] });
    expect(told).toBe(2);
  });

  it('updates of a peer that is not configured change nothing', () => {
    const s = make();
    s.say('stranger', { announce: ['203.0.113.7/32'] });
    s.state.sessionDown('stranger', { hard: true });
    expect(s.state.counts().routes).toBe(0);
  });
});

describe('what is stored', () => {
  it('nothing of a route that no set asks for; but all of it with keepAll; a row with maxPrefixes', () => {
    const max = { limit: 10, warnAt: 0.75, action: 'warn', restartAfter: 0 } as const;
    const s = new StateUnderTest(
      testConfig([testPeer('a', 1), testPeer('b', 2, { keepAll: true }), testPeer('c', 3, { maxPrefixes: max })], [testSet('web')]),
    );
    for (const name of ['a', 'b', 'c']) s.say(name, { announce: ['203.0.113.7/32', '203.0.113.8/32'], communities: ['64999:1'] });
    const counts = s.state.counts();
    expect(counts.peers.map((p) => [p.families[0]?.stored, p.families[0]?.announced, p.unneeded])).toEqual([
      [0, undefined, 2],
      [2, 2, 0],
      [2, 2, 0],
    ]);
    expect([counts.attributeSets, s.state.routes({ peer: 'c' }).routes[0]?.attributes]).toEqual([1, {}]);
    expect(s.state.routes({ peer: 'b' }).routes[0]?.attributes.communities).toEqual([(64999 << 16) | 1].map((v) => v >>> 0));
  });

  it('not more than the limits; what is over is counted', () => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web')]), { limits: { routes: 3, routesPerPeer: 2, pathsPerPrefix: 64 } });
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    s.say('edge', { announce: ['203.0.113.4/32', '203.0.113.5/32'] });
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32', '203.0.113.4/32']);
    expect(s.state.counts().peers.map((p) => p.overflow)).toEqual([1, 1]);
    expect(s.state.counts().prefixes).toBe(3);
    s.say('core', { withdraw: ['203.0.113.1/32'] });
    s.say('edge', { announce: ['203.0.113.5/32'] });
    expect(s.members('web')).toEqual(['203.0.113.2/32', '203.0.113.4/32', '203.0.113.5/32']);
  });

  it('64 paths of a peer to one prefix', () => {
    const s = make();
    for (let path = 1; path <= 70; path++) s.say('core', { announce: ['203.0.113.7/32'], paths: [path] });
    expect(s.state.counts()).toMatchObject({ routes: 64, peers: [{ overflow: 6 }, {}] });
  });
});

describe('prefix limit with block', () => {
  const max = { limit: 2, warnAt: 0.75, action: 'block', restartAfter: 0 } as const;
  const blocking = (): StateUnderTest => new StateUnderTest(testConfig([testPeer('core', 1, { maxPrefixes: max })], [testSet('web')]));

  it('takes up to the limit, counting what no set asks for, and changes of what was taken', () => {
    const s = blocking();
    s.say('core', { announce: ['198.51.100.1/32'], communities: [] });
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32'] });
    expect([s.members('web'), s.state.announced('core', 'ipv4 unicast')]).toEqual([['203.0.113.1/32'], 2]);
    s.say('core', { announce: ['198.51.100.1/32'] });
    expect(s.members('web')).toEqual(['198.51.100.1/32', '203.0.113.1/32']);
    expect(s.state.counts().peers[0]?.blocked).toBe(1);
  });

  it('counts the present session: stale routes do not stand in the way of their own return', () => {
    const s = blocking();
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32'] });
    s.state.sessionDown('core', { hard: false });
    expect(s.state.announced('core', 'ipv4 unicast')).toBe(0);
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    expect([s.members('web'), s.state.announced('core', 'ipv4 unicast')]).toEqual([['203.0.113.1/32', '203.0.113.2/32'], 2]);
  });
});

describe('views', () => {
  it('members in order, page by page, each with its reasons', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.9/32', '203.0.113.7/32', '2001:db8::1/128', '203.0.113.0/24'], paths: [5, 5, 5, 5] });
    s.say('edge', { announce: ['203.0.113.7/32'], communities: ['64512:80', '64999:9'] });
    const first = s.state.members('web', { limit: 2 });
    expect([first.members.map((m) => [m.prefix.length, m.provenance.length]), first.more]).toEqual([
      [
        [24, 1],
        [32, 2],
      ],
      true,
    ]);
    const rest = s.state.members('web', { limit: 2, after: first.members[1]?.prefix });
    expect([rest.members.map((m) => m.prefix.family), rest.more]).toEqual([[4, 6], false]);
    expect(first.members[1]?.provenance[0]).toEqual({
      kind: 'route',
      peer: 'edge',
      prefix: prefix('203.0.113.7/32'),
      pathId: undefined,
      asPath: [asn(64513), asn(64514)],
      communities: ['64512:80'],
      since: 1_000_000,
      stale: false,
    });
    expect(first.members[1]?.provenance[1]).toMatchObject({ peer: 'core', pathId: 5 });
  });

  it('what a prefix covers or is covered by', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.0/24', '203.0.113.7/32', '198.51.100.1/32', '2001:db8::/32'] });
    const listed = s.state.members('web', { prefix: prefix('203.0.113.4/30') });
    expect(listed.members.map((m) => m.prefix.length)).toEqual([24, 32]);
    expect(s.state.members('web', { family: 6 }).members).toHaveLength(1);
    expect(s.state.members('nothing').members).toEqual([]);
  });

  it('routes with their attributes, sets and refusals', () => {
    const s = new StateUnderTest(
      testConfig(
        [testPeer('core', 1, { keepAll: true })],
        [testSet('web', { guard: { prefixes: [prefix('198.51.100.0/24')] } }), testSet('all')],
      ),
    );
    const said = { announce: ['203.0.113.7/32'], attributes: { communities: [((64512 << 16) | 80) >>> 0], med: 7 } };
    s.say('core', said);
    const [route] = s.state.routes({ set: 'all' }).routes;
    expect(route).toMatchObject({
      peer: 'core',
      sets: [{ set: 'all', installed: true }],
      refused: [{ set: 'web', reason: 'prefix' }],
      stale: false,
      attributes: { med: 7, origin: 'igp' },
    });
    expect(s.state.routes({ peer: 'nobody' }).routes).toEqual([]);
  });

  it('member events, bounded for each drain', () => {
    const s = make();
    s.say('core', { announce: Array.from({ length: 250 }, (_, i) => `203.0.113.${i}/32`) });
    s.say('edge', { announce: Array.from({ length: 250 }, (_, i) => `198.51.100.${i}/32`) });
    s.state.drain();
    const told = s.events.filter((e) => e.kind === 'member');
    expect(told).toHaveLength(256);
    expect(told[0]).toMatchObject({ set: 'web', prefix: '203.0.113.0/32', present: true, peer: 'core' });
  });

  it('the whole of a set on request, in which its changes are', () => {
    const s = make();
    s.say('core', { announce: ['203.0.113.1/32'] });
    s.state.drain();
    s.say('core', { announce: ['203.0.113.2/32'], withdraw: ['203.0.113.1/32'] });
    const complete = s.state.complete('web');
    expect(complete.map((d) => [d.family, d.complete, d.count])).toEqual([
      [4, true, 1],
      [6, true, 0],
    ]);
    expect(s.state.drain()).toEqual([]);
  });
});
