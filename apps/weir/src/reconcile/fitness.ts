import type { Family } from '@weir/wire/inet';
import type { SetInfo } from '../kernel/backend.ts';

/** Why a set of the user's cannot hold members of a family, to go after its name; undefined when it can. */
export function unfitReason(info: SetInfo, family: Family): string | undefined {
  if (info.map) return 'is a map, not a set';
  if (info.keyFamily !== family) return `is not of type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'}`;
  if (info.constant) return 'is constant: the kernel takes no changes';
  if (info.expires) return 'has a timeout: its elements go by themselves';
  return undefined;
}
