import type { Hook } from '@weir/filter/scheme';
import type { SourceSpan } from './provenance.ts';

/** What becomes of a hook's programs when the daemon ends by itself (SIGTERM): they go on judging, or are taken off. A crash always leaves them. */
export type OnExit = 'keep' | 'detach';

/** An interface that a configuration names. It may come later, and go. */
export interface NamedInterface {
  readonly name: string;
  readonly span: SourceSpan;
}

/** Interfaces whose incoming frames are judged before anything else of the system sees them. */
export interface XdpAttachment {
  readonly interfaces: readonly NamedInterface[];
  /** `auto`: by the driver where it can, else by the kernel's generic path, which is told. */
  readonly mode: 'auto' | 'native' | 'generic';
  readonly onExit: OnExit;
}

/** Interfaces whose frames are judged on their way in, and on their way out. */
export interface TcAttachment {
  readonly ingress: readonly NamedInterface[];
  readonly egress: readonly NamedInterface[];
  readonly onExit: OnExit;
}

/** The cgroup whose processes (and those of the cgroups below) are judged when they connect or send. */
export interface ConnectAttachment {
  /** Path of a directory of the unified hierarchy. */
  readonly cgroup: string;
  readonly onExit: OnExit;
  readonly span: SourceSpan;
}

/** Where the rules of the hooks `xdp`, `tc` and `connect` are attached. A hook that is undefined is attached to nothing, and then no policy has rules there. */
export interface EbpfConfig {
  readonly xdp: XdpAttachment | undefined;
  readonly tc: TcAttachment | undefined;
  readonly connect: ConnectAttachment | undefined;
  /** Where programs, maps and links are pinned; on a BPF file system. */
  readonly pinDirectory: string;
  /** Bytes of the ring buffer of verdict events: a power of two, at least a page. */
  readonly eventBuffer: number;
}

/** Without `ebpf:` in the configuration. */
export const DEFAULT_EBPF: EbpfConfig = {
  xdp: undefined,
  tc: undefined,
  connect: undefined,
  pinDirectory: '/sys/fs/bpf/weir',
  eventBuffer: 4 * 1024 * 1024,
};

/** Where it stands which rights programs need: they are other ones than those of nf_tables. */
export const EBPF_RIGHTS = 'docs/ebpf.md says which rights eBPF programs need';

/** The hooks whose rules are eBPF programs; the others are nf_tables'. */
export type EbpfHook = 'xdp' | 'tc' | 'connect';

export const EBPF_HOOKS: readonly EbpfHook[] = ['xdp', 'tc', 'connect'];

export function isEbpfHook(hook: Hook): hook is EbpfHook {
  return hook === 'xdp' || hook === 'tc' || hook === 'connect';
}

/** Whether a configuration attaches a hook to anything. */
export function attaches(ebpf: EbpfConfig, hook: EbpfHook): boolean {
  switch (hook) {
    case 'xdp':
      return ebpf.xdp !== undefined && ebpf.xdp.interfaces.length > 0;
    case 'tc':
      return ebpf.tc !== undefined && ebpf.tc.ingress.length + ebpf.tc.egress.length > 0;
    case 'connect':
      return ebpf.connect !== undefined;
  }
}
