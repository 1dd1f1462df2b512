import { readFileSync } from 'node:fs';

/** CPUs that a list such as `0-3,8` names (sysfs(5)): the kernel makes a value of a per-CPU map for each possible one. RangeError when it is none. */
export function countCpus(list: string): number {
  let count = 0;
  for (const part of list.trim().split(',')) {
    const found = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    const first = Number(found?.[1]);
    const last = Number(found?.[2] ?? first);
    if (!found || last < first) throw new RangeError(`not a list of CPUs: ${list}`);
    count += last - first + 1;
  }
  return count;
}

let possible: number | undefined;

/** CPUs that this machine may ever have. */
export function possibleCpus(): number {
  possible ??= countCpus(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));
  return possible;
}
