import { Reader, Writer } from '@weir/wire/bytes';

/**
 * User data: bytes that the kernel keeps for user space and never reads. nft writes TLVs (type u8, length u8, value), integers in host order.
 * Types that are not understood are kept as they are.
 */
export interface Tlv {
  readonly type: number;
  readonly bytes: Uint8Array;
}

const TEXT = new TextEncoder();
const UTF8 = new TextDecoder();

/** nft refuses longer comments; with its NUL. */
const MAX_COMMENT = 128;

/** The TLVs of user data that another program may have written: undefined when it is not TLVs. */
export function decodeTlvs(bytes: Uint8Array): readonly Tlv[] | undefined {
  const r = new Reader(bytes);
  const out: Tlv[] = [];
  while (!r.done) {
    if (r.remaining < 2) return undefined;
    const type = r.u8();
    const length = r.u8();
    if (length > r.remaining) return undefined;
    out.push({ type, bytes: r.take(length).slice() });
  }
  return out;
}

/** RangeError when a value is longer than 255 bytes. */
export function encodeTlvs(tlvs: readonly Tlv[]): Uint8Array {
  const w = new Writer(64);
  for (const { type, bytes } of tlvs) {
    if (bytes.length > 255) throw new RangeError(`user data of ${bytes.length} bytes: at most 255`);
    w.u8(type).u8(bytes.length).bytes(bytes);
  }
  return w.finish();
}

/** A TLV with text and its NUL. RangeError past 127 bytes. */
export function textTlv(type: number, text: string): Tlv {
  const bytes = TEXT.encode(`${text}\0`);
  if (bytes.length > MAX_COMMENT) throw new RangeError(`a comment of ${bytes.length - 1} bytes: at most ${MAX_COMMENT - 1}`);
  if (text.includes('\0')) throw new RangeError('a comment with a NUL character');
  return { type, bytes };
}

export function u32Tlv(type: number, value: number): Tlv {
  return { type, bytes: new Writer(4).u32LE(value).finish() };
}

export function tlvText(tlv: Tlv): string {
  const end = tlv.bytes.indexOf(0);
  return UTF8.decode(end < 0 ? tlv.bytes : tlv.bytes.subarray(0, end));
}

export function tlvU32(tlv: Tlv): number | undefined {
  return tlv.bytes.length === 4 ? new Reader(tlv.bytes).u32LE() : undefined;
}

/** What an object says about itself: a comment where its user data is nft's and holds nothing else, else the raw bytes. */
export interface Commented {
  readonly comment?: string;
  /** User data that is more than a comment; it is written in place of the comment when both are there. */
  readonly userdata?: Uint8Array;
}

/** Comment of a table, chain, rule or element: type 0 in the four. */
export function decodeComment(bytes: Uint8Array): Commented {
  const tlvs = decodeTlvs(bytes);
  const only = tlvs?.length === 1 ? tlvs[0] : undefined;
  if (only?.type === 0 && isPlainText(only)) return { comment: tlvText(only) };
  const found = tlvs?.find((tlv) => tlv.type === 0);
  return { userdata: bytes, ...(found ? { comment: tlvText(found) } : {}) };
}

/** Whether encoding the text again gives the same bytes. */
function isPlainText(tlv: Tlv): boolean {
  const again = TEXT.encode(`${tlvText(tlv)}\0`);
  return again.length <= MAX_COMMENT && again.length === tlv.bytes.length && again.every((b, i) => b === tlv.bytes[i]);
}

export function encodeComment(object: Commented): Uint8Array | undefined {
  if (object.userdata) return object.userdata;
  return object.comment === undefined ? undefined : encodeTlvs([textTlv(0, object.comment)]);
}
