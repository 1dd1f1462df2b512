import type { RateLimit } from './rule.ts';

/** Whose traffic a limit counts together. */
export type Counted = Pick<RateLimit, 'per' | 'prefix'>;

/** The words for what is counted together. */
export const COUNTED: readonly Counted['per'][] = ['rule', 'source', 'destination', 'process', 'cgroup'];

const FORM = /^(source|destination)\/(\d{1,2})(?:\/(\d{1,3}))?$/;

/**
 * As policies write it: `rule`, `source`, `destination`, `process`, `cgroup`; `source/24/48` counts together what comes from one IPv4 prefix of 24 bits or one IPv6 prefix of 48. With one length only the other is
 * twice as long: `source/24` is `source/24/48`. Undefined for what is none.
 */
export function parseCounted(text: string): Counted | undefined {
  const whole = COUNTED.find((word) => word === text);
  if (whole) return { per: whole };
  const [, per, first = '', second] = FORM.exec(text) ?? [];
  if (per !== 'source' && per !== 'destination') return undefined;
  const ip4 = Number(first);
  const ip6 = second === undefined ? 2 * ip4 : Number(second);
  if (ip4 < 1 || ip4 > 32 || ip6 < 1 || ip6 > 128) return undefined;
  return ip4 === 32 && ip6 === 128 ? { per } : { per, prefix: { ip4, ip6 } };
}

/** What `parseCounted` reads, with both lengths. */
export function printCounted({ per, prefix }: Counted): string {
  return prefix ? `${per}/${prefix.ip4}/${prefix.ip6}` : per;
}
