import type { Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest, putBytes, putString, putU32, putU64, readBytes, readString } from '../message/index.ts';
import { decodeExpression, type Expression, encodeExpression } from './expr/index.ts';
import type { NftFamily } from './family.ts';
import {
  BYTE_ORDERS,
  type ByteOrder,
  encodeSetDescription,
  type SetDescription,
  type SetType,
  type SetTypeName,
  setType,
} from './set-type.ts';
import { decodeTlvs, tlvText, tlvU32 } from './userdata.ts';

/** NFT_SET_*. `interval` keys are ranges; `dynamic` sets are filled from the packet path; `concatenated` goes with `interval` on keys of several fields. */
export interface SetFlags {
  readonly anonymous?: boolean;
  readonly constant?: boolean;
  readonly interval?: boolean;
  readonly map?: boolean;
  readonly timeout?: boolean;
  readonly dynamic?: boolean;
  readonly object?: boolean;
  readonly concatenated?: boolean;
  readonly expressions?: boolean;
}

const FLAGS: readonly (readonly [keyof SetFlags, number])[] = [
  ['anonymous', 0x1],
  ['constant', 0x2],
  ['interval', 0x4],
  ['map', 0x8],
  ['timeout', 0x10],
  ['dynamic', 0x20],
  ['object', 0x40],
  ['concatenated', 0x80],
  ['expressions', 0x100],
];

/** The value type of a map whose values are verdicts. */
export const VERDICT_TYPE = 0xffffff00;

/** A set or map, without its elements. */
export interface NftSet {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly flags: SetFlags;
  /** As nft numbers types: see `setType`. The kernel keeps it without reading it. */
  readonly keyType: number;
  /** Bytes. */
  readonly keyLength: number;
  /** Of maps. VERDICT_TYPE for verdicts, which have no length. */
  readonly dataType?: number;
  readonly dataLength?: number;
  /** Of maps to named objects. */
  readonly objectType?: number;
  readonly policy?: 'performance' | 'memory';
  /** The most elements it takes. A hash set given its size is laid out for it at once. */
  readonly size?: number;
  /** Of a concatenated interval set: the unpadded bytes of each field. */
  readonly fields?: readonly number[];
  /** Milliseconds that elements live, when they say nothing else. */
  readonly timeout?: bigint;
  readonly gcInterval?: number;
  /** Expressions that each element gets: a counter, a limit. */
  readonly expressions?: readonly Expression[];
  /** Number within a transaction: rules and elements of the same transaction may refer to it. */
  readonly id?: number;
  /** As nft wrote it: see `encodeSetDescription`, `describeSet`. */
  readonly userdata?: Uint8Array;
  readonly handle?: bigint;
  /** Elements in it, where the kernel says so (Linux 6.14). */
  readonly count?: number;
}

export interface SetRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes of NEWSET. */
export function decodeSet(family: NftFamily, r: Reader): NftSet {
  const set: Mutable<NftSet> = { family, table: '', name: '', flags: {}, keyType: 0, keyLength: 0 };
  const expressions: Expression[] = [];
  eachAttribute(r, (type, value) => {
    if (type === 1) set.table = readString(value);
    else if (type === 2) set.name = readString(value);
    else if (type === 3) set.flags = decodeFlags(value.u32('NFTA_SET_FLAGS'));
    else if (type === 4) set.keyType = value.u32('NFTA_SET_KEY_TYPE');
    else if (type === 5) set.keyLength = value.u32('NFTA_SET_KEY_LEN');
    else if (type === 6) set.dataType = value.u32('NFTA_SET_DATA_TYPE');
    else if (type === 7) set.dataLength = value.u32('NFTA_SET_DATA_LEN');
    else if (type === 8) set.policy = value.u32('NFTA_SET_POLICY') === 1 ? 'memory' : 'performance';
    else if (type === 9) decodeSize(value, set);
    else if (type === 10) set.id = value.u32('NFTA_SET_ID');
    else if (type === 11) set.timeout = value.u64('NFTA_SET_TIMEOUT');
    else if (type === 12) set.gcInterval = value.u32('NFTA_SET_GC_INTERVAL');
    else if (type === 13) set.userdata = readBytes(value);
    else if (type === 15) set.objectType = value.u32('NFTA_SET_OBJ_TYPE');
    else if (type === 16) set.handle = value.u64('NFTA_SET_HANDLE');
    else if (type === 20) set.count = value.u32('NFTA_SET_COUNT');
    else if (type === 17) expressions.push(decodeExpression(value));
    else if (type === 18) eachAttribute(value, (_type, item) => expressions.push(decodeExpression(item)));
  });
  if (expressions.length > 0) set.expressions = expressions;
  return set;
}

function decodeSize(r: Reader, set: Mutable<NftSet>): void {
  eachAttribute(r, (type, value) => {
    if (type === 1) set.size = value.u32('NFTA_SET_DESC_SIZE');
    else if (type === 2) {
      const fields: number[] = [];
      eachAttribute(value, (_type, field) => {
        eachAttribute(field, (inner, length) => {
          if (inner === 1) fields.push(length.u32('NFTA_SET_FIELD_LEN'));
        });
      });
      if (fields.length > 0) set.fields = fields;
    }
  });
}

/** What the kernel takes. */
export function encodeSet(w: Writer, set: NftSet): void {
  putString(w, 1, set.table);
  putString(w, 2, set.name);
  putU32(w, 3, encodeFlags(set.flags));
  putU32(w, 4, set.keyType);
  putU32(w, 5, set.keyLength);
  if (set.dataType !== undefined) putU32(w, 6, set.dataType);
  if (set.dataLength !== undefined) putU32(w, 7, set.dataLength);
  if (set.objectType !== undefined) putU32(w, 15, set.objectType);
  putU32(w, 10, set.id ?? 0);
  if (set.policy) putU32(w, 8, set.policy === 'memory' ? 1 : 0);
  if (set.size !== undefined || set.fields) {
    const nest = openNest(w, 9);
    if (set.size !== undefined) putU32(w, 1, set.size);
    if (set.fields) {
      const list = openNest(w, 2);
      for (const length of set.fields) {
        const field = openNest(w, 1);
        putU32(w, 1, length);
        closeAttribute(w, field);
      }
      closeAttribute(w, list);
    }
    closeAttribute(w, nest);
  }
  if (set.timeout !== undefined) putU64(w, 11, set.timeout);
  if (set.gcInterval !== undefined) putU32(w, 12, set.gcInterval);
  if (set.userdata) putBytes(w, 13, set.userdata);
  if (set.expressions) putExpressions(w, 17, 18, set.expressions);
}

export function encodeSetRef(w: Writer, set: SetRef): void {
  putString(w, 1, set.table);
  putString(w, 2, set.name);
}

/** One expression alone under `one`, several as a list under `many`. */
export function putExpressions(w: Writer, one: number, many: number, expressions: readonly Expression[]): void {
  const [only] = expressions;
  if (only === undefined) return;
  const nest = openNest(w, expressions.length === 1 ? one : many);
  if (expressions.length === 1) encodeExpression(w, only);
  else {
    for (const expression of expressions) {
      const item = openNest(w, 1);
      encodeExpression(w, expression);
      closeAttribute(w, item);
    }
  }
  closeAttribute(w, nest);
}

function decodeFlags(bits: number): SetFlags {
  const flags: Mutable<SetFlags> = {};
  for (const [name, bit] of FLAGS) if (bits & bit) flags[name] = true;
  return flags;
}

function encodeFlags(flags: SetFlags): number {
  let bits = 0;
  for (const [name, bit] of FLAGS) if (flags[name]) bits |= bit;
  return bits;
}

/** What nft recorded about a set; undefined for what it did not. */
export function describeSet(set: Pick<NftSet, 'userdata'>): SetDescription {
  const out: Mutable<SetDescription> = {};
  const order = (number: number | undefined): ByteOrder | undefined => (number === undefined ? undefined : BYTE_ORDERS[number]);
  for (const tlv of (set.userdata && decodeTlvs(set.userdata)) ?? []) {
    const keyOrder = tlv.type === 0 ? order(tlvU32(tlv)) : undefined;
    const dataOrder = tlv.type === 1 ? order(tlvU32(tlv)) : undefined;
    if (keyOrder) out.keyByteOrder = keyOrder;
    if (dataOrder) out.dataByteOrder = dataOrder;
    if (tlv.type === 2) out.mergeElements = tlvU32(tlv) === 1;
    if (tlv.type === 7) out.comment = tlvText(tlv);
  }
  return out;
}

export interface SetDefinition {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  /** One type, or several for a concatenation. */
  readonly key: SetTypeName | readonly SetTypeName[];
  /** Makes it a map. */
  readonly value?: SetTypeName | 'verdict';
  readonly interval?: boolean;
  readonly dynamic?: boolean;
  readonly constant?: boolean;
  readonly size?: number;
  /** Milliseconds; 0: each element says its own. */
  readonly timeout?: bigint;
  readonly mergeElements?: boolean;
  readonly comment?: string;
  readonly id?: number;
  readonly expressions?: readonly Expression[];
}

/** A set as nft would make it from `set NAME { type KEY; ... }`. */
export function defineSet(definition: SetDefinition): NftSet {
  const { family, table, name, value } = definition;
  const key: SetType = setType(...(typeof definition.key === 'string' ? [definition.key] : definition.key));
  const data = value === undefined || value === 'verdict' ? undefined : setType(value);
  const interval = definition.interval ?? false;
  return {
    family,
    table,
    name,
    flags: {
      ...(definition.constant ? { constant: true } : {}),
      ...(interval ? { interval: true } : {}),
      ...(interval && key.fields ? { concatenated: true } : {}),
      ...(value === undefined ? {} : { map: true }),
      ...(definition.timeout === undefined ? {} : { timeout: true }),
      ...(definition.dynamic ? { dynamic: true } : {}),
      ...((definition.expressions?.length ?? 0) > 1 ? { expressions: true } : {}),
    },
    keyType: key.type,
    keyLength: key.length,
    ...(value === 'verdict' ? { dataType: VERDICT_TYPE } : data ? { dataType: data.type, dataLength: data.length } : {}),
    ...(definition.size === undefined ? {} : { size: definition.size }),
    // The kernel takes the fields with the concatenated flag only.
    ...(interval && key.fields ? { fields: key.fields } : {}),
    ...(definition.timeout === undefined || definition.timeout === 0n ? {} : { timeout: definition.timeout }),
    ...(definition.id === undefined ? {} : { id: definition.id }),
    ...(definition.expressions ? { expressions: definition.expressions } : {}),
    userdata: encodeSetDescription({
      keyByteOrder: key.byteOrder,
      ...(data ? { dataByteOrder: data.byteOrder } : value === 'verdict' ? { dataByteOrder: 'none' as const } : {}),
      ...(definition.mergeElements ? { mergeElements: true } : {}),
      ...(definition.comment === undefined ? {} : { comment: definition.comment }),
    }),
  };
}
