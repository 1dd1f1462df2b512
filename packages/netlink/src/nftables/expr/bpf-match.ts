import { Reader, Writer } from '@weir/wire/bytes';
import type { MatchExpression } from './match.ts';
import type { Expression } from './registry.ts';

/** The eBPF program of a `match bpf`, of type socket filter: where it is pinned, or the caller's descriptor of it, which means nothing in a listing. */
export type BpfMatch = { readonly kind: 'pinned'; readonly path: string } | { readonly kind: 'descriptor'; readonly fd: number };

const NAME = 'bpf';
const REVISION = 1;
/** XT_BPF_MODE_FD_ELF and XT_BPF_MODE_PATH_PINNED. */
const MODE = { pinned: 1, descriptor: 2 } as const;
/** XT_BPF_PATH_MAX, with the NUL. */
const PATH_OCTETS = 512;
const INFO_OCTETS = 528;

/**
 * A step that a packet passes where the program does not return 0. Rules keep a reference to the program; tables of the family netdev refuse it. RangeError for a path of more than 511 octets.
 *
 *     struct xt_bpf_info_v1 { u16 mode · u16 0 · s32 fd · char path[512] · u64 of the kernel's own }, in the order of the machine
 */
export function bpfMatch(program: BpfMatch): MatchExpression {
  const w = new Writer(INFO_OCTETS);
  w.u16LE(MODE[program.kind]).u16LE(0);
  w.u32LE(program.kind === 'descriptor' ? program.fd : 0);
  const path = program.kind === 'pinned' ? new TextEncoder().encode(program.path) : new Uint8Array(0);
  if (path.length >= PATH_OCTETS || path.includes(0))
    throw new RangeError(`not a path that a program can be pinned at: ${path.length} octets`);
  w.bytes(path).zeros(INFO_OCTETS - w.length);
  return { kind: 'match', name: NAME, revision: REVISION, info: w.finish() };
}

/** The program of a step that is a `match bpf`; undefined for other steps, and for other forms of it. */
export function readBpfMatch(expression: Expression): BpfMatch | undefined {
  if (expression.kind !== 'match' || expression.name !== NAME || expression.revision !== REVISION || expression.info.length !== INFO_OCTETS)
    return undefined;
  const r = new Reader(expression.info);
  const mode = r.u16LE();
  r.skip(2);
  const fd = r.u32LE();
  if (mode === MODE.descriptor) return { kind: 'descriptor', fd };
  if (mode !== MODE.pinned) return undefined;
  const path = r.take(PATH_OCTETS);
  const end = path.indexOf(0);
  return end < 0 ? undefined : { kind: 'pinned', path: new TextDecoder().decode(path.subarray(0, end)) };
}

/** As `nft list` shows the step, and where the program is, which nft does not show. */
export function printBpfMatch(program: BpfMatch): string {
  return program.kind === 'pinned' ? `xt match bpf object-pinned ${program.path}` : `xt match bpf descriptor ${program.fd}`;
}
