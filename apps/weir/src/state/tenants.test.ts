import { type Ip, parseIp } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { Tenant } from '../model/tenant.ts';
import { testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const peers = [testPeer('core', 1)];
const HOSTS = new Map([
  [undefined, '203.0.113.1'],
  ['blue', '203.0.113.2'],
  ['red', '203.0.113.3'],
]);

function tenant(name: string, sets: Tenant['sets']): Tenant {
  return {
    name,
    netns: name,
    interfaces: undefined,
    sets,
    firewall: undefined,
    policy: undefined,
    span: { file: 'weir.yaml', line: 1, column: 1, length: 1 },
  };
}

describe('sets of tenants', () => {
  const deny = testSet('bad', { kind: 'deny' });
  const target = { kind: 'user', family: 'inet', table: 'fw', ipv4: 'a', ipv6: undefined } as const;
  const config = testConfig(peers, [deny], { tenants: [tenant('blue', [deny]), tenant('red', [deny])] });
  const hosts = (name: string | undefined): readonly Ip[] => [parseIp(HOSTS.get(name) ?? '')].filter((ip) => ip !== undefined);

  it('one route fills those of the same name, each but for the addresses of its own namespace', () => {
    const s = new StateUnderTest(config, { hostAddresses: hosts });
    s.say('core', { announce: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    expect(['bad', 'blue/bad', 'red/bad'].map((set) => s.members(set))).toEqual([
      ['203.0.113.2/32', '203.0.113.3/32'],
      ['203.0.113.1/32', '203.0.113.3/32'],
      ['203.0.113.1/32', '203.0.113.2/32'],
    ]);
    s.say('core', { withdraw: ['203.0.113.1/32'] });
    expect(['bad', 'blue/bad', 'red/bad'].map((set) => s.members(set).length)).toEqual([2, 1, 1]);
  });

  it('a set of another tenant with the same target is not the same renamed', () => {
    const one = testSet('one', { target });
    const two = testSet('two', { target, communities: [] });
    const s = new StateUnderTest(testConfig(peers, [], { tenants: [tenant('blue', [one])] }));
    s.say('core', { announce: ['203.0.113.9/32'] });
    expect(s.members('blue/one')).toEqual(['203.0.113.9/32']);
    s.state.configure(testConfig(peers, [], { tenants: [tenant('red', [two])] }));
    expect([s.members('red/two'), s.state.counts().sets.map((set) => set.set)]).toEqual([[], ['red/two']]);
  });
});
