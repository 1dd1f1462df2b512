declare const asnBrand: unique symbol;
/** An autonomous system number, 0-4294967295 (RFC 6793). Made by `parseAsn` and `asn`. */
export type Asn = number & { readonly [asnBrand]: true };

/** AS_TRANS (RFC 6793 section 9): stands for a 4-octet AS in a 2-octet field. */
export const AS_TRANS: Asn = 23456 as Asn;

/** An Asn from an integer that is already known to be one; RangeError otherwise. */
export function asn(value: number): Asn {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new RangeError(`not an AS number: ${value}`);
  return value as Asn;
}

/** Text in asplain (`4200000001`) or asdot (`64086.59905`), RFC 5396; undefined when it is neither. */
export function parseAsn(text: string): Asn | undefined {
  if (/^\d{1,10}$/.test(text)) {
    const value = Number(text);
    return value <= 0xffffffff ? (value as Asn) : undefined;
  }
  const dot = /^(\d{1,5})\.(\d{1,5})$/.exec(text);
  if (!dot) return undefined;
  const high = Number(dot[1]);
  const low = Number(dot[2]);
  return high <= 0xffff && low <= 0xffff ? ((high * 65536 + low) as Asn) : undefined;
}
