import type { Reader } from '@weir/wire/bytes';
import { decodeIp, type Ip } from '@weir/wire/inet';
import { eachAttribute } from '../message/index.ts';

/** One direction of a connection. Ports are of TCP, UDP, SCTP, DCCP and UDP-Lite; `icmp` of echo requests and the like. */
export interface Tuple {
  readonly source: Ip;
  readonly destination: Ip;
  /** IP protocol number. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. Undefined when it has no addresses. */
export function decodeTuple(r: Reader): Tuple | undefined {
  let source: Ip | undefined;
  let destination: Ip | undefined;
  const rest: Mutable<Omit<Tuple, 'source' | 'destination'>> = { protocol: 0 };
  const icmp = { type: 0, code: 0, id: 0 };
  let isIcmp = false;
  eachAttribute(r, (type, value) => {
    if (type === 1) {
      eachAttribute(value, (kind, address) => {
        if (kind === 1) source = decodeIp(address, 4, 'CTA_IP_V4_SRC');
        else if (kind === 2) destination = decodeIp(address, 4, 'CTA_IP_V4_DST');
        else if (kind === 3) source = decodeIp(address, 6, 'CTA_IP_V6_SRC');
        else if (kind === 4) destination = decodeIp(address, 6, 'CTA_IP_V6_DST');
      });
    } else if (type === 2) {
      eachAttribute(value, (kind, part) => {
        if (kind === 1) rest.protocol = part.u8('CTA_PROTO_NUM');
        else if (kind === 2) rest.sourcePort = part.u16('CTA_PROTO_SRC_PORT');
        else if (kind === 3) rest.destinationPort = part.u16('CTA_PROTO_DST_PORT');
        else if (kind === 4 || kind === 7) icmp.id = part.u16('CTA_PROTO_ICMP_ID');
        else if (kind === 5 || kind === 8) icmp.type = part.u8('CTA_PROTO_ICMP_TYPE');
        else if (kind === 6 || kind === 9) icmp.code = part.u8('CTA_PROTO_ICMP_CODE');
        if (kind >= 4 && kind <= 9) isIcmp = true;
      });
    }
  });
  if (!source || !destination) return undefined;
  return { source, destination, ...rest, ...(isIcmp ? { icmp } : {}) };
}
