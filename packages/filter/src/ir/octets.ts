/** Octets in lexicographic order, as `<` of the language has it. */
export function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareOctets(a, b) === 0;
}

/** Each octet as the character of its number (Latin-1): a key for maps. */
export function octetsKey(octets: Uint8Array): string {
  let key = '';
  for (const octet of octets) key += String.fromCharCode(octet);
  return key;
}

/** The octets of a key, or of text that is ASCII. */
export function keyOctets(key: string): Uint8Array {
  const octets = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) octets[i] = key.charCodeAt(i);
  return octets;
}

/** In order and without repeats. */
export function octetSet(values: Iterable<Uint8Array>): readonly Uint8Array[] {
  const sorted = [...values].sort(compareOctets);
  return sorted.filter((value, i) => i === 0 || compareOctets(value, sorted[i - 1] ?? value) !== 0);
}
