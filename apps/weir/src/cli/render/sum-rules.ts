import type { StatusAnswer } from '../../api/index.ts';

/** Packets and bytes of a rule over everything that it became in the kernel: families, hosts and networks, the chains of a long list. */
export function sumRules(
  rules: StatusAnswer['kernel']['rules'],
): readonly { readonly rule: string; readonly packets: number; readonly bytes: number }[] {
  const sums = new Map<string, { rule: string; packets: number; bytes: number }>();
  for (const { rule, packets, bytes } of rules) {
    const sum = sums.get(rule);
    sums.set(rule, sum ? { rule, packets: sum.packets + packets, bytes: sum.bytes + bytes } : { rule, packets, bytes });
  }
  return [...sums.values()];
}
