import { bitsOf, compareIp, type Family, type Ip, parseIp, printIp } from './ip.ts';

declare const prefixBrand: unique symbol;
/** An address block whose host bits are zero. Made by `parsePrefix`, `prefix` and `makePrefix`. */
export type Prefix = Ip & { readonly length: number; readonly [prefixBrand]: true };

/** Why a text is not a prefix. `host-bits` carries the prefix that was probably meant. */
export type PrefixError =
  | { readonly kind: 'syntax' | 'length'; readonly message: string }
  | { readonly kind: 'host-bits'; readonly message: string; readonly masked: Prefix };

export type PrefixResult = { readonly ok: true; readonly prefix: Prefix } | { readonly ok: false; readonly error: PrefixError };

/** The 32-bit mask with `bits` leading ones; `bits` outside 0..32 is clamped. */
export function mask32(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}

/** The block of `length` bits that `ip` lies in: host bits are cleared. RangeError when the length does not fit the family. */
export function makePrefix(ip: Ip, length: number): Prefix {
  return prefixFromWords(ip.family, ip.w0, ip.w1, ip.w2, ip.w3, length);
}

/** As `makePrefix`, from words. */
export function prefixFromWords(family: Family, w0: number, w1: number, w2: number, w3: number, length: number): Prefix {
  if (!Number.isInteger(length) || length < 0 || length > bitsOf(family))
    throw new RangeError(`not an IPv${family} prefix length: ${length}`);
  const raw = {
    family,
    w0: (w0 & mask32(length)) >>> 0,
    w1: (w1 & mask32(length - 32)) >>> 0,
    w2: (w2 & mask32(length - 64)) >>> 0,
    w3: (w3 & mask32(length - 96)) >>> 0,
    length,
  };
  return raw as Prefix;
}

/** `192.0.2.0/24`, `2001:db8::/32`; an address alone is a host prefix. Host bits that are set are an error of their own kind. */
export function parsePrefix(text: string): PrefixResult {
  const slash = text.indexOf('/');
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (!ip) return { ok: false, error: { kind: 'syntax', message: `not an address or prefix: ${text}` } };
  const bits = bitsOf(ip.family);
  if (slash < 0) return { ok: true, prefix: makePrefix(ip, bits) };
  const tail = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(tail) || Number(tail) > bits) {
    return { ok: false, error: { kind: 'length', message: `prefix length must be 0-${bits}: ${text}` } };
  }
  const prefix = makePrefix(ip, Number(tail));
  if (compareIp(prefix, ip) !== 0) {
    return {
      ok: false,
      error: { kind: 'host-bits', message: `host bits are set in ${text}; the prefix is ${printPrefix(prefix)}`, masked: prefix },
    };
  }
  return { ok: true, prefix };
}

/** A prefix from text known to be one (constants, tests); throws RangeError otherwise. */
export function prefix(text: string): Prefix {
  const result = parsePrefix(text);
  if (!result.ok) throw new RangeError(result.error.message);
  return result.prefix;
}

/** Always with its length: `192.0.2.1/32`. */
export function printPrefix(p: Prefix): string {
  return `${printIp(p)}/${p.length}`;
}

export function isHost(p: Prefix): boolean {
  return p.length === bitsOf(p.family);
}

/** Whether every address of `inner` (an address or a prefix) lies in `outer`. */
export function covers(outer: Prefix, inner: Ip & { readonly length?: number }): boolean {
  if (outer.family !== inner.family || outer.length > (inner.length ?? bitsOf(inner.family))) return false;
  const n = outer.length;
  return (
    (inner.w0 & mask32(n)) >>> 0 === outer.w0 &&
    (inner.w1 & mask32(n - 32)) >>> 0 === outer.w1 &&
    (inner.w2 & mask32(n - 64)) >>> 0 === outer.w2 &&
    (inner.w3 & mask32(n - 96)) >>> 0 === outer.w3
  );
}

/** Whether two prefixes share an address: one covers the other. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? covers(a, b) : covers(b, a);
}

export function equalPrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && compareIp(a, b) === 0;
}

/** Order by family, first address, then shorter prefixes first: a cover comes before what it covers. */
export function comparePrefix(a: Prefix, b: Prefix): number {
  return compareIp(a, b) || a.length - b.length;
}

/** The last address of the block. */
export function lastIp(p: Prefix): Ip {
  const n = p.length;
  const fill = (w: number, bits: number): number => (w | ~mask32(bits)) >>> 0;
  if (p.family === 4) return { family: 4, w0: fill(p.w0, n), w1: 0, w2: 0, w3: 0 };
  return { family: 6, w0: fill(p.w0, n), w1: fill(p.w1, n - 32), w2: fill(p.w2, n - 64), w3: fill(p.w3, n - 96) };
}
