import type { Reader } from '@weir/wire/bytes';
import { eachAttribute, readBytes, readString } from '../message/index.ts';
import { decodeVerdict, type Verdict } from './data.ts';
import type { NftFamily } from './family.ts';

/** One step of a packet whose `meta nftrace` is set, as group NFTRACE tells it. */
export interface Trace {
  readonly family: NftFamily | undefined;
  /** Of the packet; every step of one packet has it. */
  readonly id: number;
  readonly type: 'policy' | 'return' | 'rule' | 'unknown';
  readonly table?: string;
  readonly chain?: string;
  readonly ruleHandle?: bigint;
  readonly verdict?: Verdict;
  /** 0 drop, 1 accept. */
  readonly policy?: number;
  readonly mark?: number;
  /** Interface indices. */
  readonly iif?: number;
  readonly oif?: number;
  readonly nfproto?: number;
  readonly linkHeader?: Uint8Array;
  readonly networkHeader?: Uint8Array;
  readonly transportHeader?: Uint8Array;
}

const TYPES = ['unknown', 'policy', 'return', 'rule'] as const;

/** The attributes of TRACE. */
export function decodeTrace(family: NftFamily | undefined, r: Reader): Trace {
  const trace: { -readonly [K in keyof Trace]: Trace[K] } = { family, id: 0, type: 'unknown' };
  eachAttribute(r, (type, value) => {
    if (type === 1) trace.table = readString(value);
    else if (type === 2) trace.chain = readString(value);
    else if (type === 3) trace.ruleHandle = value.u64('NFTA_TRACE_RULE_HANDLE');
    else if (type === 4) trace.type = TYPES[value.u32('NFTA_TRACE_TYPE')] ?? 'unknown';
    else if (type === 5) trace.verdict = decodeVerdict(value);
    else if (type === 6) trace.id = value.u32('NFTA_TRACE_ID');
    else if (type === 7) trace.linkHeader = readBytes(value);
    else if (type === 8) trace.networkHeader = readBytes(value);
    else if (type === 9) trace.transportHeader = readBytes(value);
    else if (type === 10) trace.iif = value.u32('NFTA_TRACE_IIF');
    else if (type === 12) trace.oif = value.u32('NFTA_TRACE_OIF');
    else if (type === 14) trace.mark = value.u32('NFTA_TRACE_MARK');
    else if (type === 15) trace.nfproto = value.u32('NFTA_TRACE_NFPROTO');
    else if (type === 16) trace.policy = value.u32('NFTA_TRACE_POLICY');
  });
  return trace;
}
