/** Tracked connections judged by rules, as far as conntrack and routing tell what they are. */
export type { Flow } from './first-packet.ts';
export { type Fate, judgeWays } from './judge-ways.ts';
export { type Route, type Routing, type TrackedFlow, waysOf } from './ways.ts';
