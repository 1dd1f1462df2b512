import { BpfError } from './bpf-error.ts';
import type { BpfLink } from './link.ts';
import { attachTcx, type TcxPosition } from './link-tcx.ts';
import type { BpfProgram } from './program.ts';
import { TcFilter, type TcPlace } from './tc-filter.ts';

export interface TcOptions extends TcPlace {
  /** With tcx: where among the others; `last` unless told. */
  readonly position?: TcxPosition;
  /** With clsact: 1-65535, lower first. */
  readonly priority: number;
  /** `tcx`: or not at all. `clsact`: the older way, in any case. `any`: tcx where the kernel has it, unless told. */
  readonly way?: 'tcx' | 'clsact' | 'any';
}

/** How it is attached. `why` says why it is not tcx although it was asked for. */
export type TcAttachment =
  | { readonly kind: 'tcx'; readonly link: BpfLink }
  | { readonly kind: 'clsact'; readonly filter: TcFilter; readonly why: string | undefined };

/** Attaches a sched_cls program to one direction of an interface: by tcx, and where the kernel has none by clsact. BpfError. */
export function attachTc(program: BpfProgram, options: TcOptions): TcAttachment {
  const way = options.way ?? 'any';
  if (way === 'clsact') return { kind: 'clsact', filter: TcFilter.attach(program, options), why: undefined };
  try {
    return { kind: 'tcx', link: attachTcx(program, options) };
  } catch (error) {
    if (way === 'tcx' || !(error instanceof BpfError) || error.reason !== 'unsupported') throw error;
    return { kind: 'clsact', filter: TcFilter.attach(program, options), why: 'tcx came with Linux 6.6' };
  }
}
