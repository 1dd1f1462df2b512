/** The type of a field, function or literal (Wirefilter's names). */
export type Type =
  | { readonly kind: 'Bool' }
  | { readonly kind: 'Int' }
  | { readonly kind: 'Ip' }
  | { readonly kind: 'Bytes' }
  | { readonly kind: 'Array'; readonly of: Type }
  | { readonly kind: 'Map'; readonly of: Type };

export const BOOL: Type = { kind: 'Bool' };
export const INT: Type = { kind: 'Int' };
export const IP: Type = { kind: 'Ip' };
export const BYTES: Type = { kind: 'Bytes' };

/** As scheme files and messages write it: `Bool`, `Array(Map(Bytes))`. */
export function printType(type: Type): string {
  return type.kind === 'Array' || type.kind === 'Map' ? `${type.kind}(${printType(type.of)})` : type.kind;
}

export function equalType(a: Type, b: Type): boolean {
  if (a.kind === 'Array' || a.kind === 'Map') return b.kind === a.kind && equalType(a.of, b.of);
  return a.kind === b.kind;
}

/** Nesting of a type as text; deeper is refused. */
const MAX_NESTING = 16;

/** `undefined` for what is not a type. */
export function parseType(text: string, depth = 0): Type | undefined {
  switch (text) {
    case 'Bool':
      return BOOL;
    case 'Int':
      return INT;
    case 'Ip':
      return IP;
    case 'Bytes':
      return BYTES;
  }
  const inner = /^(Array|Map)\((.*)\)$/.exec(text);
  const of = inner && depth < MAX_NESTING ? parseType(inner[2] ?? '', depth + 1) : undefined;
  return inner && of ? { kind: inner[1] === 'Array' ? 'Array' : 'Map', of } : undefined;
}
