import { describe, expect, it } from 'vitest';
import { parseCounted, printCounted } from './counted.ts';

describe('whose traffic is counted together', () => {
  it.each([
    { name: 'a rule', input: 'rule', want: { per: 'rule' }, printed: 'rule' },
    { name: 'a process', input: 'process', want: { per: 'process' }, printed: 'process' },
    { name: 'a cgroup', input: 'cgroup', want: { per: 'cgroup' }, printed: 'cgroup' },
    { name: 'an address', input: 'source', want: { per: 'source' }, printed: 'source' },
    {
      name: 'both lengths',
      input: 'destination/24/56',
      want: { per: 'destination', prefix: { ip4: 24, ip6: 56 } },
      printed: 'destination/24/56',
    },
    { name: 'one length', input: 'source/24', want: { per: 'source', prefix: { ip4: 24, ip6: 48 } }, printed: 'source/24/48' },
    {
      name: 'hosts of IPv4, networks of IPv6',
      input: 'source/32',
      want: { per: 'source', prefix: { ip4: 32, ip6: 64 } },
      printed: 'source/32/64',
    },
    { name: 'whole addresses', input: 'source/32/128', want: { per: 'source' }, printed: 'source' },
  ])('$name', ({ input, want, printed }) => {
    const counted = parseCounted(input);
    expect(counted).toEqual(want);
    expect(counted && printCounted(counted)).toBe(printed);
    expect(parseCounted(printed)).toEqual(want);
  });

  it.each([
    '',
    'rule/24',
    'process/24',
    'source/',
    'source/0',
    'source/33',
    'source/24/0',
    'source/24/129',
    'source/24/48/1',
    'source /24',
    'sources',
  ])('%j is none', (input) => {
    expect(parseCounted(input)).toBeUndefined();
  });
});
