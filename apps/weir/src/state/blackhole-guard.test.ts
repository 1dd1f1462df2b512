import { prefix } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import { standard, testConfig, testPeer, testSet } from './test-fixtures.ts';
import { StateUnderTest } from './test-state.ts';

const BLACKHOLE = ['65535:666'];

function config(a: string) {
  return testConfig(
    [testPeer('a', 1), testPeer('b', 2), testPeer('c', 3)],
    [
      testSet('blackholed', {
        kind: 'deny',
        communities: [standard(65535, 666)],
        guard: {
          prefixesOf: [
            { peer: 'a', prefixes: [prefix(a)] },
            { peer: 'b', prefixes: [prefix('203.0.113.128/25'), prefix('2001:db8:b::/48')] },
          ],
          lengths: { 4: { min: 25, max: 32 }, 6: { min: 64, max: 128 } },
        },
      }),
    ],
  );
}

test('each peer fills the set with its own prefixes alone (RFC 7999 section 3.3); who is not named goes by the rest of the guard', () => {
  const bed = new StateUnderTest(config('203.0.113.0/25'));
  bed.say('a', { announce: ['203.0.113.7/32', '203.0.113.200/32', '203.0.113.0/24'], communities: BLACKHOLE });
  bed.say('b', { announce: ['203.0.113.201/32', '203.0.113.8/32', '2001:db8:b::1/128', '2001:db8:a::1/128'], communities: BLACKHOLE });
  bed.say('c', { announce: ['198.51.100.7/32'], communities: BLACKHOLE });
  expect(bed.members('blackholed').sort()).toEqual(['198.51.100.7/32', '2001:db8:b::1/128', '203.0.113.201/32', '203.0.113.7/32']);
  expect(bed.state.refused('blackholed')?.counts).toMatchObject({ prefix: 3, length: 1 });
});

test('when a peer may fill it with more, that peer is asked again; with less, members go', () => {
  const bed = new StateUnderTest(config('203.0.113.0/25'));
  bed.say('a', { announce: ['203.0.113.7/32'], communities: BLACKHOLE });
  expect(bed.state.configure(config('198.51.100.0/24')).refresh.map(({ peer }) => peer)).toContain('a');
  expect(bed.members('blackholed')).toEqual([]);
});

test('who watches a set is told of every change, also of those that go out with the whole set', () => {
  const told: string[] = [];
  const bed = new StateUnderTest(config('203.0.113.0/25'), {
    watcher: (set) => (set === 'blackholed' ? (one, present) => told.push(`${present ? '+' : '-'}${one.w0 & 0xff}`) : undefined),
  });
  bed.say('a', { announce: ['203.0.113.7/32', '203.0.113.8/32'], communities: BLACKHOLE });
  bed.members('blackholed');
  bed.say('a', { withdraw: ['203.0.113.7/32'] });
  bed.state.complete('blackholed');
  expect(told.sort()).toEqual(['+7', '+8', '-7']);
  expect(bed.state.prefixesOf('blackholed').map(({ w0 }) => w0 & 0xff)).toEqual([8]);
  expect(bed.state.prefixesOf('other')).toEqual([]);
});
