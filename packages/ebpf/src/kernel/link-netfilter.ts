import type { BpfFailure } from './bpf-error.ts';
import type { BpfLink } from './link.ts';
import { createLink } from './link-create.ts';
import type { BpfProgram } from './program.ts';

const FAMILIES = { ip: 2, ip6: 10 } as const;
const HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
/** Fragments are put together before (BPF_F_NETFILTER_IP_DEFRAG, Linux 6.6). */
const DEFRAGMENT = 1;

const EBUSY = 16;
const EINVAL = 22;
const ERANGE = 34;

export interface NetfilterOptions {
  readonly family: keyof typeof FAMILIES;
  readonly hook: keyof typeof HOOKS;
  /** As of nf_tables chains; not the lowest and not the highest possible. */
  readonly priority: number;
  readonly defragment?: boolean;
  /** A name as in `ip netns`, or a path. */
  readonly netns?: string;
}

/** Attaches a program of type netfilter to a hook of a namespace (Linux 6.4). BpfError: `busy` where another program has that priority. */
export function attachNetfilter(program: BpfProgram, options: NetfilterOptions): BpfLink {
  return createLink(program, {
    name: `netfilter ${options.family} ${options.hook} at ${options.priority}`,
    attachType: 'netfilter',
    target: 0,
    netns: options.netns,
    fields: (attribute) =>
      attribute
        .u32(16, FAMILIES[options.family])
        .u32(20, HOOKS[options.hook])
        .u32(24, options.priority >>> 0)
        .u32(28, options.defragment ? DEFRAGMENT : 0),
    reasonFor,
  });
}

function reasonFor(errno: number): Partial<BpfFailure> | undefined {
  if (errno === EBUSY) return { reason: 'busy', detail: 'another program has this priority' };
  if (errno === ERANGE) return { reason: 'range', detail: 'the priority' };
  if (errno === EINVAL) return { reason: 'unsupported', detail: 'programs at netfilter hooks came with Linux 6.4' };
  return undefined;
}
