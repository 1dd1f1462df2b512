import { asn } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { Peer } from '../model/config.ts';
import { checkOnlyToCustomer } from './only-to-customer.ts';
import { testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const one = ['203.0.113.1/32'];
const as = asn(64513);

/** RFC 9234 section 5, the three ingress rules. The peer's AS is 64513. */
const rows: readonly { role: Peer['role']; otc: number | undefined; leak: boolean; add: number | undefined }[] = [
  { role: 'provider', otc: 64513, leak: true, add: undefined },
  { role: 'provider', otc: undefined, leak: false, add: undefined },
  { role: 'rs', otc: 64500, leak: true, add: undefined },
  { role: 'rs', otc: undefined, leak: false, add: undefined },
  { role: 'peer', otc: 64500, leak: true, add: undefined },
  { role: 'peer', otc: 64513, leak: false, add: undefined },
  { role: 'peer', otc: undefined, leak: false, add: 64513 },
  { role: 'customer', otc: 64500, leak: false, add: undefined },
  { role: 'customer', otc: undefined, leak: false, add: 64513 },
  { role: 'rs-client', otc: 64500, leak: false, add: undefined },
  { role: 'rs-client', otc: undefined, leak: false, add: 64513 },
  { role: undefined, otc: 64500, leak: false, add: undefined },
  { role: undefined, otc: undefined, leak: false, add: undefined },
];

function scene(given: Partial<Peer>): StateUnderTest {
  const sets = [testSet('web'), testSet('bad', { kind: 'deny' })];
  return new StateUnderTest(testConfig([testPeer('core', 1, { as, ...given }), testPeer('edge', 2)], sets));
}

function say(s: StateUnderTest, otc: number | undefined, peer = 'core'): void {
  s.say(peer, { announce: one, ...(otc === undefined ? {} : { attributes: { onlyToCustomer: asn(otc) } }) });
}

describe('ONLY_TO_CUSTOMER on ingress', () => {
  for (const { role, otc, leak, add } of rows) {
    it(`role ${role}, ${otc ?? 'no attribute'}: ${leak ? 'leak' : add === undefined ? 'as it is' : `adds ${add}`}`, () => {
      const given = role === undefined ? {} : { role };
      const value = otc === undefined ? undefined : asn(otc);
      expect(checkOnlyToCustomer(testPeer('core', 1, { as, ...given }), value)).toEqual({ leak, add });
      const s = scene(given);
      say(s, otc);
      expect([s.members('web'), s.members('bad')]).toEqual(leak ? [[], []] : [one, one]);
      expect(s.state.counts().peers[0]?.leaked).toBe(leak ? 1 : 0);
      if (!leak) expect(s.state.routes().routes[0]?.attributes.onlyToCustomer).toBe(add ?? otc);
    });
  }

  it('an internal session is not looked at', () => {
    const internal = testPeer('core', 1, { as: asn(64512), role: 'provider' });
    expect(checkOnlyToCustomer(internal, asn(64500))).toEqual({ leak: false, add: undefined });
  });

  it('a leak is counted and shown by reason, and the route is not stored', () => {
    const s = scene({ role: 'provider' });
    say(s, 64500);
    expect(s.state.refused('web')).toMatchObject({ counts: { leak: 1 }, recent: [{ peer: 'core', reason: 'leak' }] });
    expect(s.state.counts().routes).toBe(0);
  });

  it('a leak takes out what the peer gave before, and not what another gives', () => {
    const s = scene({ role: 'provider' });
    say(s, undefined);
    say(s, 64500);
    expect(s.members('web')).toEqual([]);
    say(s, undefined);
    say(s, undefined, 'edge');
    say(s, 64500);
    expect(s.members('web')).toEqual(one);
    s.say('edge', { withdraw: one });
    expect(s.members('web')).toEqual([]);
  });

  it('a kept leak stays one through a reload and shows why', () => {
    const peer = testPeer('core', 1, { as, role: 'provider', keepAll: true });
    const s = new StateUnderTest(testConfig([peer], [testSet('web')]));
    say(s, 64500);
    s.state.configure(testConfig([peer], [testSet('web'), testSet('more')]));
    expect([s.members('web'), s.members('more')]).toEqual([[], []]);
    expect(s.state.routes().routes[0]?.refused.map((r) => r.reason)).toEqual(['leak', 'leak']);
    say(s, undefined);
    expect([s.members('web'), s.members('more')]).toEqual([one, one]);
  });
});
