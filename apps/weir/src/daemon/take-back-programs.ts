import type { Config } from '../model/config.ts';
import type { EbpfConfig } from '../model/ebpf.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import { EbpfService } from '../reconcile/index.ts';

/**
 * Puts the eBPF programs of a configuration into force without a daemon: those that are attached go back to it, others are taken off. Lists keep their members; one that has been given up meanwhile is
 * empty until routes fill it again. Returns what could not be done. Throws where the pins cannot be opened.
 */
export function takeBackPrograms(config: Config): readonly KernelProblem[] {
  const service = new EbpfService({ netns: config.netns, emit: () => undefined, now: () => performance.now() });
  try {
    service.configure({ ...config, ebpf: kept(config.ebpf) }, () => undefined, false);
    return service.problems;
  } finally {
    service.close({ clear: false });
  }
}

/** The end of this process is not the end of a daemon: nothing is taken off. */
function kept({ xdp, tc, connect, ...ebpf }: EbpfConfig): EbpfConfig {
  return {
    ...ebpf,
    xdp: xdp && { ...xdp, onExit: 'keep' },
    tc: tc && { ...tc, onExit: 'keep' },
    connect: connect && { ...connect, onExit: 'keep' },
  };
}
