import { inNetworkNamespace } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt, type BpfFailure } from './bpf-error.ts';
import type { BpfLink } from './link.ts';
import { createLink } from './link-create.ts';
import type { BpfProgram } from './program.ts';
import { ATTACH_TYPES, type AttachType } from './program-type.ts';

const BEFORE = 1 << 3;
const AFTER = 1 << 4;
const ID = 1 << 5;
const LINK = 1 << 13;

const EINVAL = 22;
const ESTALE = 116;
const EEXIST = 17;
/** Programs at one place (BPF_MPROG_MAX). */
const MAX_PROGRAMS = 64;

export type Direction = 'ingress' | 'egress';

/** Where among the others: first, last, or beside a link by its id. */
export type TcxPosition = 'first' | 'last' | { readonly before: number } | { readonly after: number };

export interface TcxOptions {
  readonly interface: number;
  readonly direction: Direction;
  /** Where the interface is: a name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** `last` unless told. */
  readonly position?: TcxPosition;
  /** Of `readTcx`: attaches only if nothing changed since; `changed` otherwise. */
  readonly revision?: bigint;
}

/** Attaches a sched_cls program to an interface by a link (Linux 6.6). BpfError: `unsupported` on an older kernel. */
export function attachTcx(program: BpfProgram, options: TcxOptions): BpfLink {
  const { flags, relative } = place(options.position ?? 'last');
  return createLink(program, {
    name: `tcx ${options.direction} of interface ${options.interface}`,
    attachType: typeOf(options.direction),
    target: options.interface,
    flags,
    netns: options.netns,
    fields: (attribute) => attribute.u32(16, relative).u64(24, options.revision ?? 0n),
    reasonFor: (errno) => reasonFor(errno),
  });
}

/** What is attached, in the order that it runs in. A program that is attached without a link has 0 as its link's id. */
export interface TcxState {
  /** Changes with every change. */
  readonly revision: bigint;
  readonly programs: readonly { readonly programId: number; readonly linkId: number }[];
}

/** Reads what is attached to an interface by tcx. BpfError. */
export function readTcx(options: Pick<TcxOptions, 'interface' | 'direction' | 'netns'>): TcxState {
  const programs = new Uint32Array(MAX_PROGRAMS);
  const links = new Uint32Array(MAX_PROGRAMS);
  const attribute = new Attribute()
    .u32(0, options.interface)
    .u32(4, ATTACH_TYPES[typeOf(options.direction)])
    .pointer(16, new Uint8Array(programs.buffer))
    .u32(24, MAX_PROGRAMS)
    .pointer(40, new Uint8Array(links.buffer));
  const query = (): number => attribute.call(COMMAND.programQuery);
  const failure: BpfFailure = {
    operation: 'read',
    object: `tcx ${options.direction} of interface ${options.interface}`,
    needs: ['CAP_NET_ADMIN'],
  };
  attempt(failure, () => (options.netns === undefined ? query() : inNetworkNamespace(options.netns, query)), reasonFor);
  const count = Math.min(attribute.getU32(24), MAX_PROGRAMS);
  return {
    revision: attribute.getU64(56),
    programs: Array.from({ length: count }, (_, i) => ({ programId: programs[i] ?? 0, linkId: links[i] ?? 0 })),
  };
}

function typeOf(direction: Direction): AttachType {
  return direction === 'ingress' ? 'tcx_ingress' : 'tcx_egress';
}

function place(position: TcxPosition): { readonly flags: number; readonly relative: number } {
  if (position === 'first') return { flags: BEFORE, relative: 0 };
  if (position === 'last') return { flags: AFTER, relative: 0 };
  return 'before' in position
    ? { flags: BEFORE | ID | LINK, relative: position.before }
    : { flags: AFTER | ID | LINK, relative: position.after };
}

function reasonFor(errno: number): Partial<BpfFailure> | undefined {
  if (errno === ESTALE) return { reason: 'changed', detail: 'another program came or went' };
  if (errno === EEXIST) return { reason: 'exists', detail: 'the program is attached there already' };
  if (errno === EINVAL) return { reason: 'unsupported', detail: 'tcx came with Linux 6.6' };
  return undefined;
}
