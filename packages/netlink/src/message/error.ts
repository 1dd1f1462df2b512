import { DecodeError, type Reader } from '@weir/wire/bytes';
import { eachAttribute, readString } from './attribute.ts';
import { HEADER_LENGTH, type Header, NLM_F_ACK_TLVS, NLM_F_CAPPED } from './header.ts';

/** What extended acknowledgements add to an error (`enum nlmsgerr_attrs`). */
export interface ExtendedAck {
  /** The kernel's text. */
  readonly message?: string;
  /** Of the attribute at fault, from the start of the header of the message that was refused. */
  readonly offset?: number;
  /** The attribute type that is missing, and the offset of the nest that lacks it (absent at the top). */
  readonly missingType?: number;
  readonly missingNest?: number;
}

/** NLMSG_ERROR. `errno` is positive; 0 is an acknowledgement. */
export interface ErrorMessage extends ExtendedAck {
  readonly errno: number;
  /** The header of the message that this answers. */
  readonly request: { readonly type: number; readonly sequence: number };
}

/** The payload of NLMSG_ERROR: error i32, the header answered, its payload unless capped, then attributes where the flags say so. */
export function decodeErrorMessage(header: Header, r: Reader): ErrorMessage {
  const errno = decodeErrno(r);
  const at = r.pos;
  const length = r.u32LE('nlmsg_len');
  const type = r.u16LE('nlmsg_type');
  r.skip(2, 'nlmsg_flags');
  const sequence = r.u32LE('nlmsg_seq');
  r.skip(4, 'nlmsg_pid');
  if (errno !== 0 && (header.flags & NLM_F_CAPPED) === 0) {
    if (length < HEADER_LENGTH) throw new DecodeError(`nlmsg_len is ${length}, less than the header`, at, 'nlmsg_len');
    const payload = length - HEADER_LENGTH;
    r.skip(payload, 'message');
    r.skip(Math.min(r.remaining, -payload & 3));
  }
  const ack = (header.flags & NLM_F_ACK_TLVS) === 0 ? {} : decodeExtendedAck(r);
  return { errno, request: { type, sequence }, ...ack };
}

/** The error of an NLMSG_DONE, when it has one; positive, 0 without. */
export function decodeDone(header: Header, r: Reader): { readonly errno: number } & ExtendedAck {
  if (r.done) return { errno: 0 };
  const errno = decodeErrno(r);
  return { errno, ...((header.flags & NLM_F_ACK_TLVS) === 0 ? {} : decodeExtendedAck(r)) };
}

function decodeErrno(r: Reader): number {
  const at = r.pos;
  const error = r.i32LE('error');
  if (error > 0 || error < -4095) throw new DecodeError(`error is ${error}`, at, 'error');
  return error === 0 ? 0 : -error;
}

function decodeExtendedAck(r: Reader): ExtendedAck {
  const ack: { -readonly [K in keyof ExtendedAck]: ExtendedAck[K] } = {};
  eachAttribute(r, (type, value) => {
    if (type === 1) ack.message = readString(value);
    else if (type === 2) ack.offset = value.u32LE('NLMSGERR_ATTR_OFFS');
    else if (type === 5) ack.missingType = value.u32LE('NLMSGERR_ATTR_MISS_TYPE');
    else if (type === 6) ack.missingNest = value.u32LE('NLMSGERR_ATTR_MISS_NEST');
  });
  return ack;
}
