/**
 * Input bytes that do not decode. `offset` is the position in the reader's buffer at which the offending field starts,
 * `field` names it in the specification's terms. Codecs derive their own errors from this one.
 */
export class DecodeError extends Error {
  readonly code: string = 'DECODE';
  readonly offset: number;
  readonly field: string;

  constructor(message: string, offset: number, field: string) {
    super(message);
    this.name = 'DecodeError';
    this.offset = offset;
    this.field = field;
  }
}
