import { createHash } from 'node:crypto';

/** Hexadecimal digits that tell contents apart. */
const DIGITS = 32;

/** The same for the same texts, and for no others. */
export function contentName(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length} ${text}`);
  return hash.digest('hex').slice(0, DIGITS);
}
