import type { Lists, Value } from '@weir/filter/eval';
import type { Ip } from '@weir/wire/inet';
import type { RouteState } from '../state/index.ts';

/** The named sets as they are wanted now. */
export function stateLists(state: RouteState): Lists {
  return { has: (list, value) => isIp(value) && state.memberOf(list, value) !== undefined };
}

function isIp(value: Value): value is Ip {
  return typeof value === 'object' && 'w0' in value;
}
