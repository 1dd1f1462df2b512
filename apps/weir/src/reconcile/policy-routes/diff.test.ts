import type { Route, RoutingRule } from '@weir/netlink/route';
import { ip4, ip6 } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { PolicyRoute, PolicyRule } from '../../kernel/routes/index.ts';
import { type FoundRouting, isNoChange, type RoutingGoal, routingChange } from './diff.ts';

const RULE: PolicyRule = { family: 4, priority: 790, mark: 0x10, table: 7900 };
const ROUTE: PolicyRoute = { family: 4, table: 7900, gateway: ip4(0xc0000209), interface: 3 };
const found = (rule: PolicyRule, more: Partial<RoutingRule> = {}): RoutingRule => ({
  ...rule,
  action: 1,
  mask: 0xffff_ffff,
  protocol: 87,
  ...more,
});
const there = (route: PolicyRoute, more: Partial<Route> = {}): Route => ({ ...route, protocol: 87, scope: 0, type: 1, flags: 4, ...more });

const NOTHING: FoundRouting = { rules: [], routes: [], foreign: [] };
const GOAL: RoutingGoal = { rules: [RULE], routes: [ROUTE] };

describe('how the routing gets to be as it is wanted', () => {
  test.each<{ readonly name: string; readonly goal?: RoutingGoal; readonly found: FoundRouting; readonly want: readonly number[] }>([
    { name: 'everything is made', found: NOTHING, want: [1, 1, 0, 0] },
    { name: 'what is there is adopted', found: { ...NOTHING, rules: [found(RULE)], routes: [there(ROUTE)] }, want: [0, 0, 0, 0] },
    {
      name: 'the metric that the kernel gives an IPv6 route is no change',
      goal: { rules: [], routes: [{ ...ROUTE, family: 6, gateway: ip6(1, 2, 3, 4) }] },
      found: { ...NOTHING, routes: [there({ ...ROUTE, family: 6, gateway: ip6(1, 2, 3, 4) }, { metric: 1024 })] },
      want: [0, 0, 0, 0],
    },
    {
      name: 'what nobody wants goes',
      goal: { rules: [], routes: [] },
      found: { ...NOTHING, rules: [found(RULE)], routes: [there(ROUTE)] },
      want: [0, 0, 1, 1],
    },
    { name: 'a second one goes', found: { ...NOTHING, rules: [found(RULE), found(RULE)], routes: [there(ROUTE)] }, want: [0, 0, 1, 0] },
    {
      name: 'a rule of another priority is another',
      found: { ...NOTHING, rules: [found(RULE, { priority: 791 })], routes: [there(ROUTE)] },
      want: [0, 1, 1, 0],
    },
    {
      name: 'a rule that asks for more is another',
      found: { ...NOTHING, rules: [found(RULE, { sourceLength: 8 })], routes: [there(ROUTE)] },
      want: [0, 1, 1, 0],
    },
    {
      name: 'a mark of some bits is another',
      found: { ...NOTHING, rules: [found(RULE, { mask: 0xff })], routes: [there(ROUTE)] },
      want: [0, 1, 1, 0],
    },
    {
      name: 'a gateway is put in the place of another',
      found: { ...NOTHING, rules: [found(RULE)], routes: [there({ ...ROUTE, gateway: ip4(1) })] },
      want: [1, 0, 0, 0],
    },
    {
      name: 'an interface too',
      found: { ...NOTHING, rules: [found(RULE)], routes: [there({ ...ROUTE, interface: 4 })] },
      want: [1, 0, 0, 0],
    },
    {
      name: 'another destination goes',
      found: { ...NOTHING, rules: [found(RULE)], routes: [there(ROUTE, { destination: { address: ip4(0), length: 1 } })] },
      want: [1, 0, 0, 1],
    },
    {
      name: 'what another has made just so is enough',
      found: { ...NOTHING, foreign: [found(RULE, { protocol: 3 })], routes: [there(ROUTE)] },
      want: [0, 0, 0, 0],
    },
  ])('$name', ({ goal = GOAL, found: before, want }) => {
    const change = routingChange(goal, before);
    const { putRoutes, addRules, deleteRules, deleteRoutes } = change;
    expect([putRoutes, addRules, deleteRules, deleteRoutes].map((list) => list.length)).toEqual(want);
    expect(isNoChange(change)).toBe(want.every((count) => count === 0));
  });
});
