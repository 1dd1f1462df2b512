import { type Ip, parseIp, prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { RefusalReason } from './refusals.ts';
import { type SetGiven, testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const peers = [testPeer('core', 1), testPeer('edge', 2)];
const rows: readonly { name: string; set: SetGiven; says?: string; announce: string; want: RefusalReason | 'member' | 'nothing' }[] = [
  { name: 'a host', set: {}, announce: '203.0.113.7/32', want: 'member' },
  { name: 'a peer that the guard does not name', set: { guard: { peers: ['edge'] } }, announce: '203.0.113.7/32', want: 'peer' },
  { name: 'a peer that it names', set: { guard: { peers: ['edge'] } }, says: 'edge', announce: '203.0.113.7/32', want: 'member' },
  {
    name: 'outside the covering prefixes',
    set: { guard: { prefixes: [prefix('198.51.100.0/24')] } },
    announce: '203.0.113.7/32',
    want: 'prefix',
  },
  {
    name: 'wider than the covering prefix',
    set: { guard: { prefixes: [prefix('203.0.113.0/25')] } },
    announce: '203.0.113.0/24',
    want: 'prefix',
  },
  {
    name: 'the covering prefix itself',
    set: { guard: { prefixes: [prefix('203.0.113.0/24')] } },
    announce: '203.0.113.0/24',
    want: 'member',
  },
  {
    name: 'covering prefixes of the other family only',
    set: { guard: { prefixes: [prefix('2001:db8::/32')] } },
    announce: '203.0.113.0/24',
    want: 'prefix',
  },
  {
    name: 'too short',
    set: { guard: { lengths: { 4: { min: 24, max: 32 }, 6: { min: 48, max: 128 } } } },
    announce: '203.0.112.0/23',
    want: 'length',
  },
  {
    name: 'too long',
    set: { guard: { lengths: { 4: { min: 8, max: 24 }, 6: { min: 16, max: 64 } } } },
    announce: '2001:db8::1/128',
    want: 'length',
  },
  {
    name: 'the default route',
    set: { guard: { lengths: { 4: { min: 0, max: 32 }, 6: { min: 0, max: 128 } } } },
    announce: '0.0.0.0/0',
    want: 'never',
  },
  {
    name: 'the IPv6 default route',
    set: { guard: { lengths: { 4: { min: 0, max: 32 }, 6: { min: 0, max: 128 } } } },
    announce: '::/0',
    want: 'never',
  },
  {
    name: 'shorter than /8',
    set: { guard: { lengths: { 4: { min: 0, max: 32 }, 6: { min: 0, max: 128 } } } },
    announce: '202.0.0.0/7',
    want: 'never',
  },
  {
    name: 'an IPv6 prefix shorter than /16',
    set: { guard: { lengths: { 4: { min: 0, max: 32 }, 6: { min: 0, max: 128 } } } },
    announce: '2000::/15',
    want: 'never',
  },
  { name: 'loopback', set: {}, announce: '127.0.0.1/32', want: 'never' },
  { name: 'all of loopback', set: {}, announce: '127.0.0.0/8', want: 'never' },
  { name: 'IPv6 loopback', set: {}, announce: '::1/128', want: 'never' },
  { name: 'unspecified', set: {}, announce: '0.0.0.0/32', want: 'never' },
  { name: 'IPv6 unspecified', set: {}, announce: '::/128', want: 'never' },
  { name: 'link-local', set: {}, announce: '169.254.1.1/32', want: 'never' },
  { name: 'a block that link-local lies in', set: {}, announce: '169.0.0.0/8', want: 'never' },
  { name: 'a neighbour of link-local', set: {}, announce: '169.255.0.0/16', want: 'member' },
  { name: 'IPv6 link-local', set: {}, announce: 'fe80::1/128', want: 'never' },
  { name: 'multicast', set: {}, announce: '224.0.0.1/32', want: 'never' },
  { name: 'IPv6 multicast', set: {}, announce: 'ff02::1/128', want: 'never' },
  { name: 'an IPv4-mapped address', set: {}, announce: '::ffff:192.0.2.1/128', want: 'never' },
  { name: 'a block that IPv4-mapped addresses lie in', set: {}, announce: '::/64', want: 'never' },
  { name: 'an allow set takes the address of a peer', set: {}, announce: '192.0.2.1/32', want: 'member' },
  { name: 'a deny set does not', set: { kind: 'deny' }, announce: '192.0.2.1/32', want: 'protected' },
  { name: 'nor a block that a peer lies in', set: { kind: 'deny' }, announce: '192.0.2.0/24', want: 'protected' },
  { name: 'nor a part of a protected prefix', set: { kind: 'deny' }, announce: '198.51.100.9/32', want: 'protected' },
  { name: 'nor what covers one', set: { kind: 'deny' }, announce: '198.51.0.0/16', want: 'protected' },
  { name: 'nor an address of this host', set: { kind: 'deny' }, announce: '2001:db8:5::/48', want: 'protected' },
  { name: 'but a neighbour of it', set: { kind: 'deny' }, announce: '2001:db8:6::/48', want: 'member' },
  {
    name: 'a family that the target has no set for',
    set: { target: { kind: 'user', family: 'ip', table: 't', ipv4: 'v4', ipv6: undefined } },
    announce: '2001:db8::1/128',
    want: 'nothing',
  },
];

describe('guards', () => {
  it.each(rows)('$name: $announce', ({ set, says, announce, want }) => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web', set)], { protected: [prefix('198.51.100.0/24')] }), {
      hostAddresses: () => [parseIp('2001:db8:5::1')!],
    });
    s.say(says ?? 'core', { announce: [announce] });
    const refused = s.state.refused('web');
    expect(s.members('web')).toEqual(want === 'member' ? [announce] : []);
    const reasons = Object.entries(refused?.counts ?? {}).filter(([, n]) => n > 0);
    expect(reasons).toEqual(want === 'member' || want === 'nothing' ? [] : [[want, 1]]);
    if (reasons.length > 0)
      expect(refused?.recent).toEqual([{ peer: says ?? 'core', prefix: prefix(announce), reason: want, at: 1_000_000 }]);
  });

  it('keeps the last 100 refusals, newest first, and tells of few', () => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web', { guard: { peers: ['edge'] } })]));
    for (let i = 0; i < 150; i++) s.say('core', { announce: [`203.0.113.${i}/32`] });
    const view = s.state.refused('web');
    expect([view?.counts.peer, view?.recent.length, view?.recent[0]?.prefix.w0, view?.recent[99]?.prefix.w0]).toEqual([
      150,
      100,
      prefix('203.0.113.149/32').w0,
      prefix('203.0.113.50/32').w0,
    ]);
    expect(s.events.filter((e) => e.kind === 'refused')).toHaveLength(20);
    expect(s.state.refused('nothing')).toBeUndefined();
  });

  it('looks at deny sets again when the addresses of the host change', () => {
    let hosts: Ip[] = [parseIp('203.0.113.7')!];
    const s = new StateUnderTest(testConfig(peers, [testSet('bad', { kind: 'deny' })]), { hostAddresses: () => hosts });
    s.say('core', { announce: ['203.0.113.7/32', '203.0.113.8/32'] });
    expect(s.members('bad')).toEqual(['203.0.113.8/32']);
    hosts = [parseIp('203.0.113.8')!];
    s.state.hostAddressesChanged();
    expect(s.members('bad')).toEqual(['203.0.113.7/32']);
  });
});

describe('room', () => {
  const full = (): StateUnderTest => new StateUnderTest(testConfig(peers, [testSet('web', { guard: { maxMembers: 2 } })]));

  it('what is installed wins; what waits is let in, in order, when there is room', () => {
    const s = full();
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.4/32', '2001:db8::3/128'] });
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
    expect(s.state.refused('web')).toMatchObject({ waiting: 2, counts: { 'max-members': 2 } });
    expect(s.state.routes({ prefix: prefix('203.0.113.4/32') }).routes[0]?.sets).toEqual([{ set: 'web', installed: false }]);
    s.say('core', { withdraw: ['203.0.113.1/32'] });
    s.say('edge', { announce: ['203.0.113.9/32'] });
    expect(s.wait(0).members('web')).toEqual(['203.0.113.2/32', '203.0.113.4/32']);
    s.say('core', { withdraw: ['203.0.113.2/32', '203.0.113.4/32'] });
    expect(s.wait(0).members('web')).toEqual(['2001:db8::3/128', '203.0.113.9/32']);
  });

  it('a member that goes and comes back before it was drained keeps its place', () => {
    const s = full();
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    s.members('web');
    s.say('core', { withdraw: ['203.0.113.1/32'] });
    s.say('core', { announce: ['203.0.113.1/32'] });
    expect(s.wait(0).members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
  });

  it('a lower limit takes nothing out, a higher one lets more in', () => {
    const s = full();
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    s.state.configure(testConfig(peers, [testSet('web', { guard: { maxMembers: 1 } })]));
    expect(s.members('web')).toHaveLength(2);
    s.say('core', { withdraw: ['203.0.113.1/32'] });
    expect(s.wait(0).members('web')).toEqual(['203.0.113.2/32']);
    s.state.configure(testConfig(peers, [testSet('web', { guard: { maxMembers: 5 } })]));
    expect(s.wait(0).members('web')).toEqual(['203.0.113.2/32', '203.0.113.3/32']);
  });

  it('looks at a bounded number of waiting members a turn, and ends', () => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web', { guard: { maxMembers: 1 } })]));
    for (let i = 0; i < 100; i++) s.say('core', { announce: Array.from({ length: 250 }, (_, j) => `198.${i}.100.${j}/32`) });
    s.state.configure(testConfig(peers, [testSet('web')]));
    expect(s.members('web').length).toBe(10_001);
    expect(s.wait(0).members('web').length).toBe(25_000);
    expect(s.clock.pending).toBe(0);
  });
});

describe('churn', () => {
  const slow = (): StateUnderTest => new StateUnderTest(testConfig(peers, [testSet('web', { guard: { churn: { rate: 1, burst: 2 } } })]));

  it('additions over the burst wait their turn; removals do not', () => {
    const s = slow();
    s.say('core', { announce: ['203.0.113.4/32', '203.0.113.3/32', '203.0.113.2/32', '203.0.113.1/32'] });
    expect(s.members('web')).toEqual(['203.0.113.3/32', '203.0.113.4/32']);
    expect(s.state.refused('web')).toMatchObject({ waiting: 2, counts: { churn: 2 } });
    s.say('core', { withdraw: ['203.0.113.4/32', '203.0.113.3/32'] });
    expect(s.members('web')).toEqual([]);
    expect(s.wait(1100).members('web')).toEqual(['203.0.113.2/32']);
    expect(s.wait(1100).members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
    expect(s.clock.pending).toBe(0);
  });

  it('is counted for each peer, and another peer may bring in what waits', () => {
    const s = slow();
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    s.say('edge', { announce: ['203.0.113.3/32'] });
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32']);
    expect(s.state.refused('web')?.waiting).toBe(0);
  });

  it('newcomers go behind those that wait', () => {
    const s = slow();
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    s.members('web');
    s.clock.advance(0);
    s.say('core', { withdraw: ['203.0.113.1/32'] });
    s.say('core', { announce: ['203.0.113.9/32'] });
    expect(s.wait(1100).members('web')).toEqual(['203.0.113.2/32', '203.0.113.3/32']);
  });

  it('costs nothing between two drains, or where the member is there already', () => {
    const s = slow();
    s.say('core', { announce: ['203.0.113.1/32'] });
    s.members('web');
    for (let i = 0; i < 20; i++) {
      s.say('core', { withdraw: ['203.0.113.1/32'] });
      s.say('core', { announce: ['203.0.113.1/32'] });
    }
    s.say('core', { announce: ['203.0.113.2/32'] });
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
  });

  it('a flap that is seen each time is slowed down', () => {
    const s = slow();
    let there = 0;
    for (let i = 0; i < 10; i++) {
      s.say('core', { announce: ['203.0.113.1/32'] });
      there += s.members('web').length;
      s.say('core', { withdraw: ['203.0.113.1/32'] });
      s.members('web');
    }
    expect(there).toBe(2);
    expect(s.wait(5000).state.counts()).toMatchObject({ routes: 0, prefixes: 0 });
  });
});
