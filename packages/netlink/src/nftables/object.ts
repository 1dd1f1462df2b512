import type { Reader } from '@weir/wire/bytes';
import { eachAttribute, readBytes, readString } from '../message/index.ts';
import type { NftFamily } from './family.ts';

/** A named counter, quota, limit or other stateful object. Its data is kept as it came. */
export interface NftObject {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  /** NFT_OBJECT_*: 1 counter, 2 quota, 3 helper, 4 limit, 5 connlimit, 6 tunnel, 7 timeout, 8 secmark, 9 expectation, 10 synproxy. */
  readonly type: number;
  readonly handle?: bigint;
  readonly use?: number;
  readonly bytes: Uint8Array;
}

/** The attributes of NEWOBJ. */
export function decodeObject(family: NftFamily, r: Reader): NftObject {
  const object: { -readonly [K in keyof NftObject]: NftObject[K] } = { family, table: '', name: '', type: 0, bytes: new Uint8Array(0) };
  eachAttribute(r, (type, value) => {
    if (type === 1) object.table = readString(value);
    else if (type === 2) object.name = readString(value);
    else if (type === 3) object.type = value.u32('NFTA_OBJ_TYPE');
    else if (type === 4) object.bytes = readBytes(value);
    else if (type === 5) object.use = value.u32('NFTA_OBJ_USE');
    else if (type === 6) object.handle = value.u64('NFTA_OBJ_HANDLE');
  });
  return object;
}
