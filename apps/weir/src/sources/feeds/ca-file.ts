import { X509Certificate } from 'node:crypto';
import { FeedError } from '../../model/feed.ts';
import { readBeside } from './fetch-file.ts';

/** Several times what all authorities that the web knows have. */
const LARGEST = 1 << 20;
const BEGIN = '-----BEGIN CERTIFICATE-----';
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The certificates in a PEM file (RFC 7468), each in PEM. Throws FeedError where there is none, one cannot be read, or the time of all is over. */
export async function readAuthorities(path: string, now: number): Promise<readonly string[]> {
  const octets = await readBeside(path, { what: 'ca_file', code: 'ca', maxOctets: LARGEST });
  return parseAuthorities(octets.toString('latin1'), path, now);
}

/** As `readAuthorities`, of the text. */
export function parseAuthorities(text: string, path: string, now: number): readonly string[] {
  const blocks = text.match(BLOCK) ?? [];
  if (text.split(BEGIN).length - 1 !== blocks.length) throw new FeedError('ca', `ca_file: a certificate of ${path} is not whole`);
  if (blocks.length === 0) throw new FeedError('ca', `ca_file: no certificate is in ${path}${whatElse(text)}`);
  const ends = blocks.map((block, i) => endOf(block, `ca_file: certificate ${i + 1} of ${path} cannot be read`));
  const last = Math.max(...ends);
  if (last < now) {
    const [which, when] = [blocks.length === 1 ? 'the certificate' : 'every certificate', new Date(last).toISOString().slice(0, 10)];
    throw new FeedError('ca', `ca_file: ${which} of ${path} has expired${blocks.length === 1 ? ' on' : ', the last on'} ${when}`);
  }
  return blocks;
}

function endOf(block: string, otherwise: string): number {
  try {
    return Date.parse(new X509Certificate(block).validTo);
  } catch (error) {
    if (error instanceof Error) throw new FeedError('ca', otherwise);
    throw error;
  }
}

function whatElse(text: string): string {
  if (text.includes('PRIVATE KEY-----')) return ', but a private key: it must not be here';
  if (text.startsWith('\x30\x82')) return ': it is in DER, and has to be in PEM';
  return `, none begins with ${BEGIN}`;
}
