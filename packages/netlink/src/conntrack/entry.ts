import type { Reader, Writer } from '@weir/wire/bytes';
import { eachAttribute, NLA_F_NESTED, putBytes, putU16, putU32 } from '../message/index.ts';
import { decodeTuple, type Tuple } from './tuple.ts';

/** Messages of connection tracking (`enum cntl_msg_types`). */
export const IPCTNL_MSG = { new: 0, get: 1, delete: 2 } as const;

/** Bits of an entry's status. */
export const CT_STATUS = { expected: 1, seenReply: 2, assured: 4, confirmed: 8, sourceNat: 16, destinationNat: 32, dying: 512 } as const;

/** A tracked connection. */
export interface ConntrackEntry {
  /** As its first packet was, before address translation. */
  readonly original: Tuple;
  /** As answers come: its source is the destination after address translation. */
  readonly reply: Tuple;
  readonly status: number;
  /** Seconds; absent once it is dying. */
  readonly timeout?: number;
  readonly mark?: number;
  readonly zone?: number;
  /** Of TCP: 1 SYN_SENT, 2 SYN_RECV, 3 ESTABLISHED, 4 FIN_WAIT, 5 CLOSE_WAIT, 6 LAST_ACK, 7 TIME_WAIT, 8 CLOSE. */
  readonly tcpState?: number;
  /** What the kernel needs to find the entry again. */
  readonly key: ConntrackKey;
}

/** Names one entry and no later one of the same addresses. */
export interface ConntrackKey {
  /** AF_INET 2 or AF_INET6 10. */
  readonly family: number;
  /** CTA_TUPLE_ORIG as the kernel gave it. */
  readonly tuple: Uint8Array;
  readonly id: number | undefined;
  readonly zone: number | undefined;
}

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_PROTOINFO = 4;
const CTA_TIMEOUT = 7;
const CTA_MARK = 8;
const CTA_ID = 12;
const CTA_ZONE = 18;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes of IPCTNL_MSG_CT_NEW. Undefined for an entry without addresses. */
export function decodeConntrackEntry(family: number, r: Reader): ConntrackEntry | undefined {
  let original: Tuple | undefined;
  let reply: Tuple | undefined;
  let tuple: Uint8Array | undefined;
  let id: number | undefined;
  const rest: Mutable<Omit<ConntrackEntry, 'original' | 'reply' | 'key'>> = { status: 0 };
  eachAttribute(r, (type, value) => {
    if (type === CTA_TUPLE_ORIG) {
      tuple = value.bytes.slice(value.pos, value.end);
      original = decodeTuple(value);
    } else if (type === CTA_TUPLE_REPLY) reply = decodeTuple(value);
    else if (type === CTA_STATUS) rest.status = value.u32('CTA_STATUS');
    else if (type === CTA_PROTOINFO) {
      const state = tcpState(value);
      if (state !== undefined) rest.tcpState = state;
    } else if (type === CTA_TIMEOUT) rest.timeout = value.u32('CTA_TIMEOUT');
    else if (type === CTA_MARK) rest.mark = value.u32('CTA_MARK');
    else if (type === CTA_ID) id = value.u32('CTA_ID');
    else if (type === CTA_ZONE) rest.zone = value.u16('CTA_ZONE');
  });
  if (!original || !reply || !tuple) return undefined;
  return { original, reply, ...rest, key: { family, tuple, id, zone: rest.zone } };
}

function tcpState(r: Reader): number | undefined {
  let state: number | undefined;
  eachAttribute(r, (type, value) => {
    if (type !== 1) return;
    eachAttribute(value, (inner, found) => {
      if (inner === 1) state = found.u8('CTA_PROTOINFO_TCP_STATE');
    });
  });
  return state;
}

/** What IPCTNL_MSG_CT_DELETE and IPCTNL_MSG_CT_GET take. */
export function encodeConntrackKey(w: Writer, key: ConntrackKey): void {
  putBytes(w, CTA_TUPLE_ORIG | NLA_F_NESTED, key.tuple);
  if (key.id !== undefined) putU32(w, CTA_ID, key.id);
  if (key.zone !== undefined) putU16(w, CTA_ZONE, key.zone);
}
