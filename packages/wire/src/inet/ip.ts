import type { Reader, Writer } from '../bytes/index.ts';

/** 4 for IPv4, 6 for IPv6. */
export type Family = 4 | 6;

/**
 * An address as unsigned 32-bit words in network order. IPv4 lives in `w0`, the rest is zero; IPv6 fills all four.
 * Plain data: compare with `equalIp`, print with `printIp`.
 */
export interface Ip {
  readonly family: Family;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** 32 or 128. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

export function ip4(w0: number): Ip {
  return { family: 4, w0: w0 >>> 0, w1: 0, w2: 0, w3: 0 };
}

export function ip6(w0: number, w1: number, w2: number, w3: number): Ip {
  return { family: 6, w0: w0 >>> 0, w1: w1 >>> 0, w2: w2 >>> 0, w3: w3 >>> 0 };
}

/** Strict text form: dotted quad with four decimal octets without leading zeros, or RFC 4291 section 2.2; no zone. Undefined otherwise. */
export function parseIp(text: string): Ip | undefined {
  if (text.includes(':')) {
    const words = parse6(text);
    return words && ip6(words[0], words[1], words[2], words[3]);
  }
  const w0 = parse4(text);
  return w0 === undefined ? undefined : ip4(w0);
}

/** An address from text known to be one (constants, tests); throws RangeError otherwise. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (!parsed) throw new RangeError(`not an address: ${text}`);
  return parsed;
}

function parse4(text: string): number | undefined {
  let value = 0;
  let octets = 0;
  let octet = -1;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 0x2e;
    if (c === 0x2e) {
      if (octet < 0 || octets === 4) return undefined;
      value = value * 256 + octet;
      octets++;
      octet = -1;
    } else if (c >= 0x30 && c <= 0x39) {
      if (octet === 0) return undefined;
      octet = octet < 0 ? c - 0x30 : octet * 10 + c - 0x30;
      if (octet > 255) return undefined;
    } else return undefined;
  }
  return octets === 4 ? value : undefined;
}

function parse6(text: string): [number, number, number, number] | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => (all[i] ?? 0) * 65536 + (all[i + 1] ?? 0);
  return [word(0), word(2), word(4), word(6)];
}

/** 16-bit groups of one side of `::`; a dotted quad may end the last side. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return last ? [] : [];
  const out: number[] = [];
  const parts = text.split(':');
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] ?? '';
    if (last && i === parts.length - 1 && part.includes('.')) {
      const quad = parse4(part);
      if (quad === undefined) return undefined;
      out.push(Math.floor(quad / 65536), quad & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) out.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return out.length <= 8 ? out : undefined;
}

/** Canonical text: dotted quad, or RFC 5952 (IPv4-mapped addresses as `::ffff:192.0.2.1`). */
export function printIp(ip: Ip): string {
  return ip.family === 4 ? print4(ip.w0) : print6(ip.w0, ip.w1, ip.w2, ip.w3);
}

function print4(w: number): string {
  return `${w >>> 24}.${(w >>> 16) & 255}.${(w >>> 8) & 255}.${w & 255}`;
}

function print6(w0: number, w1: number, w2: number, w3: number): string {
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return `::ffff:${print4(w3)}`;
  const g = [w0 >>> 16, w0 & 0xffff, w1 >>> 16, w1 & 0xffff, w2 >>> 16, w2 & 0xffff, w3 >>> 16, w3 & 0xffff];
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && g[j] === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
    if (j > i) i = j;
  }
  const hex = (part: number[]): string => part.map((x) => x.toString(16)).join(':');
  if (bestStart < 0) return hex(g);
  return `${hex(g.slice(0, bestStart))}::${hex(g.slice(bestStart + bestLength))}`;
}

export function equalIp(a: Ip, b: Ip): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

/** Order by family, then numerically. */
export function compareIp(a: Ip, b: Ip): number {
  return a.family - b.family || a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3;
}

/** 4 or 16 bytes in network order. */
export function decodeIp(r: Reader, family: Family, field = 'address'): Ip {
  if (family === 4) return ip4(r.u32(field));
  const s = r.sub(16, field);
  return ip6(s.u32(), s.u32(), s.u32(), s.u32());
}

export function encodeIp(w: Writer, ip: Ip): void {
  w.u32(ip.w0);
  if (ip.family === 6) w.u32(ip.w1).u32(ip.w2).u32(ip.w3);
}

/** 4 or 16 bytes, newly made. */
export function ipBytes(ip: Ip): Uint8Array {
  const out = new Uint8Array(ip.family === 4 ? 4 : 16);
  const view = new DataView(out.buffer);
  view.setUint32(0, ip.w0);
  if (ip.family === 6) {
    view.setUint32(4, ip.w1);
    view.setUint32(8, ip.w2);
    view.setUint32(12, ip.w3);
  }
  return out;
}
