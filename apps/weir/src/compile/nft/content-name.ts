import { digest } from './fingerprint.ts';

/** What programs with this content are called: the same for the same texts. 128 bits, as 32 hexadecimal digits. */
export function contentName(...texts: readonly string[]): string {
  const text = texts.map((one) => `${one.length} ${one}`).join('');
  return digest(`1${text}`) + digest(`2${text}`);
}
