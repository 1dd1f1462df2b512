import { DecodeError } from '@weir/wire/bytes';
import type { Notification } from './types.ts';

/** What a session reset sends and why. */
export interface ResetReason {
  readonly code: number;
  readonly subcode: number;
  readonly data?: Uint8Array | undefined;
  /** Bytes from the start of the message's header. */
  readonly offset: number;
  readonly field: string;
  readonly rfc: string;
  /** Type code, where the error is inside a path attribute. */
  readonly attribute?: number | undefined;
}

/** A message that ends the session: send `notification`, close. `offset` counts from the start of the message's header. */
export class BgpError extends DecodeError {
  override readonly code: string = 'BGP';
  readonly action = 'session-reset';
  readonly notification: Notification;
  readonly rfc: string;
  readonly attribute: number | undefined;

  constructor(message: string, reason: ResetReason) {
    super(message, reason.offset, reason.field);
    this.name = 'BgpError';
    this.notification = { code: reason.code, subcode: reason.subcode, data: reason.data?.slice() ?? new Uint8Array(0) };
    this.rfc = reason.rfc;
    this.attribute = reason.attribute;
  }
}
