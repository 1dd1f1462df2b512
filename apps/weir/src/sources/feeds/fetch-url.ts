import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline, type Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type FeedConfig, FeedError } from '../../model/feed.ts';
import { readAuth } from './auth-file.ts';
import { readAuthorities } from './ca-file.ts';
import { explainTls } from './explain-tls.ts';
import { shownUrl } from './shown-url.ts';

/** What a server said of the list that it gave: whether it is still the same is asked with it. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

export type Fetched =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'list'; readonly octets: AsyncIterable<Buffer>; readonly validators: Validators };

export interface FetchOptions {
  readonly validators: Validators | undefined;
  /** Ends everything. */
  readonly signal: AbortSignal;
  readonly agent: string;
}

/** Octets of a validator that are kept. */
const LONGEST_VALIDATOR = 256;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Asks for a list by HTTP (RFC 9110). Redirects are followed so far as configured, never from https to http, and without `auth_file` to another host; `ca_file` counts for each of them. The octets are bounded by
 * `maxOctets` before and after they are unpacked (gzip). Throws FeedError here or while the octets are read; the caller reads them or aborts.
 */
export async function fetchUrl(feed: FeedConfig, start: string, options: FetchOptions): Promise<Fetched> {
  const auth = feed.authFile === undefined ? undefined : await readAuth(feed.authFile);
  const authorities = feed.caFile === undefined ? undefined : await readAuthorities(feed.caFile, Date.now());
  const first = new URL(start);
  const seen = new Set<string>();
  let url = first;
  for (;;) {
    seen.add(url.href);
    const response = await ask(url, feed, options, { auth: url.origin === first.origin ? auth : undefined, authorities });
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return { kind: 'list', octets: body(response, feed, options.signal), validators: validatorsOf(response) };
    response.destroy();
    if (statusCode === 304 && options.validators) return { kind: 'unchanged' };
    if (!REDIRECTS.includes(statusCode) || headers.location === undefined)
      throw new FeedError('status', `${shownUrl(url)}: HTTP status ${statusCode}`, retryAfter(headers['retry-after'], Date.now()));
    const next = follow(url, headers.location);
    if (seen.has(next.href))
      throw new FeedError('redirect', `${shownUrl(url)} redirects to ${shownUrl(next)}, where we were already: a loop`);
    if (seen.size > feed.redirects)
      throw new FeedError('redirect', `more than ${feed.redirects} redirects (redirects), the last to ${shownUrl(next)}`);
    url = next;
  }
}

function follow(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (!to || (to.protocol !== 'http:' && to.protocol !== 'https:'))
    throw new FeedError('redirect', `${shownUrl(from)} redirects to what is neither http nor https`);
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw new FeedError('redirect', `${shownUrl(from)} redirects from https to http: ${shownUrl(to)}`);
  if (to.username !== '' || to.password !== '') throw new FeedError('redirect', `${shownUrl(from)} redirects to a URL with a password`);
  to.hash = '';
  return to;
}

/** What the configuration's files say. */
interface Files {
  readonly auth: readonly [string, string] | undefined;
  /** Certificates in PEM. */
  readonly authorities: readonly string[] | undefined;
}

function ask(url: URL, feed: FeedConfig, options: FetchOptions, { auth, authorities }: Files): Promise<IncomingMessage> {
  const { validators, signal, agent } = options;
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const request: ClientRequest = (secure ? httpsRequest : httpRequest)(url, {
      agent: false,
      signal,
      // Whatever NODE_TLS_REJECT_UNAUTHORIZED says.
      ...(secure ? { rejectUnauthorized: true } : {}),
      // As with other programs a certificate that is named is trusted itself, be it of an authority between, or of the server.
      ...(secure && authorities ? { ca: [...authorities], allowPartialTrustChain: true } : {}),
      headers: {
        'user-agent': agent,
        accept: '*/*',
        'accept-encoding': 'gzip',
        ...(validators?.etag === undefined ? {} : { 'if-none-match': validators.etag }),
        ...(validators?.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
        ...(auth ? { [auth[0]]: auth[1] } : {}),
      },
    });
    const timer = setTimeout(
      () =>
        request.destroy(
          new FeedError('timeout', `${shownUrl(url)}: no connection within ${feed.connectTimeout / 1000} s (connect_timeout)`),
        ),
      feed.connectTimeout,
    );
    request.once('socket', (socket) => socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer)));
    request.once('close', () => clearTimeout(timer));
    request.once('response', resolve);
    request.on('error', (error) => reject(explainTls(error, url, feed.caFile) ?? asFeedError(error, url, signal)));
    request.end();
  });
}

async function* body(response: IncomingMessage, feed: FeedConfig, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { maxOctets } = feed;
  const tooLarge = (): FeedError => new FeedError('too-large', `the list has more than ${maxOctets} octets (max_octets)`);
  const encoding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const packed = encoding === 'gzip' || encoding === 'x-gzip';
  let received = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      done(received > maxOctets ? tooLarge() : null, chunk);
    },
  });
  // Errors come out of what is read below.
  const ended = (): void => undefined;
  try {
    if (!packed && encoding !== 'identity' && encoding !== '')
      throw new FeedError('encoding', `it comes as ${encoding.slice(0, 40)}, and only gzip was asked for`);
    if (Number(response.headers['content-length'] ?? 0) > maxOctets) throw tooLarge();
    const out: Readable = packed ? pipeline(response, bound, createGunzip(), ended) : pipeline(response, bound, ended);
    let unpacked = 0;
    for await (const chunk of out as AsyncIterable<Buffer>) {
      unpacked += chunk.length;
      if (unpacked > maxOctets) throw tooLarge();
      yield chunk;
    }
  } catch (error) {
    throw asFeedError(error, undefined, signal);
  } finally {
    response.destroy();
  }
}

function asFeedError(error: unknown, url: URL | undefined, signal: AbortSignal): FeedError {
  if (error instanceof FeedError) return error;
  const where = url ? `${shownUrl(url)}: ` : '';
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    return reason instanceof FeedError ? reason : new FeedError('timeout', `${where}given up`);
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  if (code.startsWith('Z_'))
    return new FeedError(code === 'Z_BUF_ERROR' ? 'truncated' : 'encoding', `what is unpacked is no gzip, or not whole: ${message}`);
  if (url === undefined)
    return new FeedError('truncated', `the connection ended before the list did: ${message === 'aborted' ? code : message}`);
  return new FeedError('network', `${where}${message === '' ? code : message}`);
}

function validatorsOf({ headers }: IncomingMessage): Validators {
  const bounded = (text: string | undefined): string | undefined =>
    text !== undefined && text.length <= LONGEST_VALIDATOR ? text : undefined;
  return { etag: bounded(headers.etag), lastModified: bounded(headers['last-modified']) };
}

/** Milliseconds that a `Retry-After` header asks for (RFC 9110 section 10.2.3); undefined for none. */
export function retryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : Math.max(0, time - now);
}
