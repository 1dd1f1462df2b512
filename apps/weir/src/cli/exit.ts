/** Exit codes (docs/cli): what a script can rely on. */
export const EXIT = {
  ok: 0,
  /** Something that should work did not. */
  error: 1,
  /** The command worked and found something: an invalid file, a failed test. */
  finding: 2,
  /** Applied, not confirmed in time, rolled back. */
  notConfirmed: 3,
  /** The kernel lacks a feature, or the process a privilege. */
  unsupported: 4,
  usage: 64,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a message on stderr. */
export class CliError extends Error {
  readonly code: ExitCode;
  readonly details: readonly string[];

  constructor(code: ExitCode, message: string, details: readonly string[] = []) {
    super(message);
    this.name = 'CliError';
    this.code = code;
    this.details = details;
  }
}
