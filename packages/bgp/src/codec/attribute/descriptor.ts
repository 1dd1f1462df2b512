import { DecodeError, type Writer } from '@weir/wire/bytes';
import type { PathAttributes, SessionContext } from '../types.ts';

/** Attribute flag bits (RFC 4271 section 4.3). */
export const AttributeFlag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;

export const WELL_KNOWN: number = AttributeFlag.transitive;
export const OPTIONAL: number = AttributeFlag.optional;
export const OPTIONAL_TRANSITIVE: number = AttributeFlag.optional | AttributeFlag.transitive;

/** Attributes under construction. */
export type MutableAttributes = { -readonly [K in keyof PathAttributes]: PathAttributes[K] };

/** What an attribute looks like as JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** An attribute's value that is not as its specification says; `subcode` is the UPDATE Message Error that names it, were it to end the session. */
export class MalformedAttribute extends DecodeError {
  override readonly code: string = 'BGP_ATTRIBUTE';
  readonly subcode: number;
  /** Where another section than the descriptor's names the error. */
  readonly rfc: string | undefined;

  constructor(message: string, offset: number, subcode: number, rfc?: string) {
    super(message, offset, 'path attribute');
    this.name = 'MalformedAttribute';
    this.subcode = subcode;
    this.rfc = rfc;
  }
}

/** The two actions that a malformed attribute of the table leads to. MP_REACH_NLRI and MP_UNREACH_NLRI are not in the table. */
export type AttributeAction = 'attribute-discard' | 'treat-as-withdraw';

export interface AttributeSpec<K extends keyof PathAttributes> {
  readonly type: number;
  /** As in the specification. */
  readonly name: string;
  /** Its place in PathAttributes and in JSON. */
  readonly key: K;
  /** The Optional and Transitive bits that it must have. */
  readonly flags: number;
  /** What a malformed one leads to, and where that is said. */
  readonly malformed: AttributeAction;
  readonly rfc: string;
  /** What wrong Optional or Transitive bits lead to; RFC 7606 section 3 (c) where absent. */
  readonly wrongFlags?: { readonly action: AttributeAction; readonly rfc: string };
  /** Why this attribute is not used on a session of this kind and is discarded unread, or undefined. */
  readonly unwanted?: (context: SessionContext) => { readonly reason: string; readonly rfc: string } | undefined;
  /** Reads the value in [start, end). Throws MalformedAttribute. */
  readonly decode: (bytes: Uint8Array, start: number, end: number, context: SessionContext) => NonNullable<PathAttributes[K]>;
  /** Writes the value alone. */
  readonly encode: (w: Writer, value: NonNullable<PathAttributes[K]>, context: SessionContext) => void;
  /** What is to be written, where that is not simply the attribute of this key. */
  readonly derive?: (attributes: PathAttributes, context: SessionContext) => PathAttributes[K];
  readonly toJson: (value: NonNullable<PathAttributes[K]>) => Json;
}

/** One row of the attribute table. */
export interface AttributeDescriptor
  extends Pick<AttributeSpec<never>, 'type' | 'name' | 'flags' | 'malformed' | 'rfc' | 'wrongFlags' | 'unwanted'> {
  readonly key: keyof PathAttributes;
  /** Decodes the value in [start, end) into `out`. Throws MalformedAttribute. */
  readonly read: (out: MutableAttributes, bytes: Uint8Array, start: number, end: number, context: SessionContext) => void;
  /** Writes flags, type, length and value where `attributes` has it. RangeError when the value is over 65,535 octets. */
  readonly write: (w: Writer, attributes: PathAttributes, context: SessionContext) => void;
  /** The value as JSON, or undefined where `attributes` has none. */
  readonly print: (attributes: PathAttributes) => Json | undefined;
}

export function attribute<K extends keyof PathAttributes>(spec: AttributeSpec<K>): AttributeDescriptor {
  const { key, decode, encode, derive, toJson, ...rest } = spec;
  return {
    ...rest,
    key,
    read(out, bytes, start, end, context) {
      out[key] = decode(bytes, start, end, context);
    },
    write(w, attributes, context) {
      const value = derive ? derive(attributes, context) : attributes[key];
      if (value === undefined || value === null) return;
      writeAttribute(w, spec.flags, spec.type, () => encode(w, value as NonNullable<PathAttributes[K]>, context));
    },
    print(attributes) {
      const value = attributes[key];
      return value === undefined ? undefined : toJson(value as NonNullable<PathAttributes[K]>);
    },
  };
}

/** Flags, type, length and what `body` writes; the length takes two octets where it must or where `flags` has Extended Length. */
export function writeAttribute(w: Writer, flags: number, type: number, body: () => void): void {
  const start = w.length;
  w.u8(flags | AttributeFlag.extendedLength)
    .u8(type)
    .u16(0);
  body();
  const length = w.length - start - 4;
  if (length > 0xffff) {
    w.truncate(start);
    throw new RangeError(`attribute ${type} of ${length} octets`);
  }
  if (length > 255 || (flags & AttributeFlag.extendedLength) !== 0) {
    w.setU16(start + 2, length);
    return;
  }
  const value = w.view().slice(start + 4);
  w.truncate(start);
  w.u8(flags).u8(type).u8(length).bytes(value);
}

/** The 32-bit number at `at`, unsigned. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  );
}
