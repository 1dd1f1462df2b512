import type { Route, RoutingRule } from '@weir/netlink/route';
import { equalIp } from '@weir/wire/inet';
import { isRule, type PolicyRoute, type PolicyRule } from '../../kernel/routes/index.ts';

/** Weir's own part of the routing, as it is. */
export interface FoundRouting {
  readonly rules: readonly RoutingRule[];
  readonly routes: readonly Route[];
  /** Rules of others. */
  readonly foreign: readonly RoutingRule[];
}

/** As it is to be. */
export interface RoutingGoal {
  readonly rules: readonly PolicyRule[];
  readonly routes: readonly PolicyRoute[];
}

/** In the order in which it is done: a rule never looks into a table whose route is still to come, or gone already. */
export interface RoutingChange {
  readonly putRoutes: readonly PolicyRoute[];
  readonly addRules: readonly PolicyRule[];
  readonly deleteRules: readonly RoutingRule[];
  readonly deleteRoutes: readonly Route[];
}

/** How the routing gets from what it is to what it is to be. A rule that another has just so is not made twice. */
export function routingChange(goal: RoutingGoal, found: FoundRouting): RoutingChange {
  const kept = new Set<RoutingRule>();
  const addRules = goal.rules.filter((wanted) => {
    const there = found.rules.find((rule) => isRule(rule, wanted));
    if (there) kept.add(there);
    return !there && !found.foreign.some((rule) => isRule(rule, wanted));
  });
  const stays = new Set<Route>();
  const putRoutes = goal.routes.filter((wanted) => {
    const there = found.routes.find((route) => isPlace(route, wanted));
    if (there) stays.add(there);
    return !there?.gateway || !equalIp(there.gateway, wanted.gateway) || there.interface !== wanted.interface;
  });
  return {
    putRoutes,
    addRules,
    deleteRules: found.rules.filter((rule) => !kept.has(rule)),
    deleteRoutes: found.routes.filter((route) => !stays.has(route)),
  };
}

export function isNoChange({ putRoutes, addRules, deleteRules, deleteRoutes }: RoutingChange): boolean {
  return putRoutes.length + addRules.length + deleteRules.length + deleteRoutes.length === 0;
}

/** A default route of the same table: what is put takes its place. */
function isPlace(route: Route, { family, table }: PolicyRoute): boolean {
  return route.family === family && route.table === table && (route.destination?.length ?? 0) === 0;
}
