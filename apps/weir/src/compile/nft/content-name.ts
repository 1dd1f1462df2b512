import { createHash } from 'node:crypto';

/** What programs with this content are called: the same for the same texts. 128 bits, as 32 hexadecimal digits. */
export function contentName(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length} `).update(text);
  return hash.digest('hex').slice(0, 32);
}
