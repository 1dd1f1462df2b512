import { BpfError, type BpfFailure } from './bpf-error.ts';
import { readRefusal } from './verifier-log.ts';

/** The verifier refused a program. `message` ends with what it said. */
export class VerifierError extends BpfError {
  override readonly name: string = 'VerifierError';
  /** What the verifier wrote (log level 1): the path that it was on, and why it stopped. */
  readonly log: string;
  /** False when the log was longer than may be kept: it is the beginning, or the end on Linux 6.4 and later. */
  readonly complete: boolean;
  /** The index of the instruction that it stopped at, in units of 8 bytes, where the log tells. */
  readonly instruction: number | undefined;
  /** What it said last. */
  readonly refusal: string;

  constructor(failure: BpfFailure, errno: number, log: string, complete: boolean) {
    const { refusal, instruction } = readRefusal(log);
    const place = instruction === undefined ? '' : `at instruction ${instruction}: `;
    super({ ...failure, reason: 'invalid', detail: `${place}${refusal}` }, errno);
    this.log = log;
    this.complete = complete;
    this.refusal = refusal;
    this.instruction = instruction;
  }
}
