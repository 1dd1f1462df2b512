import type { Feature, VerifierError } from '@weir/ebpf/kernel';

/** Somebody else manages what is pinned in a directory. */
export class EngineBusyError extends Error {
  override readonly name = 'EngineBusyError';
  readonly code = 'EBUSY';
  readonly directory: string;
  /** The process, where it is known. */
  readonly holder: number | undefined;

  constructor(directory: string, holder: number | undefined) {
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    super(`${who} manages the eBPF programs in ${directory}: one Weir at a time can`);
    this.directory = directory;
    this.holder = holder;
  }
}

/** What the kernel, or this process's rights, lack for what is asked. */
export class MissingFeatureError extends Error {
  override readonly name = 'MissingFeatureError';
  readonly code = 'unsupported';
  readonly features: readonly Feature[];

  constructor(what: string, features: readonly Feature[]) {
    const list = features.map((one) => (one.present ? one.name : `${one.name} (${one.reason})`)).join(', ');
    super(`${what} needs what this system lacks: ${list}`);
    this.features = features;
  }
}

/** The verifier refused one of a hook's programs. */
export class RefusedProgramError extends Error {
  override readonly name = 'RefusedProgramError';
  readonly code = 'refused';
  readonly variant: string;
  override readonly cause: VerifierError;

  constructor(variant: string, cause: VerifierError) {
    super(`${variant}: ${cause.message}`);
    this.variant = variant;
    this.cause = cause;
  }
}
