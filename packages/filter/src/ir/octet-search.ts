/** Failure tables of needles that were searched for. */
const tables = new WeakMap<Uint8Array, Int32Array>();

/**
 * Where `needle` first stands in the octets at `from` or later; -1 when nowhere. Linear in both (Knuth, Morris, Pratt): what is searched is an attacker's. The
 * needle must not change afterwards.
 */
export function findOctets(octets: Uint8Array, needle: Uint8Array, from = 0): number {
  const first = needle[0];
  if (first === undefined) return from;
  if (needle.length === 1) return octets.indexOf(first, from);
  let at = octets.indexOf(first, from);
  if (at < 0 || at + needle.length > octets.length) return -1;
  const table = failures(needle);
  let matched = 0;
  for (; at < octets.length; at++) {
    const octet = octets[at];
    while (matched > 0 && needle[matched] !== octet) matched = table[matched - 1] ?? 0;
    if (needle[matched] === octet) matched++;
    if (matched === needle.length) return at - matched + 1;
  }
  return -1;
}

/** For each length of a matched part, the longest shorter one that it ends with. */
function failures(needle: Uint8Array): Int32Array {
  const known = tables.get(needle);
  if (known) return known;
  const table = new Int32Array(needle.length);
  let length = 0;
  for (let i = 1; i < needle.length; i++) {
    while (length > 0 && needle[length] !== needle[i]) length = table[length - 1] ?? 0;
    if (needle[length] === needle[i]) length++;
    table[i] = length;
  }
  tables.set(needle, table);
  return table;
}

export function startsWith(octets: Uint8Array, start: Uint8Array): boolean {
  return start.length <= octets.length && sameAt(octets, 0, start);
}

export function endsWith(octets: Uint8Array, end: Uint8Array): boolean {
  return end.length <= octets.length && sameAt(octets, octets.length - end.length, end);
}

function sameAt(octets: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let i = 0; i < part.length; i++) if (octets[at + i] !== part[i]) return false;
  return true;
}

/** ASCII letters made small. */
export function lowerOctets(octets: Uint8Array): Uint8Array {
  return octets.map((c) => (c >= 0x41 && c <= 0x5a ? c + 32 : c));
}

/** ASCII letters made capital. */
export function upperOctets(octets: Uint8Array): Uint8Array {
  return octets.map((c) => (c >= 0x61 && c <= 0x7a ? c - 32 : c));
}
