import type { StatusAnswer } from '../../api/index.ts';
import { EBPF_HOOKS, type EbpfHook } from '../../model/ebpf.ts';

export interface SummedRule {
  readonly tenant?: string;
  /** Of a rule that is an eBPF program; nf_tables counts are summed over its hooks. */
  readonly hook?: EbpfHook;
  readonly rule: string;
  readonly packets: number;
  readonly bytes: number;
}

/** Packets and bytes of a rule over everything that it became in nf_tables: families, hosts and networks, the chains of a long list; and at each hook of eBPF programs. */
export function sumRules(rules: StatusAnswer['kernel']['rules']): readonly SummedRule[] {
  const sums = new Map<string, SummedRule>();
  for (const { tenant, chain, rule, packets, bytes } of rules) {
    const hook = tenant === undefined ? EBPF_HOOKS.find((one) => one === chain) : undefined;
    const key = `${tenant ?? ''}/${hook ?? ''}/${rule}`;
    const who = { ...(tenant === undefined ? {} : { tenant }), ...(hook === undefined ? {} : { hook }) };
    const sum = sums.get(key) ?? { ...who, rule, packets: 0, bytes: 0 };
    sums.set(key, { ...sum, packets: sum.packets + packets, bytes: sum.bytes + bytes });
  }
  return [...sums.values()];
}

/** As it is shown: a tenant's with its name before it, one of an eBPF program with its hook behind it. */
export function ruleTitle({ tenant, hook, rule }: SummedRule): string {
  return `${tenant === undefined ? '' : `${tenant}/`}${rule}${hook === undefined ? '' : ` (${hook})`}`;
}
