import type { Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest, putBytes, putString, putU32, putU64, readBytes, readString } from '../message/index.ts';
import { type Data, decodeData, encodeData } from './data.ts';
import { decodeExpression, type Expression } from './expr/index.ts';
import { putExpressions } from './set.ts';
import { type Commented, decodeComment, encodeComment } from './userdata.ts';

/**
 * An element of a set or map. A range in an interval set is two of them: its first key, and the key after its last with `intervalEnd`; the second is left out
 * for a range up to the highest key. In concatenated interval sets a range is one element with an inclusive `keyEnd`.
 */
export interface SetElement extends Commented {
  /** Network order; absent for the catch-all element. */
  readonly key?: Uint8Array;
  readonly keyEnd?: Uint8Array;
  readonly intervalEnd?: boolean;
  readonly catchall?: boolean;
  /** Of maps. */
  readonly data?: Data;
  /** Of maps to named objects. */
  readonly object?: string;
  /** Milliseconds: of its life, and what is left of it. */
  readonly timeout?: bigint;
  readonly expiration?: bigint;
  readonly expressions?: readonly Expression[];
}

const INTERVAL_END = 1;
const CATCHALL = 2;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attributes of one element. */
export function decodeElement(r: Reader): SetElement {
  const element: Mutable<SetElement> = {};
  const expressions: Expression[] = [];
  let userdata: Uint8Array | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) element.key = bytesOf(value);
    else if (type === 2) element.data = decodeData(value);
    else if (type === 3) {
      const flags = value.u32('NFTA_SET_ELEM_FLAGS');
      if (flags & INTERVAL_END) element.intervalEnd = true;
      if (flags & CATCHALL) element.catchall = true;
    } else if (type === 4) element.timeout = value.u64('NFTA_SET_ELEM_TIMEOUT');
    else if (type === 5) element.expiration = value.u64('NFTA_SET_ELEM_EXPIRATION');
    else if (type === 6) userdata = readBytes(value);
    else if (type === 7) expressions.push(decodeExpression(value));
    else if (type === 9) element.object = readString(value);
    else if (type === 10) element.keyEnd = bytesOf(value);
    else if (type === 11) eachAttribute(value, (_type, item) => expressions.push(decodeExpression(item)));
  });
  if (userdata) Object.assign(element, decodeComment(userdata));
  if (expressions.length > 0) element.expressions = expressions;
  return element;
}

/** What the kernel takes. */
export function encodeElement(w: Writer, element: SetElement): void {
  if (element.key) encodeData(w, 1, { kind: 'value', bytes: element.key });
  if (element.keyEnd) encodeData(w, 10, { kind: 'value', bytes: element.keyEnd });
  if (element.data) encodeData(w, 2, element.data);
  const flags = (element.intervalEnd ? INTERVAL_END : 0) | (element.catchall ? CATCHALL : 0);
  if (flags !== 0) putU32(w, 3, flags);
  if (element.timeout !== undefined) putU64(w, 4, element.timeout);
  if (element.expiration !== undefined) putU64(w, 5, element.expiration);
  if (element.object !== undefined) putString(w, 9, element.object);
  const userdata = encodeComment(element);
  if (userdata) putBytes(w, 6, userdata);
  if (element.expressions) putExpressions(w, 7, 11, element.expressions);
}

function bytesOf(r: Reader): Uint8Array {
  const data = decodeData(r);
  return data.kind === 'value' ? data.bytes : new Uint8Array(0);
}

/** The attributes of NEWSETELEM: whose elements they are, and the elements. */
export function decodeElementList(r: Reader): { readonly table: string; readonly set: string; readonly elements: readonly SetElement[] } {
  let table = '';
  let set = '';
  const elements: SetElement[] = [];
  eachAttribute(r, (type, value) => {
    if (type === 1) table = readString(value);
    else if (type === 2) set = readString(value);
    else if (type === 3) eachAttribute(value, (_type, item) => elements.push(decodeElement(item)));
  });
  return { table, set, elements };
}

/**
 * Writes as many elements from `from` on as one ELEMENTS attribute holds (65,535 bytes); returns the index of the first that was left. RangeError for
 * an element that is too long by itself.
 */
export function encodeElements(w: Writer, target: ElementTarget, elements: readonly SetElement[], from: number): number {
  encodeTarget(w, target);
  const list = openNest(w, 3);
  let next = from;
  for (; next < elements.length; next++) {
    const before = w.length;
    const item = openNest(w, 1);
    encodeElement(w, elements[next] as SetElement);
    closeAttribute(w, item);
    if (w.length - list > 0xffff) {
      if (next === from) throw new RangeError(`element ${from} does not fit a message`);
      w.truncate(before);
      break;
    }
  }
  closeAttribute(w, list);
  return next;
}

/** Whose elements a message is about. `setId` names a set of the same transaction. */
export interface ElementTarget {
  readonly table: string;
  readonly set: string;
  readonly setId?: number;
}

export function encodeTarget(w: Writer, target: ElementTarget): void {
  putString(w, 1, target.table);
  putString(w, 2, target.set);
  if (target.setId !== undefined) putU32(w, 4, target.setId);
}
