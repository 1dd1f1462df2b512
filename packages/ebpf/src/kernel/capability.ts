import { readFileSync } from 'node:fs';

/** Capabilities that BPF asks for, with their numbers (`linux/capability.h`). */
const CAPABILITIES = {
  CAP_DAC_OVERRIDE: 1,
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

export type Capability = keyof typeof CAPABILITIES;

/** `CapEff` of /proc/PID/status: a bit for each capability that counts now. undefined when the text has no such line. */
export function parseEffective(status: string): bigint | undefined {
  const found = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status);
  return found?.[1] === undefined ? undefined : BigInt(`0x${found[1]}`);
}

/** Those of `wanted` that `effective` lacks. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON as well, as in the kernel. */
export function lacking(effective: bigint, wanted: readonly Capability[]): readonly Capability[] {
  const has = (name: Capability): boolean => ((effective >> BigInt(CAPABILITIES[name])) & 1n) === 1n;
  const implied = (name: Capability): boolean => (name === 'CAP_BPF' || name === 'CAP_PERFMON') && has('CAP_SYS_ADMIN');
  return wanted.filter((name) => !has(name) && !implied(name));
}

/** Those of `wanted` that this thread lacks; none where /proc does not tell. */
export function missingCapabilities(wanted: readonly Capability[]): readonly Capability[] {
  const effective = parseEffective(readFileSync('/proc/thread-self/status', 'utf8'));
  return effective === undefined ? [] : lacking(effective, wanted);
}
