import { describe, expect, it } from 'vitest';
import type { SessionLoss } from '../model/named-set.ts';
import type { SessionDown } from './session-loss.ts';
import { testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const NO_LLGR = '65535:7';
const LLGR_STALE = '65535:6';
const plain = '203.0.113.1/32';
const refusing = '203.0.113.2/32';
const other = '2001:db8::1/128';

/** Two minutes, then an hour for IPv4 and a day for IPv6. */
const retained: NonNullable<SessionDown['retained']> = [
  { family: 'ipv4 unicast', restart: 120_000, longLived: 3_600_000 },
  { family: 'ipv6 unicast', restart: 120_000, longLived: 86_400_000 },
];

function lost(onSessionLoss: SessionLoss, loss: SessionDown = { hard: false, retained }): StateUnderTest {
  const s = new StateUnderTest(testConfig([testPeer('core', 1, { as: testPeer('x', 2).as })], [testSet('web', { onSessionLoss })]));
  s.say('core', { announce: [plain, other] });
  s.say('core', { announce: [refusing], communities: ['64512:80', NO_LLGR] });
  s.state.sessionDown('core', loss);
  return s;
}

describe('hold long-lived (RFC 9494)', () => {
  it('goes by restart time and then by the long-lived stale time of the family', () => {
    const s = lost({ kind: 'hold-long-lived' });
    const all = [other, plain, refusing].sort();
    expect(s.members('web')).toEqual(all);
    expect(s.wait(119_999).members('web')).toEqual(all);
    expect(s.wait(1).members('web')).toEqual([other, plain].sort());
    expect(s.wait(3_599_999).members('web')).toEqual([other, plain].sort());
    expect(s.wait(1).members('web')).toEqual([other]);
    expect(s.wait(82_799_999).members('web')).toEqual([other]);
    expect(s.wait(1).members('web')).toEqual([]);
    expect([s.state.counts().routes, s.clock.pending]).toEqual([0, 0]);
  });

  it('says when each hold ends', () => {
    const ends = lost({ kind: 'hold-long-lived' })
      .state.holds('core')
      .map((h) => [h.routes, h.endsAt]);
    expect(ends.sort()).toEqual([
      [1, 1_000_000 + 120_000],
      [1, 1_000_000 + 120_000 + 3_600_000],
      [1, 1_000_000 + 120_000 + 86_400_000],
    ]);
  });

  const without: readonly { name: string; loss: SessionDown; want: readonly string[] }[] = [
    { name: 'a peer that agreed on neither is not held', loss: { hard: false }, want: [] },
    { name: 'a hard reset holds nothing', loss: { hard: true, retained }, want: [] },
    { name: 'a family that is not retained is not held', loss: { hard: false, retained: retained.slice(1) }, want: [other] },
    {
      name: 'a restart time of none begins with the long-lived part',
      loss: { hard: false, retained: [{ family: 'ipv4 unicast', restart: 0, longLived: 1000 }] },
      want: [plain],
    },
  ];
  for (const { name, loss, want } of without) {
    it(name, () => expect(lost({ kind: 'hold-long-lived' }, loss).members('web')).toEqual(want));
  }

  const own: readonly { name: string; rule: SessionLoss; after: number; want: number }[] = [
    { name: 'withdraw', rule: { kind: 'withdraw' }, after: 0, want: 0 },
    { name: 'a hold, NO_LLGR or not, as long as it says', rule: { kind: 'hold', ms: 500_000 }, after: 499_999, want: 3 },
    { name: 'a hold no longer than it says', rule: { kind: 'hold', ms: 500_000 }, after: 500_000, want: 0 },
    { name: 'forever', rule: { kind: 'hold-forever' }, after: 1e10, want: 3 },
  ];
  for (const { name, rule, after, want } of own) {
    it(`other sets keep their own rule: ${name}`, () => expect(lost(rule).wait(after).members('web')).toHaveLength(want));
  }

  it('shows routes as long-lived stale once they are, and those that the peer says are', () => {
    const s = lost({ kind: 'hold-long-lived' });
    const shown = (): unknown => s.state.routes({ prefix: undefined }).routes.map((r) => [r.stale, r.longLivedStale]);
    expect(shown()).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ]);
    s.wait(120_000);
    expect(shown()).toEqual([
      [true, true],
      [true, true],
    ]);
    s.say('core', { announce: [plain, other], communities: ['64512:80', LLGR_STALE] });
    expect(shown()).toEqual([
      [false, true],
      [false, true],
    ]);
    // Least preferred is no matter of a set: a member is there while any route gives it.
    expect(s.members('web')).toEqual([other, plain].sort());
  });

  it('losses beyond those kept apart do not lengthen a hold', () => {
    const s = lost({ kind: 'hold-long-lived' });
    for (let i = 0; i < 300; i++) {
      s.say('core', { announce: [`198.51.100.${i % 256}/32`] });
      s.wait(1).state.sessionDown('core', { hard: false, retained: [{ family: 'ipv4 unicast', restart: 1000 + i, longLived: 0 }] });
    }
    s.wait(1300);
    expect(s.members('web').filter((m) => m.startsWith('198.51.100.'))).toEqual([]);
  });
});
