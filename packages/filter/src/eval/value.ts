import type { Ip } from '@weir/wire/inet';
import type { Int } from '../scheme/index.ts';

/** A value of a field. Maps have octets as text (Latin-1) for keys. */
export type Value = boolean | Int | Ip | Uint8Array | readonly Value[] | ReadonlyMap<string, Value>;

/** What an expression is evaluated against. Undefined is a missing value. */
export interface Subject {
  field(name: string): Value | undefined;
  /** `bit_slice`; undefined when the bits are not all there. */
  slice(protocol: string, start: number, end: number): number | undefined;
  /** The same with another codepoint in its IP header; absent for what has none. */
  withDscp?(dscp: number): Subject;
}

/** Membership in the named sets that `$name` refers to. */
export interface Lists {
  has(list: string, value: Value): boolean;
}
