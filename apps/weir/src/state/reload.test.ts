import { prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { Peer } from '../model/config.ts';
import type { NamedSet } from '../model/named-set.ts';
import { standard, testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const core = testPeer('core', 1);
const edge = testPeer('edge', 2);
const web = testSet('web');
const lengths = { 4: { min: 24, max: 32 }, 6: { min: 48, max: 128 } };
const max = { limit: 10, warnAt: 0.75, action: 'warn', restartAfter: 0 } as const;
const both = ['ipv4 unicast', 'ipv6 unicast'];

const rows: readonly {
  name: string;
  before: NamedSet[];
  after: NamedSet[];
  peers?: Peer[];
  next?: Peer[];
  want: Record<string, string[]>;
}[] = [
  { name: 'nothing changed', before: [web], after: [testSet('web')], want: {} },
  {
    name: 'another hold, another churn',
    before: [web],
    after: [testSet('web', { onSessionLoss: { kind: 'withdraw' }, guard: { churn: { rate: 1, burst: 1 } } })],
    want: {},
  },
  { name: 'a new set', before: [web], after: [web, testSet('mail')], want: { core: both, edge: both } },
  { name: 'a set gone', before: [web, testSet('mail')], after: [web], want: {} },
  {
    name: 'a community more',
    before: [web],
    after: [testSet('web', { communities: [standard(64512, 80), standard(64512, 81)] })],
    want: { core: both, edge: both },
  },
  {
    name: 'a community less',
    before: [testSet('web', { communities: [standard(64512, 80), standard(64512, 81)] })],
    after: [web],
    want: {},
  },
  {
    name: 'a peer more in the guard',
    before: [testSet('web', { guard: { peers: ['core'] } })],
    after: [testSet('web', { guard: { peers: ['core', 'edge'] } })],
    want: { core: both, edge: both },
  },
  {
    name: 'a peer less',
    before: [testSet('web', { guard: { peers: ['core', 'edge'] } })],
    after: [testSet('web', { guard: { peers: ['core'] } })],
    want: {},
  },
  {
    name: 'only peers of the guard are asked',
    before: [testSet('web', { guard: { peers: ['core'] } })],
    after: [testSet('web', { guard: { peers: ['core'], lengths: { ...lengths, 4: { min: 8, max: 32 } } } })],
    want: {},
  },
  {
    name: 'longer prefixes',
    before: [testSet('web', { guard: { lengths: { ...lengths, 4: { min: 24, max: 28 } } } })],
    after: [testSet('web', { guard: { lengths, peers: ['core'] } })],
    want: { core: both },
  },
  {
    name: 'covering prefixes within the old ones',
    before: [testSet('web', { guard: { prefixes: [prefix('203.0.112.0/23')] } })],
    after: [testSet('web', { guard: { prefixes: [prefix('203.0.113.0/24')] } })],
    want: {},
  },
  {
    name: 'covering prefixes beyond them',
    before: [testSet('web', { guard: { prefixes: [prefix('203.0.113.0/24')] } })],
    after: [testSet('web', { guard: { prefixes: [prefix('203.0.112.0/23')] } })],
    want: { core: both, edge: both },
  },
  {
    name: 'a target for one family more',
    before: [testSet('web', { target: { kind: 'user', family: 'inet', table: 'fw', ipv4: 'a', ipv6: undefined } })],
    after: [testSet('web', { target: { kind: 'user', family: 'inet', table: 'fw', ipv4: 'a', ipv6: 'b' } })],
    want: { core: both, edge: both },
  },
  {
    name: 'a set for one family asks for that one',
    before: [],
    after: [testSet('web', { target: { kind: 'user', family: 'ip', table: 'fw', ipv4: 'a', ipv6: undefined } })],
    want: { core: ['ipv4 unicast'], edge: ['ipv4 unicast'] },
  },
  {
    name: 'a peer that keeps all is not asked',
    before: [web],
    after: [web, testSet('mail')],
    peers: [{ ...core, keepAll: true }, edge],
    next: [{ ...core, keepAll: true }, edge],
    want: { edge: both },
  },
  {
    name: 'a peer that is to keep all from now on is',
    before: [web],
    after: [web],
    next: [{ ...core, keepAll: true }, edge],
    want: { core: both },
  },
  {
    name: 'and one whose routes are counted from now on',
    before: [web],
    after: [web],
    next: [{ ...core, maxPrefixes: max }, edge],
    want: { core: both },
  },
  { name: 'a new peer will tell by itself', before: [web], after: [web], peers: [core], next: [core, edge], want: {} },
];

describe('route refresh after a reload', () => {
  it.each(rows)('$name', ({ before, after, peers, next, want }) => {
    const s = new StateUnderTest(testConfig(peers ?? [core, edge], before));
    const { refresh } = s.state.configure(testConfig(next ?? peers ?? [core, edge], after));
    expect(Object.fromEntries(refresh.map((r) => [r.peer, r.families]))).toEqual(want);
  });
});

describe('reload', () => {
  const start = (sets: readonly NamedSet[]): StateUnderTest => {
    const s = new StateUnderTest(testConfig([core, edge], sets));
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32'] });
    s.say('edge', { announce: ['203.0.113.2/32', '2001:db8::1/128'] });
    for (const set of sets) s.members(set.name);
    return s;
  };

  it('of the same configuration sends nothing', () => {
    const s = start([web]);
    const { changedSets } = s.state.configure(
      testConfig([core, edge], [testSet('web', { span: { file: 'weir.yaml', line: 9, column: 9, length: 9 } })]),
    );
    expect([changedSets, s.state.drain()]).toEqual([[], []]);
  });

  it('takes out exactly what a removed peer gave', () => {
    const s = start([web]);
    s.state.configure(testConfig([edge], [web]));
    expect(s.members('web')).toEqual(['2001:db8::1/128', '203.0.113.2/32']);
    s.say('core', { announce: ['203.0.113.9/32'] });
    expect(s.members('web')).toHaveLength(2);
  });

  it('takes a removed set out of what other sets share with it', () => {
    const s = start([web, testSet('also')]);
    const { changedSets } = s.state.configure(testConfig([core, edge], [testSet('also')]));
    expect([changedSets, s.state.drain(), s.members('also').length]).toEqual([['web'], [], 3]);
    expect(s.state.members('web').members).toEqual([]);
  });

  it('a guard that tightens takes out what it refuses now, and says so', () => {
    const s = start([web]);
    s.state.configure(testConfig([core, edge], [testSet('web', { guard: { peers: ['core'] } })]));
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
    expect(s.state.refused('web')?.counts.peer).toBe(2);
    expect(s.state.counts().routes).toBe(2);
  });

  it('communities that change move the members over', () => {
    const s = start([web, testSet('mail', { communities: [standard(64512, 25)] })]);
    const { changedSets } = s.state.configure(
      testConfig(
        [core, edge],
        [testSet('web', { communities: [standard(64512, 25)] }), testSet('mail', { communities: [standard(64512, 80)] })],
      ),
    );
    expect([changedSets, s.members('web').length, s.members('mail').length]).toEqual([['web', 'mail'], 0, 3]);
  });

  it('a renamed set with the same target goes on with its members, given whole under the new name', () => {
    const s = start([web]);
    s.state.sessionDown('core', { hard: false });
    s.state.configure(testConfig([core, edge], [testSet('front', { target: web.target })]));
    const deltas = s.state.drain();
    expect(deltas.map((d) => [d.set, d.family, d.complete, d.count])).toEqual([
      ['front', 4, true, 2],
      ['front', 6, true, 1],
    ]);
    expect(s.state.holds('core').map((h) => h.set)).toEqual(['front']);
    expect(s.state.drain()).toEqual([]);
  });

  it('a renamed set of the owned table too, when nothing else changed', () => {
    const owned = testSet('web', { target: { kind: 'owned' } });
    const s = start([owned]);
    s.state.configure(testConfig([core, edge], [{ ...owned, name: 'front' }]));
    expect(s.state.drain().map((d) => [d.set, d.complete, d.count])).toEqual([
      ['front', true, 2],
      ['front', true, 1],
    ]);
  });

  it('a set that is new while the daemon runs is given whole, even when it has no members', () => {
    const s = start([web]);
    s.state.configure(testConfig([core, edge], [web, testSet('mail', { communities: [standard(64512, 99)] })]));
    expect(s.state.drain().map((d) => [d.set, d.family, d.complete, d.count])).toEqual([
      ['mail', 4, true, 0],
      ['mail', 6, true, 0],
    ]);
  });

  it('another target is filled whole', () => {
    const s = start([web]);
    s.state.configure(
      testConfig([core, edge], [testSet('web', { target: { kind: 'user', family: 'ip', table: 'other', ipv4: 'x', ipv6: undefined } })]),
    );
    expect(s.state.drain().map((d) => [d.family, d.complete, d.count])).toEqual([[4, true, 2]]);
  });

  it('two sets that exchange their names exchange their members', () => {
    const a = testSet('a', { communities: [standard(64512, 80)] });
    const b = testSet('b', { communities: [standard(64512, 25)] });
    const s = start([a, b]);
    s.state.configure(
      testConfig(
        [core, edge],
        [
          { ...a, name: 'b' },
          { ...b, name: 'a' },
        ],
      ),
    );
    const deltas = s.state.drain();
    s.kernel.apply(deltas);
    expect([s.kernel.list('a').length, s.kernel.list('b').length]).toEqual([0, 3]);
  });

  it('a peer by another name is the same neighbour', () => {
    const s = start([testSet('web', { guard: { peers: ['core'] } })]);
    const renamed = { ...core, name: 'spine' };
    s.state.configure(testConfig([renamed, edge], [testSet('web', { guard: { peers: ['spine'] } })]));
    expect([s.state.drain(), s.members('web').length]).toEqual([[], 2]);
    expect(s.state.members('web').members[0]?.provenance[0]).toMatchObject({ peer: 'spine' });
  });

  it('another AS is another neighbour', () => {
    const s = start([web]);
    s.state.configure(testConfig([{ ...core, as: edge.as }, edge], [web]));
    expect(s.members('web')).toHaveLength(2);
  });

  it('a family that a peer no longer has takes its routes along', () => {
    const s = start([web]);
    s.state.configure(testConfig([core, { ...edge, families: ['ipv4 unicast'] }], [web]));
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
  });

  it('a peer that no longer keeps all gives up what no set asks for', () => {
    const s = new StateUnderTest(testConfig([{ ...core, keepAll: true }], [web]));
    s.say('core', { announce: ['203.0.113.1/32'] });
    s.say('core', { announce: ['203.0.113.2/32'], communities: [] });
    expect(s.state.counts().routes).toBe(2);
    s.state.configure(testConfig([core], [web]));
    expect(s.state.counts()).toMatchObject({ routes: 1, prefixes: 1, attributeSets: 1 });
  });

  it('protected prefixes that change move deny members', () => {
    const bad = testSet('bad', { kind: 'deny' });
    const s = start([bad]);
    s.state.configure(testConfig([core, edge], [bad], { protected: [prefix('203.0.113.1/32')] }));
    expect(s.members('bad')).toEqual(['2001:db8::1/128', '203.0.113.2/32']);
    s.state.configure(testConfig([core, edge], [bad]));
    expect(s.members('bad')).toHaveLength(3);
  });
});
