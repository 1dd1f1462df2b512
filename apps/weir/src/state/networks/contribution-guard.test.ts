import type { PathAttributes } from '@weir/bgp/codec';
import { asn, prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { DistributeConfig } from '../../model/distribute.ts';
import { ContributionGuard } from './contribution-guard.ts';

const SPAN = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
const distribute: DistributeConfig = {
  tables: [
    {
      name: 'admins',
      communities: [{ kind: 'standard', value: 65000 * 65536 + 1 }],
      maxPrefixes: 9,
      allowProtected: true,
      aggregate: false,
      span: SPAN,
    },
    {
      name: 'spammers',
      communities: [
        { kind: 'standard', value: 65000 * 65536 + 2 },
        { kind: 'large', value: { global: 64512, local1: 1, local2: 2 } },
      ],
      maxPrefixes: 9,
      allowProtected: false,
      aggregate: false,
      span: SPAN,
    },
    {
      name: 'closed',
      communities: [{ kind: 'standard', value: 65000 * 65536 + 3 }],
      maxPrefixes: 9,
      allowProtected: false,
      aggregate: false,
      span: SPAN,
    },
  ],
  clients: [],
  peers: [],
  nextHop: { 4: undefined, 6: undefined },
  span: SPAN,
};
const config = {
  bgp: { as: asn(64512), routerId: prefix('192.0.2.1/32'), hostname: undefined, listen: [], peers: [] },
  distribute,
  protected: [prefix('192.0.2.0/24'), prefix('2001:db8:1::/48')],
};
const lengths = { 4: { min: 24, max: 32 }, 6: { min: 48, max: 128 } };
const rule = (table: string, ...prefixes: readonly string[]): DistributeConfig['clients'][number]['contribute'][number] => ({
  table,
  prefixes: prefixes.map(prefix),
  lengths,
  maxPrefixes: 5,
  lifetime: 60_000,
  span: SPAN,
});
const guard = new ContributionGuard(config, {
  contribute: [rule('spammers', '0.0.0.0/0', '2001:db8::/32'), rule('admins', '192.0.2.0/24')],
});
const standard = (...values: readonly number[]): PathAttributes => ({ communities: values.map((value) => 65000 * 65536 + value) });
const path = (...asns: readonly number[]): PathAttributes => ({ asPath: [{ kind: 'sequence', asns: asns.map(asn) }] });

describe('what a client may contribute', () => {
  it.each([
    { name: 'one table', route: standard(2), want: ['spammers'] },
    { name: 'a table by its large community', route: { largeCommunities: [{ global: 64512, local1: 1, local2: 2 }] }, want: ['spammers'] },
    { name: 'two tables', route: standard(1, 2), want: ['admins', 'spammers'] },
    { name: 'a path of its own AS', route: { ...standard(2), ...path(64513, 64513) }, want: ['spammers'] },
    { name: 'a table that it may and one that it may not', route: standard(2, 3), want: ['spammers'], refused: ['not-allowed'] },
    { name: 'a table that it may not', route: standard(3), refused: ['not-allowed'] },
    { name: 'no table', route: standard(9), refused: ['unknown-table'] },
    { name: 'no communities', route: {}, refused: ['unknown-table'] },
    { name: 'a path with our AS', route: { ...standard(2), ...path(64513, 64512) }, refused: ['loop'] },
    { name: 'a path with that of another', route: { ...standard(2), ...path(64513, 64496) }, refused: ['not-its-own'] },
  ])('goes by the communities and the path: $name', ({ route, want = [], refused = [] }) => {
    const judged = guard.route(route, asn(64513));
    expect([judged.rules.map(({ table }) => table), judged.refused]).toEqual([want, refused]);
  });

  it.each([
    { name: 'a host', prefix: '203.0.113.1/32', want: undefined },
    { name: 'a short prefix', prefix: '203.0.0.0/16', want: 'wrong-length' },
    { name: 'every address', prefix: '0.0.0.0/0', want: 'default-route' },
    { name: 'every address of IPv6', prefix: '::/0', want: 'default-route' },
    { name: 'loopback', prefix: '127.0.0.1/32', want: 'never' },
    { name: 'what is protected', prefix: '192.0.2.7/32', want: 'protected' },
    { name: 'what is protected, of IPv6', prefix: '2001:db8:1:2::/64', want: 'protected' },
    { name: 'IPv6', prefix: '2001:db8:2::/48', want: undefined },
    { name: 'IPv6 outside', prefix: '2001:db9::/48', want: 'outside' },
    { name: 'outside, protected and allowed', table: 'admins', prefix: '192.0.2.7/32', want: undefined },
    { name: 'outside', table: 'admins', prefix: '203.0.113.1/32', want: 'outside' },
  ])('goes by the prefix: $name', ({ table = 'spammers', prefix: text, want }) => {
    const own = guard.rule(table);
    expect(own && guard.refusesPrefix(own, prefix(text))).toBe(want);
  });

  it('is nothing where nothing is said', () => {
    const none = new ContributionGuard(config, { contribute: [] });
    expect([none.allows, none.route(standard(2), asn(64513))]).toEqual([false, { rules: [], refused: ['not-allowed'] }]);
  });
});
