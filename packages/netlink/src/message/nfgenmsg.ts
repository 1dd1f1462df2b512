import type { Reader, Writer } from '@weir/wire/bytes';

/** Subsystems of NETLINK_NETFILTER: the high byte of a message's type (`linux/netfilter/nfnetlink.h`). */
export const NFNL_SUBSYS_CTNETLINK = 1;
export const NFNL_SUBSYS_ULOG = 4;
export const NFNL_SUBSYS_NFTABLES = 10;

export const NFNL_MSG_BATCH_BEGIN = 16;
export const NFNL_MSG_BATCH_END = 17;

/** `struct nfgenmsg`: family u8, version u8, resource id u16 in network order; it stands between the header and the attributes. */
export interface NetfilterHeader {
  readonly family: number;
  readonly version: number;
  readonly resource: number;
}

export function encodeNetfilterHeader(w: Writer, family: number, resource: number): void {
  w.u8(family).u8(0).u16(resource);
}

export function decodeNetfilterHeader(r: Reader): NetfilterHeader {
  const s = r.sub(4, 'nfgenmsg');
  return { family: s.u8(), version: s.u8(), resource: s.u16() };
}
