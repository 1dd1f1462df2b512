import { DecodeError } from '@weir/wire/bytes';

/** What is in a flow specification is not as RFC 8955 and RFC 8956 lay it out: it is malformed, but where it ends is known. `code` is `BGP_FLOW`. */
export class FlowError extends DecodeError {
  override readonly code: string = 'BGP_FLOW';
  readonly rfc: string;

  constructor(message: string, offset: number, rfc: string) {
    super(message, offset, 'flow specification');
    this.name = 'FlowError';
    this.rfc = rfc;
  }
}
