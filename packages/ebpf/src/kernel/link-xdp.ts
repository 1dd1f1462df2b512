import { BpfError, type BpfFailure, ENOTSUPP } from './bpf-error.ts';
import type { BpfLink } from './link.ts';
import { createLink } from './link-create.ts';
import type { BpfProgram } from './program.ts';

const GENERIC = 2;
const NATIVE = 4;

const EBUSY = 16;
const EEXIST = 17;
const EINVAL = 22;
const ERANGE = 34;
const EOPNOTSUPP = 95;
/** What a driver says when it cannot run this program, or any. */
const DRIVER_REFUSES: readonly number[] = [EOPNOTSUPP, ENOTSUPP, EINVAL, ERANGE];

export interface XdpOptions {
  readonly interface: number;
  /** Where the interface is: a name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** `native`: in the driver or not at all. `generic`: after the driver, slower, on every interface. `any`: native where the driver can, unless told. */
  readonly mode?: 'native' | 'generic' | 'any';
}

/** How it is attached. `why` says why it is not native although it was asked for. */
export type XdpAttachment = { readonly link: BpfLink } & (
  | { readonly mode: 'native' }
  | { readonly mode: 'generic'; readonly why: string | undefined }
);

/**
 * Attaches an XDP program to an interface. `busy` where another is attached that is no link of the caller's. BpfError.
 */
export function attachXdp(program: BpfProgram, options: XdpOptions): XdpAttachment {
  const mode = options.mode ?? 'any';
  if (mode === 'generic') return { link: attach(program, options, GENERIC), mode: 'generic', why: undefined };
  try {
    return { link: attach(program, options, NATIVE), mode: 'native' };
  } catch (error) {
    if (mode === 'native' || !(error instanceof BpfError) || !DRIVER_REFUSES.includes(error.errno)) throw error;
    const why =
      error.errno === EOPNOTSUPP || error.errno === ENOTSUPP
        ? 'its driver has no XDP'
        : 'its driver refuses the program: its MTU or an offload is in the way';
    return { link: attach(program, options, GENERIC), mode: 'generic', why: `${why} (${error.code})` };
  }
}

function attach(program: BpfProgram, options: XdpOptions, flag: number): BpfLink {
  return createLink(program, {
    name: `xdp of interface ${options.interface}`,
    attachType: 'xdp',
    target: options.interface,
    flags: flag,
    netns: options.netns,
    reasonFor: (errno) => reasonFor(errno, flag),
  });
}

function reasonFor(errno: number, flag: number): Partial<BpfFailure> | undefined {
  if (errno === EBUSY || errno === EEXIST) return { reason: 'busy', detail: 'another XDP program is attached' };
  if (errno === EOPNOTSUPP) return { reason: 'unsupported', detail: 'the driver has no XDP' };
  // The kernel says the same of a driver that refuses and of an interface that is not there; generic XDP is refused by none.
  if (errno === EINVAL && flag === GENERIC) return { reason: 'absent', detail: 'there is no such interface' };
  return undefined;
}
