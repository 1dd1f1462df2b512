import { describe, expect, it } from 'vitest';
import type { SessionLoss } from '../model/named-set.ts';
import { MAX_EPOCHS } from './peer-state.ts';
import { ledgerColumns, standard, testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const peers = [testPeer('core', 1), testPeer('edge', 2)];
const one = ['203.0.113.1/32'];
const hold = (ms: number): SessionLoss => ({ kind: 'hold', ms });

function lost(onSessionLoss: SessionLoss): StateUnderTest {
  const s = new StateUnderTest(testConfig(peers, [testSet('web', { onSessionLoss })]));
  s.say('core', { announce: one });
  s.members('web');
  s.state.sessionDown('core', { hard: false });
  return s;
}

describe('the loss of a session', () => {
  it('withdraw: at once', () => {
    const s = lost({ kind: 'withdraw' });
    expect([s.members('web'), s.state.counts().routes, s.clock.pending]).toEqual([[], 0, 0]);
  });

  it('hold: for its time, seen as stale with its end', () => {
    const s = lost(hold(60_000));
    expect(s.state.holds('core')).toEqual([{ set: 'web', routes: 1, endsAt: 1_060_000 }]);
    expect(s.state.members('web').members[0]?.provenance[0]).toMatchObject({ stale: true });
    expect(s.wait(59_999).members('web')).toEqual(one);
    expect(s.wait(1).members('web')).toEqual([]);
    expect([s.state.counts().routes, s.state.holds('core')]).toEqual([0, []]);
  });

  it('hold forever: until convergence says otherwise', () => {
    const s = lost({ kind: 'hold-forever' });
    expect(s.state.holds('core')).toEqual([{ set: 'web', routes: 1, endsAt: undefined }]);
    expect(s.wait(1e10).members('web')).toEqual(one);
    s.state.converged('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual([]);
  });

  it('each set by its own rule', () => {
    const sets = [
      testSet('web', { onSessionLoss: hold(1000) }),
      testSet('now', { onSessionLoss: { kind: 'withdraw' } }),
      testSet('bad', { kind: 'deny', onSessionLoss: { kind: 'hold-forever' } }),
    ];
    const s = new StateUnderTest(testConfig(peers, sets));
    s.say('core', { announce: one });
    s.state.sessionDown('core', { hard: false });
    expect(sets.map(({ name }) => s.members(name).length)).toEqual([1, 0, 1]);
    s.wait(1000);
    expect(sets.map(({ name }) => s.members(name).length)).toEqual([0, 0, 1]);
  });

  it('a hard reset ends holds at once, old ones too', () => {
    const s = lost(hold(60_000));
    s.state.sessionUp('core');
    s.say('core', { announce: ['203.0.113.2/32'] });
    expect(s.members('web')).toHaveLength(2);
    s.state.sessionDown('core', { hard: true });
    expect([s.members('web'), s.state.counts().routes]).toEqual([[], 0]);
  });

  it('relearned routes are fresh again without a change being sent', () => {
    const s = lost(hold(60_000));
    s.say('core', { announce: one });
    expect([s.state.drain(), s.state.holds('core')]).toEqual([[], []]);
    expect(s.wait(120_000).members('web')).toEqual(one);
    s.state.converged('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(one);
  });

  it('relearned after the hold has ended: added again', () => {
    const s = lost(hold(1000));
    expect(s.wait(1000).members('web')).toEqual([]);
    s.say('core', { announce: one });
    expect(s.members('web')).toEqual(one);
  });

  it('relearned without the community: taken out', () => {
    const s = lost(hold(60_000));
    s.say('core', { announce: one, communities: [] });
    expect([s.members('web'), s.state.counts().routes]).toEqual([[], 0]);
  });

  it('an explicit withdrawal acts at once though the route is stale', () => {
    const s = lost(hold(60_000));
    s.say('core', { withdraw: one });
    expect(s.members('web')).toEqual([]);
  });

  it('only what was lost is held: another peer that still says it keeps it', () => {
    const s = lost({ kind: 'withdraw' });
    s.say('edge', { announce: one });
    s.say('core', { announce: one });
    s.state.sessionDown('core', { hard: false });
    expect(s.members('web')).toEqual(one);
  });

  it('a second loss does not lengthen the hold of what was not relearned after the first', () => {
    const s = lost(hold(60_000));
    s.wait(40_000);
    s.say('core', { announce: ['203.0.113.2/32'] });
    s.state.sessionDown('core', { hard: false });
    expect(s.members('web')).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
    expect(s.state.counts().peers[0]?.families[0]).toMatchObject({ stored: 2, stale: 2 });
    expect(s.state.holds('core')).toEqual([
      { set: 'web', routes: 1, endsAt: 1_060_000 },
      { set: 'web', routes: 1, endsAt: 1_100_000 },
    ]);
    expect(s.wait(20_000).members('web')).toEqual(['203.0.113.2/32']);
    expect(s.wait(40_000).members('web')).toEqual([]);
  });

  it('the hold goes on while the session is back and has not converged', () => {
    const s = lost(hold(60_000));
    s.state.sessionUp('core');
    expect(s.wait(59_999).members('web')).toEqual(one);
    expect(s.wait(1).members('web')).toEqual([]);
  });

  it('convergence is of one family', () => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web', { onSessionLoss: { kind: 'hold-forever' } })]));
    s.say('core', { announce: [...one, '2001:db8::1/128'] });
    s.state.sessionDown('core', { hard: false });
    s.state.converged('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['2001:db8::1/128']);
  });

  it('more losses than there are epochs: the last ones share one, which counts from the last, and nothing is lost', () => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web', { onSessionLoss: hold(3_600_000) })]));
    const members: string[] = [];
    for (let i = 0; i < MAX_EPOCHS + 5; i++) {
      members.push(`198.51.${100 + (i >> 8)}.${i & 255}/32`);
      s.say('core', { announce: members.slice(-1) });
      s.state.sessionDown('core', { hard: false });
      s.wait(10);
    }
    expect(s.members('web')).toHaveLength(MAX_EPOCHS + 5);
    expect(s.wait(3_600_000 - 100).members('web')).toHaveLength(9);
    expect(s.wait(100).members('web')).toHaveLength(0);
    expect(s.state.counts().routes).toBe(0);
  });

  it('a refresh removes what was not announced again, and a loss in between holds everything', () => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web')]));
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32'] });
    s.state.beginRefresh('core', 'ipv4 unicast');
    s.say('core', { announce: ['203.0.113.1/32'] });
    expect(s.members('web')).toHaveLength(2);
    expect(s.state.members('web').members.map((m) => m.provenance[0])).toMatchObject([{ stale: false }, { stale: true }]);
    s.state.endRefresh('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['203.0.113.1/32']);
    s.state.beginRefresh('core', 'ipv4 unicast');
    s.state.sessionDown('core', { hard: false });
    s.state.endRefresh('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['203.0.113.1/32']);
    s.state.beginRefresh('core', 'ipv4 unicast');
    s.state.cancelRefresh('core', 'ipv4 unicast');
    s.state.endRefresh('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['203.0.113.1/32']);
  });

  it('a family that can no longer be trusted loses its routes at once', () => {
    const s = lost({ kind: 'hold-forever' });
    s.say('core', { announce: [...one, '2001:db8::1/128'] });
    s.state.dropFamily('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['2001:db8::1/128']);
  });
});

describe('reload during a hold', () => {
  it('a shorter hold ends it, a longer one does not bring back what is over', () => {
    const s = lost(hold(60_000));
    s.wait(10_000);
    s.state.configure(testConfig(peers, [testSet('web', { onSessionLoss: hold(5000) })]));
    expect(s.members('web')).toEqual([]);
    s.state.configure(testConfig(peers, [testSet('web', { onSessionLoss: { kind: 'hold-forever' } })]));
    expect(s.members('web')).toEqual([]);
  });

  it('removing the peer ends its holds', () => {
    const s = lost({ kind: 'hold-forever' });
    s.state.configure(testConfig([testPeer('edge', 2)], [testSet('web', { onSessionLoss: { kind: 'hold-forever' } })]));
    expect(s.members('web')).toEqual([]);
  });

  it('a set that comes anew has a hold of its own', () => {
    const s = lost(hold(1000));
    const other = testSet('other', { communities: [standard(64512, 80)], onSessionLoss: hold(5000) });
    s.state.configure(testConfig(peers, [testSet('web', { onSessionLoss: hold(1000) }), other]));
    expect(s.wait(1000).members('web')).toEqual([]);
    expect(s.members('other')).toEqual(one);
    s.state.configure(testConfig(peers, [other]));
    s.state.configure(testConfig(peers, [testSet('late', { onSessionLoss: hold(5000) }), other]));
    expect([s.members('late'), s.members('other')]).toEqual([one, one]);
    s.wait(4000);
    expect([s.members('late'), s.members('other')]).toEqual([[], []]);
  });
});

describe('members from the ledger', () => {
  const start = (kind: 'allow' | 'deny', guard = {}): StateUnderTest => {
    const s = new StateUnderTest(testConfig(peers, [testSet('web', { kind, guard })]));
    s.kernel.sets.set('web', new Set(['198.51.100.1/32', '2001:db8::1/128']));
    s.state.addLedger(ledgerColumns('web', ['198.51.100.1/32', '2001:db8::1/128']));
    return s;
  };

  it('stay, are explained, and nothing is sent', () => {
    const s = start('allow');
    expect(s.state.drain()).toEqual([]);
    expect(s.state.members('web').members[0]?.provenance).toMatchObject([{ kind: 'ledger' }]);
    expect(s.state.counts().sets[0]).toMatchObject({ installed: 2, ledger: 2 });
  });

  it('allow: go when every peer that may fill the set has converged in their family', () => {
    const s = start('allow');
    s.say('core', { announce: ['198.51.100.1/32'] });
    s.state.converged('core', 'ipv4 unicast');
    s.state.converged('core', 'ipv6 unicast');
    s.state.converged('edge', 'ipv6 unicast');
    expect(s.members('web')).toEqual(['198.51.100.1/32']);
    s.state.converged('edge', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['198.51.100.1/32']);
    expect(s.state.members('web').members[0]?.provenance).toMatchObject([{ kind: 'route' }]);
    s.say('core', { withdraw: ['198.51.100.1/32'] });
    expect(s.members('web')).toEqual([]);
  });

  it('allow: only the peers of the guard are waited for', () => {
    const s = start('allow', { peers: ['edge'] });
    s.state.converged('edge', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['2001:db8::1/128']);
  });

  it('allow: go after startup_hold at the latest', () => {
    const s = start('allow');
    expect(s.wait(299_999).members('web')).toHaveLength(2);
    expect(s.wait(1).members('web')).toEqual([]);
    expect(s.clock.pending).toBe(0);
  });

  it('deny: stay however long it takes until their peers have converged', () => {
    const s = start('deny');
    expect(s.wait(1e9).members('web')).toHaveLength(2);
    for (const peer of ['core', 'edge']) for (const family of ['ipv4 unicast', 'ipv6 unicast'] as const) s.state.converged(peer, family);
    expect(s.members('web')).toEqual([]);
  });

  it('a peer that converged and was lost has said what it had', () => {
    const s = start('deny', { peers: ['core'] });
    s.state.converged('core', 'ipv4 unicast');
    s.state.sessionDown('core', { hard: false });
    s.state.converged('core', 'ipv6 unicast');
    expect(s.members('web')).toEqual([]);
  });

  it('a refresh that a reload asks for is waited for', () => {
    const s = start('deny');
    s.state.converged('core', 'ipv4 unicast');
    s.state.configure(testConfig(peers, [testSet('web', { kind: 'deny', communities: [standard(64512, 80), standard(64512, 81)] })]));
    s.state.converged('edge', 'ipv4 unicast');
    expect(s.members('web')).toHaveLength(2);
    s.state.converged('core', 'ipv4 unicast');
    expect(s.members('web')).toEqual(['2001:db8::1/128']);
  });

  it('what the guard refuses now is taken out, at start and at a reload', () => {
    const s = start('allow', { lengths: { 4: { min: 8, max: 32 }, 6: { min: 16, max: 64 } } });
    expect(s.members('web')).toEqual(['198.51.100.1/32']);
    s.state.configure(testConfig(peers, [testSet('web', { guard: { lengths: { 4: { min: 8, max: 24 }, 6: { min: 16, max: 64 } } } })]));
    expect(s.members('web')).toEqual([]);
  });

  it('counts as installed: the limit does not push it out, newcomers wait', () => {
    const s = start('allow', { maxMembers: 1 });
    s.say('core', { announce: ['203.0.113.1/32'] });
    expect(s.members('web')).toHaveLength(2);
    s.wait(300_000);
    expect(s.wait(0).members('web')).toEqual(['203.0.113.1/32']);
  });
});
