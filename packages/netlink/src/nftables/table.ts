import type { Reader, Writer } from '@weir/wire/bytes';
import { eachAttribute, putBytes, putString, putU32, readBytes, readString } from '../message/index.ts';
import type { NftFamily } from './family.ts';
import { type Commented, decodeComment, encodeComment } from './userdata.ts';

/** NFT_TABLE_F_*. A dormant table's chains see no packets. An owned table is changed by its owner's socket only; it dies with it unless `persist`. */
export interface TableFlags {
  readonly dormant?: boolean;
  readonly owner?: boolean;
  /** Linux 6.9. */
  readonly persist?: boolean;
}

export interface Table extends Commented {
  readonly family: NftFamily;
  readonly name: string;
  readonly flags?: TableFlags;
  /** What the kernel adds: its number, how many objects are in it, the port id of the socket that owns it. */
  readonly handle?: bigint;
  readonly use?: number;
  readonly ownerPortId?: number;
}

export interface TableRef {
  readonly family: NftFamily;
  readonly name: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes of NEWTABLE. */
export function decodeTable(family: NftFamily, r: Reader): Table {
  const table: Mutable<Table> = { family, name: '' };
  let userdata: Uint8Array | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) table.name = readString(value);
    else if (type === 2) table.flags = decodeFlags(value.u32('NFTA_TABLE_FLAGS'));
    else if (type === 3) table.use = value.u32('NFTA_TABLE_USE');
    else if (type === 4) table.handle = value.u64('NFTA_TABLE_HANDLE');
    else if (type === 6) userdata = readBytes(value);
    else if (type === 7) table.ownerPortId = value.u32('NFTA_TABLE_OWNER');
  });
  if (userdata) Object.assign(table, decodeComment(userdata));
  return table;
}

/** What the kernel takes: name, flags, user data. */
export function encodeTable(w: Writer, table: Table): void {
  putString(w, 1, table.name);
  if (table.flags) putU32(w, 2, encodeFlags(table.flags));
  const userdata = encodeComment(table);
  if (userdata) putBytes(w, 6, userdata);
}

export function encodeTableRef(w: Writer, table: { readonly name: string; readonly handle?: bigint }): void {
  putString(w, 1, table.name);
}

function decodeFlags(bits: number): TableFlags {
  return {
    ...(bits & 1 ? { dormant: true } : {}),
    ...(bits & 2 ? { owner: true } : {}),
    ...(bits & 4 ? { persist: true } : {}),
  };
}

function encodeFlags(flags: TableFlags): number {
  return (flags.dormant ? 1 : 0) | (flags.owner ? 2 : 0) | (flags.persist ? 4 : 0);
}
