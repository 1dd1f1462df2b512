import type { Reader } from '@weir/wire/bytes';
import { DecodeError } from '@weir/wire/bytes';
import type { Family } from '@weir/wire/inet';

/** Address families of routing messages. */
export const AF: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

/** The family of a message, its first octet. DecodeError where it is neither IPv4 nor IPv6, as with bridges and multicast routing. */
export function readFamily(r: Reader): Family {
  const at = r.pos;
  const family = r.u8('family');
  if (family === AF[4]) return 4;
  if (family === AF[6]) return 6;
  throw new DecodeError(`address family ${family} is not IPv4 or IPv6`, at, 'family');
}

/** An attribute that is not known here: kept, so that a message that was read is written as it was. */
export interface OtherAttribute {
  readonly type: number;
  readonly bytes: Uint8Array;
}
