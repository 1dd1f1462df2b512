import { type EbpfHook, isEbpfHook } from '../../model/ebpf.ts';
import type { RefuseHook } from '../policy/index.ts';

const MISSING: Readonly<Record<EbpfHook, { readonly what: string; readonly write: string }>> = {
  xdp: { what: 'ebpf.xdp names no interface', write: 'ebpf: { xdp: { interfaces: [eth0] } }' },
  tc: { what: 'ebpf.tc names no interface', write: 'ebpf: { tc: { ingress: [eth0] } }' },
  connect: { what: 'ebpf.connect is not given', write: 'ebpf: { connect: { cgroup: /sys/fs/cgroup } }' },
};

/** Rules at hooks that the configuration attaches to nothing would judge nothing: they are refused. */
export function refuseUnattached(isAttached: (hook: EbpfHook) => boolean): RefuseHook {
  return (hook) => {
    if (!isEbpfHook(hook) || isAttached(hook)) return undefined;
    const { what, write } = MISSING[hook];
    return { message: `a rule at the hook ${hook} judges nothing, because ${what}`, hint: `write ${write} in the configuration` };
  };
}

/** Programs are attached in the daemon's own namespace alone. */
export function refuseEbpf(): RefuseHook {
  return (hook) =>
    isEbpfHook(hook)
      ? {
          message: `a tenant has no rules at the hook ${hook}: eBPF programs are attached in the daemon's own namespace`,
          hint: 'judge the packets at prerouting, input, forward or output',
        }
      : undefined;
}
