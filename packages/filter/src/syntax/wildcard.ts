const STAR = 0x2a;
const BACKSLASH = 0x5c;

/** The pieces between the stars, unescaped: one more than there are stars. Or what is wrong, with the octet where it is. */
export type WildcardResult = { readonly parts: readonly Uint8Array[] } | { readonly message: string; readonly at: number };

/** A wildcard pattern is for the whole value: `*` is any run of octets, `\*` and `\\` are themselves, nothing else is escaped, and `**` is refused. */
export function parseWildcard(pattern: Uint8Array): WildcardResult {
  const parts: Uint8Array[] = [];
  let part: number[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const octet = pattern[i] ?? 0;
    if (octet === STAR) {
      if (pattern[i + 1] === STAR) return { message: 'a wildcard has no two stars in a row', at: i };
      parts.push(Uint8Array.from(part));
      part = [];
    } else if (octet === BACKSLASH) {
      const next = pattern[++i];
      if (next !== STAR && next !== BACKSLASH) return { message: 'in a wildcard \\ stands only before * and \\', at: i - 1 };
      part.push(next);
    } else part.push(octet);
  }
  parts.push(Uint8Array.from(part));
  return { parts };
}
