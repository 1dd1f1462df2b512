import type { Reader, Writer } from '@weir/wire/bytes';
import { eachAttribute, putBytes, putString, putU8, putU16, putU32, putU64, readBytes, readString } from '../../message/index.ts';
import { type Data, decodeData, encodeData } from '../data.ts';

/** An expression that this package does not know, or one that it knows with something in it that it does not: kept as it came. */
export interface UnknownExpression {
  readonly kind: 'unknown';
  readonly name: string;
  /** NFTA_EXPR_DATA. */
  readonly bytes: Uint8Array;
}

/** Reads and writes the data of one kind of expression. The kind is the kernel's name of it. */
export interface ExpressionCodec<T extends { readonly kind: string }> {
  readonly kind: T['kind'];
  /** Undefined when the data holds what this codec does not know; the expression is then kept as unknown. */
  decode(r: Reader): T | undefined;
  encode(w: Writer, expression: T): void;
}

/** One type of attribute value. `decode` gives undefined for a value without a name. */
export interface ValueCodec<V> {
  decode(r: Reader): V | undefined;
  encode(w: Writer, type: number, value: V): void;
}

/** Which attribute carries a property. A property that is not `required` may be missing, and is left out when it has the kernel's `standard` value. */
export type Attribute<T> = {
  [K in Exclude<keyof T, 'kind'> & string]: {
    readonly type: number;
    readonly property: K;
    readonly value: ValueCodec<Exclude<T[K], undefined>>;
    readonly required?: boolean;
    readonly standard?: Exclude<T[K], undefined>;
  };
}[Exclude<keyof T, 'kind'> & string];

/** An attribute for `expression`. */
export function expression<T extends { readonly kind: string }>(kind: T['kind'], attributes: readonly Attribute<T>[]): ExpressionCodec<T> {
  interface Loose {
    readonly type: number;
    readonly property: string;
    readonly value: ValueCodec<unknown>;
    readonly required?: boolean;
    readonly standard?: unknown;
  }
  const table = attributes as unknown as readonly Loose[];
  const byType = new Map(table.map((attribute) => [attribute.type, attribute]));
  return {
    kind,
    decode(r) {
      const out: Record<string, unknown> = { kind };
      let known = true;
      eachAttribute(r, (type, value) => {
        const attribute = byType.get(type);
        const decoded = attribute?.value.decode(value);
        if (!attribute || decoded === undefined || !value.done) known = false;
        else if (attribute.standard === undefined || decoded !== attribute.standard) out[attribute.property] = decoded;
      });
      if (!known || table.some((attribute) => attribute.required && out[attribute.property] === undefined)) return undefined;
      return out as unknown as T;
    },
    encode(w, value) {
      const properties = value as unknown as Readonly<Record<string, unknown>>;
      for (const attribute of table) {
        const property = properties[attribute.property];
        if (property !== undefined) attribute.value.encode(w, attribute.type, property);
      }
    },
  };
}

export const u8: ValueCodec<number> = { decode: (r) => exactly(r, 1)?.u8(), encode: putU8 };
export const u16: ValueCodec<number> = { decode: (r) => exactly(r, 2)?.u16(), encode: putU16 };
export const u32: ValueCodec<number> = { decode: (r) => exactly(r, 4)?.u32(), encode: putU32 };
export const u64: ValueCodec<bigint> = { decode: (r) => exactly(r, 8)?.u64(), encode: putU64 };
export const text: ValueCodec<string> = { decode: readString, encode: putString };
export const bytes: ValueCodec<Uint8Array> = { decode: readBytes, encode: putBytes };
export const data: ValueCodec<Data> = { decode: decodeData, encode: encodeData };

/** NFTA_DATA_VALUE only: for expressions that take no verdict. */
export const value: ValueCodec<Uint8Array> = {
  decode(r) {
    const found = decodeData(r);
    return found.kind === 'value' ? found.bytes : undefined;
  },
  encode: (w, type, found) => encodeData(w, type, { kind: 'value', bytes: found }),
};

/** A number that has a name for each value, in the order of the names. */
export function names<N extends string>(list: readonly N[], wire: ValueCodec<number> = u32): ValueCodec<N> {
  return {
    decode(r) {
      const number = wire.decode(r);
      return number === undefined ? undefined : list[number];
    },
    encode: (w, type, name) => wire.encode(w, type, list.indexOf(name)),
  };
}

/** A single flag: other bits are not known. */
export function flag(bit: number, wire: ValueCodec<number> = u32): ValueCodec<boolean> {
  return {
    decode(r) {
      const bits = wire.decode(r);
      return bits === bit ? true : bits === 0 ? false : undefined;
    },
    encode: (w, type, set) => wire.encode(w, type, set ? bit : 0),
  };
}

function exactly(r: Reader, length: number): Reader | undefined {
  return r.remaining === length ? r : undefined;
}
