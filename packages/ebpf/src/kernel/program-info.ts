import { objectInfo, readName } from './object-info.ts';
import { PROGRAM_TYPES, type ProgramType } from './program-type.ts';

/** What the kernel says about a program (`struct bpf_prog_info`). */
export interface ProgramInfo {
  readonly id: number;
  /** `unspec` for a type that is not known here; see `typeNumber`. */
  readonly type: ProgramType;
  readonly typeNumber: number;
  readonly name: string;
  /** Of the instructions: 16 hexadecimal digits, as bpftool prints it. */
  readonly tag: string;
  /** Nanoseconds since boot. */
  readonly loadedAt: bigint;
  readonly uid: number;
  readonly mapIds: readonly number[];
  /** Bytes after verification, and as machine code. */
  readonly translatedBytes: number;
  readonly compiledBytes: number;
  /** Instructions that the verifier walked. */
  readonly verifiedInstructions: number;
  /** Counted while `kernel.bpf_stats_enabled` is on, or a RunStatistics is open. */
  readonly runs: bigint;
  readonly runNanoseconds: bigint;
}

const LENGTH = 232;
/** A program uses at most so many maps (MAX_USED_MAPS). */
const MAX_MAPS = 64;

/** SystemError when the descriptor is no program. */
export function readProgramInfo(fd: number): ProgramInfo {
  // The first read tells how many maps there are, the second lists them.
  const count = Math.min(objectInfo(fd, LENGTH).getUint32(52, true), MAX_MAPS);
  const ids = new Uint8Array(count * 4);
  const view = objectInfo(fd, LENGTH, (info, at) => {
    info.setUint32(52, count, true);
    info.setBigUint64(56, at(ids), true);
  });
  const list = new DataView(ids.buffer);
  return decodeProgramInfo(
    view,
    Array.from({ length: count }, (_, i) => list.getUint32(i * 4, true)),
  );
}

export function decodeProgramInfo(view: DataView, mapIds: readonly number[]): ProgramInfo {
  const u32 = (at: number): number => view.getUint32(at, true);
  const tag = new Uint8Array(view.buffer, view.byteOffset + 8, 8);
  return {
    typeNumber: u32(0),
    type: PROGRAM_TYPES[u32(0)] ?? 'unspec',
    id: u32(4),
    tag: Buffer.from(tag).toString('hex'),
    compiledBytes: u32(16),
    translatedBytes: u32(20),
    loadedAt: view.getBigUint64(40, true),
    uid: u32(48),
    mapIds,
    name: readName(view, 64),
    runNanoseconds: view.getBigUint64(192, true),
    runs: view.getBigUint64(200, true),
    verifiedInstructions: u32(216),
  };
}
