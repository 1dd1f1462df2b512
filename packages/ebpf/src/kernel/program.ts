import { closeFd, SystemError, setSocketFilter } from '@weir/sys';
import { Attribute, COMMAND, objectName } from './attribute.ts';
import { attempt, BpfError, type BpfFailure } from './bpf-error.ts';
import type { Capability } from './capability.ts';
import { readOf } from './object-kind.ts';
import { type ProgramInfo, readProgramInfo } from './program-info.ts';
import { ATTACH_TYPES, type AttachType, type ProgramType, programTypeNumber } from './program-type.ts';
import { type TestRun, type TestRunOptions, testRun } from './test-run.ts';
import { VerifierError } from './verifier-error.ts';

export interface ProgramSpec {
  /** At most 15 bytes of `A-Za-z0-9_.`. */
  readonly name: string;
  readonly type: ProgramType;
  /** Where it will be attached, for types that are verified for a place. */
  readonly attachType?: AttachType;
  /** Encoded, 8 bytes each, with the descriptors of maps put in. */
  readonly instructions: Uint8Array;
  /** Helpers that are for programs under the GPL ask for a compatible one; `GPL` unless told. */
  readonly license?: string;
  /** Descriptors that instructions name by their index: maps, and the BTF of modules that kfuncs are in. */
  readonly fdArray?: readonly number[];
  /** BPF_F_* of a load. */
  readonly flags?: number;
  /** Bytes of the verifier's log that are kept when it refuses; 1 MiB unless told, 16 MiB at most. */
  readonly logLimit?: number;
}

const EPERM = 1;
const EAGAIN = 11;
const EINTR = 4;
const ENOSPC = 28;
/** The verifier gives up with EAGAIN when a signal waits: tried again so often. */
const MAX_TRIES = 20;
/** The kernel takes no smaller one. */
const LEAST_LOG = 128;
const FIRST_LOG = 64 * 1024;
const LOG_LIMIT = 1024 * 1024;
const MAX_LOG = 16 * 1024 * 1024;

const NEEDS: readonly Capability[] = ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'];

/** A program in the kernel, by an open descriptor. Calls are synchronous. BpfError. */
export class BpfProgram {
  readonly fd: number;
  readonly name: string;
  #closed = false;

  private constructor(fd: number, name: string) {
    this.fd = fd;
    this.name = name;
  }

  /** Verifies and loads a program. VerifierError with the verifier's log where it refuses, BpfError where it never came to that. */
  static load(spec: ProgramSpec): BpfProgram {
    return new BpfProgram(load(spec), spec.name);
  }

  /** A program by its descriptor, which is the program's from then on, also when this throws. */
  static fromFd(fd: number): BpfProgram {
    try {
      const info = attempt({ operation: 'read', object: `program at descriptor ${fd}` }, () => readOf(fd, 'program', readProgramInfo));
      return new BpfProgram(fd, info.name);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** A program by its id. Needs CAP_SYS_ADMIN. */
  static fromId(id: number): BpfProgram {
    const failure: BpfFailure = { operation: 'open', object: `program ${id}`, needs: ['CAP_SYS_ADMIN'] };
    return BpfProgram.fromFd(attempt(failure, () => new Attribute().u32(0, id).call(COMMAND.programById)));
  }

  info(): ProgramInfo {
    return attempt({ operation: 'read', object: this.describe() }, () => readProgramInfo(this.fd));
  }

  /** Runs it over a packet of the caller's (BPF_PROG_TEST_RUN). */
  run(options: TestRunOptions): TestRun {
    return attempt({ operation: 'run', object: this.describe(), needs: NEEDS }, () => testRun(this.fd, options));
  }

  /** Lets this program, of type socket_filter, judge what a socket receives, in place of another. */
  attachToSocket(socket: number): void {
    attempt({ operation: 'attach to a socket', object: this.describe() }, () => setSocketFilter(socket, this.fd));
  }

  describe(): string {
    return `program ${this.name}`;
  }

  /** Gives the descriptor back; the program goes with its last user: a link, a pin, a map. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.fd);
  }
}

function load(spec: ProgramSpec): number {
  if (spec.instructions.length === 0 || spec.instructions.length % 8 !== 0)
    throw new RangeError(`${spec.instructions.length} bytes are not instructions`);
  const failure: BpfFailure = { operation: 'load', object: `program ${spec.name}`, needs: NEEDS };
  try {
    return loadOnce(spec);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const again = loadWithLog(spec);
    if (typeof again === 'number') return again;
    // Without a log the program was refused before it was looked at.
    if (again.log === '' || error.errno === EPERM) throw new BpfError(failure, error.errno);
    throw new VerifierError(failure, error.errno, again.log, again.complete);
  }
}

/** Loads a program that was refused, for the sake of the log: a descriptor where it is taken this time. */
function loadWithLog(spec: ProgramSpec): number | { readonly log: string; readonly complete: boolean } {
  const limit = Math.max(LEAST_LOG, Math.min(spec.logLimit ?? LOG_LIMIT, MAX_LOG));
  for (let size = Math.min(FIRST_LOG, limit); ; size = Math.min(size * 4, limit)) {
    const log = new Uint8Array(size);
    try {
      return loadOnce(spec, log);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const complete = error.errno !== ENOSPC;
      if (complete || size >= limit) return { log: textOf(log), complete };
    }
  }
}

function loadOnce(spec: ProgramSpec, log?: Uint8Array): number {
  const attribute = new Attribute()
    .u32(0, programTypeNumber(spec.type))
    .u32(4, spec.instructions.length / 8)
    .pointer(8, spec.instructions)
    .text(16, spec.license ?? 'GPL')
    .u32(44, spec.flags ?? 0)
    .name(48, objectName(spec.name))
    .u32(68, spec.attachType === undefined ? 0 : ATTACH_TYPES[spec.attachType]);
  if (log) attribute.u32(24, 1).u32(28, log.length).pointer(32, log);
  if (spec.fdArray) attribute.pointer(120, new Uint8Array(Int32Array.from(spec.fdArray).buffer));
  for (let tries = 1; ; tries++) {
    try {
      return attribute.call(COMMAND.programLoad, `load ${spec.name}`);
    } catch (error) {
      const passing = error instanceof SystemError && (error.errno === EAGAIN || error.errno === EINTR);
      if (!passing || tries >= MAX_TRIES) throw error;
    }
  }
}

function textOf(log: Uint8Array): string {
  const end = log.indexOf(0);
  return new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end));
}
