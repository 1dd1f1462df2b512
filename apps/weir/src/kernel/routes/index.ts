/** What the routing of a network namespace says. */
export { RouteTable } from './route-table.ts';
