/** nf_tables: objects, expressions, transactions, listings and notifications. */
export { type BaseChain, type Chain, type ChainRef, type Counters, decodeChain, encodeChain, type Hook } from './chain.ts';
export { type ElementDump, NftClient, type Presence, type Scope } from './client.ts';
export { type Data, decodeData, encodeData, type Verdict } from './data.ts';
export { decodeElement, decodeElementList, type ElementTarget, encodeElement, encodeElements, type SetElement } from './element.ts';
export { ElementCollector } from './element-collector.ts';
export { type ElementColumns, ElementEncoder, type ElementExtras, stride, wordsPerKey } from './element-columns.ts';
export {
  type BitwiseExpression,
  type BpfMatch,
  type ByteorderExpression,
  bpfMatch,
  type CmpExpression,
  type ConnlimitExpression,
  type CounterExpression,
  CT_STATE,
  type CtExpression,
  type CtKey,
  type DynsetExpression,
  decodeExpression,
  type Expression,
  type ExthdrExpression,
  encodeExpression,
  FIB,
  type FibExpression,
  type ImmediateExpression,
  type LimitExpression,
  type LogExpression,
  type LogLevel,
  type LookupExpression,
  type MasqExpression,
  type MatchExpression,
  type MetaExpression,
  type MetaKey,
  type NatExpression,
  type NotrackExpression,
  type NumgenExpression,
  type ObjrefExpression,
  type PayloadExpression,
  prepareExpression,
  printBpfMatch,
  type QueueExpression,
  type QuotaExpression,
  type RangeExpression,
  type RedirExpression,
  type RejectExpression,
  type RtExpression,
  readBpfMatch,
  type SocketExpression,
  type UnknownExpression,
} from './expr/index.ts';
export { familyName, familyNumber, type NftFamily } from './family.ts';
export { decodeGeneration, type Generation } from './generation.ts';
export { NFT_MSG, nftType } from './message-type.ts';
export { decodeNotification, type Notification } from './notification.ts';
export { decodeObject, type NftObject } from './object.ts';
export { decodeRule, encodeRule, type Rule, type RuleRef } from './rule.ts';
export {
  decodeSet,
  defineSet,
  describeSet,
  encodeSet,
  type NftSet,
  type SetDefinition,
  type SetFlags,
  type SetRef,
  VERDICT_TYPE,
} from './set.ts';
export { type ByteOrder, encodeSetDescription, type SetDescription, type SetType, type SetTypeName, setType } from './set-type.ts';
export { decodeTable, encodeTable, type Table, type TableFlags, type TableRef } from './table.ts';
export { decodeTrace, type Trace } from './trace.ts';
export { type AddOptions, type DeleteOptions, NftTransaction } from './transaction.ts';
export {
  type Commented,
  decodeComment,
  decodeTlvs,
  encodeComment,
  encodeTlvs,
  type Tlv,
  textTlv,
  tlvText,
  tlvU32,
  u32Tlv,
} from './userdata.ts';
