import { DecodeError, type Reader, type Writer } from '@weir/wire/bytes';

/** `struct nlmsghdr` (`linux/netlink.h`): length u32, type u16, flags u16, sequence u32, port id u32, all in host order. */
export interface Header {
  /** Of the whole message with this header, without trailing padding. */
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
}

export const HEADER_LENGTH = 16;

/** Message types below 16 are netlink's own. */
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
/** In an answer of a dump: what was dumped changed meanwhile. */
export const NLM_F_DUMP_INTR = 0x10;
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;
/** In requests that create: */
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** In an NLMSG_ERROR: */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

/** Reads one header. DecodeError when it is cut short or its length is less than its own or more than what is left. */
export function decodeHeader(r: Reader): Header {
  const at = r.pos;
  const left = r.remaining;
  const length = r.u32LE('nlmsg_len');
  if (length < HEADER_LENGTH) throw new DecodeError(`nlmsg_len is ${length}, less than the header`, at, 'nlmsg_len');
  if (length > left) throw new DecodeError(`nlmsg_len is ${length}, ${left} bytes left`, at, 'nlmsg_len');
  return {
    length,
    type: r.u16LE('nlmsg_type'),
    flags: r.u16LE('nlmsg_flags'),
    sequence: r.u32LE('nlmsg_seq'),
    portId: r.u32LE('nlmsg_pid'),
  };
}

/** Calls `visit` for each message of a datagram, with a reader over what follows its header. A return of false stops. */
export function decodeMessages(r: Reader, visit: (header: Header, payload: Reader) => boolean | undefined): void {
  while (!r.done) {
    const header = decodeHeader(r);
    const payload = r.sub(header.length - HEADER_LENGTH, 'message');
    r.skip(Math.min(r.remaining, -header.length & 3));
    if (visit(header, payload) === false) return;
  }
}

/** Starts a message; returns its position for `endMessage`. The port id is left 0: the kernel knows the sender. */
export function beginMessage(w: Writer, type: number, flags: number, sequence: number): number {
  const at = w.align(4).length;
  w.u32LE(0).u16LE(type).u16LE(flags).u32LE(sequence).u32LE(0);
  return at;
}

/** Pads the message begun at `at` and writes its length. */
export function endMessage(w: Writer, at: number): void {
  w.align(4);
  w.setU32LE(at, w.length - at);
}
