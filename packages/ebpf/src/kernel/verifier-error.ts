import { readVerifierLog, type VerifierReport } from '../asm/index.ts';
import { BpfError, type BpfFailure } from './bpf-error.ts';

/** Of what the verifier said, so much is in an error's text; the rest is in its log. */
const MAX_TEXT = 400;

/** The verifier refused a program. `message` ends with what it said. */
export class VerifierError extends BpfError {
  override readonly name: string = 'VerifierError';
  /** What the verifier wrote (log level 1): the path that it was on, and why it stopped. */
  readonly log: string;
  /** False when the log was longer than may be kept: it is the beginning, or the end on Linux 6.4 and later. */
  readonly complete: boolean;
  /** The log as far as it is understood; `locateRefusal` leads it back to what the program was made from. */
  readonly report: VerifierReport;

  constructor(failure: BpfFailure, errno: number, log: string, complete: boolean) {
    const report = readVerifierLog(log);
    const place = report.slot === undefined ? '' : `at instruction ${report.slot}: `;
    const text = report.message ?? 'its log was cut off before it said why';
    super({ ...failure, reason: 'invalid', detail: `${place}${text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text}` }, errno);
    this.log = log;
    this.complete = complete;
    this.report = report;
  }

  /** The instruction that the refusal is about, in units of 8 bytes; undefined when it is about the whole program. */
  get instruction(): number | undefined {
    return this.report.slot;
  }
}
