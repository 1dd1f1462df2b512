import type { KnownMembers } from '../kernel/ebpf/index.ts';
import type { Config } from '../model/config.ts';
import type { EbpfConfig } from '../model/ebpf.ts';
import type { EbpfPlace, KernelProblem } from '../model/kernel-port.ts';
import { EbpfService } from '../reconcile/index.ts';

export interface PutPrograms {
  readonly places: readonly EbpfPlace[];
  readonly problems: readonly KernelProblem[];
}

/**
 * Puts the eBPF programs of a configuration into force without a daemon: at boot, or those that were in force before a change that nobody confirmed; others are taken off. Lists that are there keep their members,
 * new ones have those that are known. What was put there goes on when this process ends, and the daemon takes it over. Throws where the pins cannot be opened.
 */
export function putPrograms(config: Config, known: KnownMembers): PutPrograms {
  const service = new EbpfService({ netns: config.netns, emit: () => undefined, now: () => performance.now() });
  try {
    service.configure({ ...config, ebpf: kept(config.ebpf) }, known, false);
    return { places: service.status()?.places ?? [], problems: service.problems };
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
