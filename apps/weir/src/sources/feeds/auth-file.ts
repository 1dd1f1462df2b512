import { FeedError } from '../../model/feed.ts';
import { readBeside } from './fetch-file.ts';

const LONGEST = 4096;

/**
 * The header that a file holds in its first line: `Name: value`, what belongs behind `Authorization:` (`Bearer abc`), or a token by itself, which is a bearer's (RFC 6750). Throws FeedError, whose message has
 * nothing of it.
 */
export async function readAuth(path: string): Promise<readonly [name: string, value: string]> {
  const octets = await readBeside(path, { what: 'auth_file', code: 'auth', maxOctets: LONGEST });
  return parseAuth(octets.toString('latin1'), path);
}

/** As `readAuth`, of the text. */
export function parseAuth(text: string, path: string): readonly [name: string, value: string] {
  const line = (text.split(/\r?\n/, 1)[0] ?? '').trim();
  if (line === '') throw new FeedError('auth', `auth_file: the first line of ${path} is empty`);
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(line))
    throw new FeedError('auth', `auth_file: the first line of ${path} has characters that a header cannot have`);
  const header = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):\s*(\S.*)$/.exec(line);
  if (header?.[1] !== undefined && header[2] !== undefined) return [header[1], header[2]];
  return ['Authorization', line.includes(' ') ? line : `Bearer ${line}`];
}
