import type { StatusAnswer } from '../../api/index.ts';

export interface SummedRule {
  readonly tenant?: string;
  readonly rule: string;
  readonly packets: number;
  readonly bytes: number;
}

/** Packets and bytes of a rule over everything that it became in the kernel: families, hosts and networks, the chains of a long list. */
export function sumRules(rules: StatusAnswer['kernel']['rules']): readonly SummedRule[] {
  const sums = new Map<string, SummedRule>();
  for (const { tenant, rule, packets, bytes } of rules) {
    const key = `${tenant ?? ''}/${rule}`;
    const sum = sums.get(key) ?? { ...(tenant === undefined ? {} : { tenant }), rule, packets: 0, bytes: 0 };
    sums.set(key, { ...sum, packets: sum.packets + packets, bytes: sum.bytes + bytes });
  }
  return [...sums.values()];
}

/** As it is shown: a tenant's with its name before it. */
export function ruleTitle({ tenant, rule }: SummedRule): string {
  return tenant === undefined ? rule : `${tenant}/${rule}`;
}
