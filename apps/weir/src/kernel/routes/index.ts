/** What the routing of a network namespace says, and the rules and routes that Weir adds to it. */
export {
  type Hop,
  isNotPermitted,
  isRule,
  type PolicyRoute,
  PolicyRouting,
  type PolicyRule,
  type PolicyRules,
} from './policy-routing.ts';
export { RouteTable } from './route-table.ts';
