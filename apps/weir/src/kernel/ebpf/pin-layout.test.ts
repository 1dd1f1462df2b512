import { expect, test } from 'vitest';
import { type AttachPlace, describePlace, generationOf, layoutOf, pinName, placeName } from './pin-layout.ts';

test.each([
  { name: 'letters and digits stay', input: 'eth0', want: 'eth0' },
  { name: 'a dot', input: 'eth0.100', want: 'eth0_2e100' },
  { name: 'what stands for others itself', input: 'a_b', want: 'a_5fb' },
  { name: 'octets of UTF-8', input: 'ä', want: '_c3_a4' },
  { name: 'blanks', input: 'list 4', want: 'list_204' },
])('a name to pin under: $name', ({ input, want }) => {
  expect(pinName(input)).toBe(want);
});

test('long names are bounded, and still told apart', () => {
  const [a, b] = [`${'x'.repeat(400)}a`, `${'x'.repeat(400)}b`].map(pinName);
  expect(a).toHaveLength(150);
  expect(a).not.toBe(b);
});

const places: readonly (readonly [AttachPlace, string, string])[] = [
  [{ kind: 'xdp', interface: 'eth0', mode: 'auto' }, 'xdp-eth0', 'xdp of eth0'],
  [{ kind: 'xdp', interface: 'eth0', mode: 'native' }, 'xdp-eth0', 'xdp of eth0'],
  [{ kind: 'tc', interface: 'wg.1', direction: 'egress' }, 'tc-egress-wg_2e1', 'tc egress of wg.1'],
  [{ kind: 'cgroup', path: '/sys/fs/cgroup', at: 'connect4' }, 'connect4', 'connect4 of /sys/fs/cgroup'],
];

test.each(places)('%o', (place, name, text) => {
  expect(placeName(place)).toMatch(place.kind === 'cgroup' ? /^connect4-[0-9a-f]{16}$/ : new RegExp(`^${name}$`));
  expect(describePlace(place)).toBe(text);
});

test.each([
  ['v1', 1],
  ['v999', 999],
  ['v', undefined],
  ['v1x', undefined],
  ['matches', undefined],
  ['v12345678901', undefined],
] as const)('the layout of %s', (name, want) => {
  expect(layoutOf(name)).toBe(want);
});

test.each([
  ['g7', 7],
  ['kept', undefined],
  ['g-1', undefined],
] as const)('the generation of %s', (name, want) => {
  expect(generationOf(name)).toBe(want);
});
