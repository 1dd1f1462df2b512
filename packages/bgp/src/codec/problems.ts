import { BgpError } from './error.ts';
import { ErrorCode } from './notification.ts';
import type { AfiSafi, ErrorAction, MessageError } from './types.ts';

/** The most errors that one message's list holds: the first ones, and in the last place the strongest of the rest. */
const MAX_ERRORS = 64;

const RANK: Readonly<Record<ErrorAction, number>> = {
  'attribute-discard': 1,
  'treat-as-withdraw': 2,
  'afi-safi-disable': 3,
  'session-reset': 4,
};

/** The stronger of two actions (RFC 7606 section 3 (h)). */
export function strongerAction<A extends ErrorAction>(a: A | undefined, b: A): A {
  return a === undefined || RANK[b] > RANK[a] ? b : a;
}

export interface Problem {
  readonly action: ErrorAction;
  readonly subcode: number;
  readonly message: string;
  readonly rfc: string;
  readonly offset: number;
  readonly attribute?: number;
  readonly family?: AfiSafi;
  /** The offending attribute, which a NOTIFICATION would carry. */
  readonly from?: number;
  readonly to?: number;
  /** Nothing is wrong with the attribute: it is of a family that this session does not use. */
  readonly ignored?: boolean;
}

/** What was found wrong with one UPDATE. */
export class Problems {
  readonly #bytes: Uint8Array;
  #errors: MessageError[] | undefined;
  #withdraw = false;
  #strongest: Problem | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether nothing has been found. */
  get none(): boolean {
    return this.#errors === undefined;
  }

  /** Whether what the message announces is to be withdrawn. */
  get withdraw(): boolean {
    return this.#withdraw;
  }

  get errors(): readonly MessageError[] {
    return this.#errors ?? [];
  }

  /** The first of the strongest errors that ask for more than discarding an attribute. */
  get strongest(): Problem | undefined {
    return this.#strongest;
  }

  /** Notes an error; throws BgpError where it asks for a session reset. */
  add(problem: Problem): void {
    const { action, message, rfc, offset, attribute, family } = problem;
    if (action === 'session-reset') throw this.reset(problem);
    if (action === 'treat-as-withdraw') this.#withdraw = true;
    if (action !== 'attribute-discard' && !problem.ignored) {
      if (!this.#strongest || RANK[action] > RANK[this.#strongest.action]) this.#strongest = problem;
    }
    this.#errors ??= [];
    const error = { offset, attribute, message, action, rfc, ...(family ? { family } : {}) };
    const last = this.#errors[MAX_ERRORS - 1];
    if (!last) this.#errors.push(error);
    else if (RANK[action] > RANK[last.action]) this.#errors[MAX_ERRORS - 1] = error;
  }

  /** The error that ends the session over `problem`. */
  reset(problem: Problem, rfc: string = problem.rfc): BgpError {
    const { subcode, message, offset, from, to, attribute } = problem;
    return new BgpError(message, {
      code: ErrorCode.update,
      subcode,
      data: from === undefined ? undefined : this.#bytes.subarray(from, to),
      offset,
      field: 'UPDATE',
      rfc,
      attribute,
    });
  }
}
