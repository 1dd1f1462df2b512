import { errnoName, SystemError } from '@weir/sys';
import { type Capability, missingCapabilities } from './capability.ts';

/**
 * Why the kernel refused. `full`: the map holds as many entries as it may. `range`: an index past the end. `exists` and `absent`: the key, the file, the link.
 * `memory`: the kernel has none left (or its limit is reached). `permission`: see `missing`. `unsupported`: this kernel or this object cannot. `busy`: somebody else
 * holds the place. `changed`: what was expected there is no longer there. `invalid`: the request makes no sense to the kernel. `other`: see `errno`.
 */
export type BpfReason =
  | 'full'
  | 'range'
  | 'exists'
  | 'absent'
  | 'memory'
  | 'permission'
  | 'unsupported'
  | 'busy'
  | 'changed'
  | 'invalid'
  | 'other';

const EPERM = 1;
const ENOENT = 2;
const E2BIG = 7;
const ENOMEM = 12;
const EACCES = 13;
const EBUSY = 16;
const EEXIST = 17;
const ENODEV = 19;
const EINVAL = 22;
const ENOSPC = 28;
const EOPNOTSUPP = 95;
const ESTALE = 116;
/** ENOTSUPP, which the kernel keeps to itself but for BPF. */
export const ENOTSUPP = 524;

/** What an errno means where nothing else is known about the operation. */
const REASONS: ReadonlyMap<number, BpfReason> = new Map([
  [EPERM, 'permission'],
  [EACCES, 'permission'],
  [ENOENT, 'absent'],
  [ENODEV, 'absent'],
  [E2BIG, 'full'],
  [ENOSPC, 'full'],
  [ENOMEM, 'memory'],
  [EBUSY, 'busy'],
  [EEXIST, 'exists'],
  [EINVAL, 'invalid'],
  [EOPNOTSUPP, 'unsupported'],
  [ENOTSUPP, 'unsupported'],
  [ESTALE, 'changed'],
]);

const TEXTS: Readonly<Record<BpfReason, string>> = {
  full: 'it is full',
  range: 'there is no such index',
  exists: 'it is there already',
  absent: 'there is no such thing',
  memory: 'the kernel has no memory for it',
  permission: 'it is not permitted',
  unsupported: 'this kernel cannot',
  busy: 'somebody else holds the place',
  changed: 'it changed meanwhile',
  invalid: 'the kernel does not accept it',
  other: 'it failed',
};

export interface BpfFailure {
  /** What was tried: `update`, `create`, `attach`. */
  readonly operation: string;
  /** What it was tried on: `map flows`, `program weir_xdp`. */
  readonly object: string;
  /** Where the errno alone does not tell. */
  readonly reason?: BpfReason;
  /** Capabilities that the operation asks for; those that the thread lacks are named when it was not permitted. */
  readonly needs?: readonly Capability[];
  readonly detail?: string;
}

/** The kernel refused something about a BPF object. `code` is the errno's name. */
export class BpfError extends Error {
  override readonly name: string = 'BpfError';
  readonly code: string;
  readonly errno: number;
  readonly reason: BpfReason;
  readonly operation: string;
  readonly object: string;
  /** What the thread lacks, when it was not permitted and that is why. */
  readonly missing: readonly Capability[];

  constructor(failure: BpfFailure, errno: number) {
    const reason = failure.reason ?? REASONS.get(errno) ?? 'other';
    const missing = reason === 'permission' ? missingCapabilities(failure.needs ?? []) : [];
    const lacks = missing.length > 0 ? `; missing ${missing.join(', ')}` : '';
    const detail = failure.detail === undefined ? '' : ` (${failure.detail})`;
    const code = errno === ENOTSUPP ? 'ENOTSUPP' : errnoName(errno);
    super(`${failure.operation} ${failure.object}: ${TEXTS[reason]}${detail}: ${code}${lacks}`);
    this.code = code;
    this.errno = errno;
    this.reason = reason;
    this.operation = failure.operation;
    this.object = failure.object;
    this.missing = missing;
  }
}

/** Runs `action`; a SystemError becomes the BpfError that `failure` describes, with what `knownAs` adds for the errno. */
export function attempt<T>(failure: BpfFailure, action: () => T, knownAs?: (errno: number) => Partial<BpfFailure> | undefined): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new BpfError({ ...failure, ...knownAs?.(error.errno) }, error.errno);
  }
}
