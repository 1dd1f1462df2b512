import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { printPrefix } from '@weir/wire/inet';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_FEED, type FeedConfig, FeedError } from '../../model/feed.ts';
import { type PullOptions, pullFeed, Slices, shownUrl } from './index.ts';

let directory = '';
let server: Server;
let address = '';
let handler: RequestListener = (_request, response) => response.end();
const sockets = new Set<Socket>();
const LIST = '192.0.2.0/24\n2001:db8::/32\n';

beforeAll(async () => {
  server = createServer((request, response) => handler(request, response));
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-feeds-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function feedOf(origin: FeedConfig['origin'], more: Partial<FeedConfig> = {}): FeedConfig {
  return {
    ...DEFAULT_FEED,
    name: 'drop',
    table: 'spammers',
    origin,
    format: { kind: 'text' },
    authFile: undefined,
    caFile: undefined,
    keep: undefined,
    span: { file: '', line: 1, column: 1, length: 1 },
    ...more,
  };
}

const url = (path = '/list', more: Partial<FeedConfig> = {}): FeedConfig => feedOf({ kind: 'url', url: `${address}${path}` }, more);
const file = (path: string, more: Partial<FeedConfig> = {}): FeedConfig => feedOf({ kind: 'file', path }, more);

/** Prefixes, or `code: message` with nothing of where the server is. */
async function pull(feed: FeedConfig, more: Partial<PullOptions> = {}): Promise<unknown> {
  const options = {
    stateDirectory: join(directory, 'state'),
    validators: undefined,
    signal: new AbortController().signal,
    agent: 'weir/test',
    slices: new Slices(),
    ...more,
  };
  try {
    const pulled = await pullFeed(feed, options);
    if (pulled.kind === 'unchanged') return pulled.kind;
    return [...pulled.list.prefixes].map(printPrefix);
  } catch (error) {
    if (error instanceof FeedError) return `${error.code}: ${error.message}`.replaceAll(address, 'http://server').replaceAll(directory, '');
    throw error;
  }
}

describe('a file', () => {
  it.each([
    { name: 'a file', make: (path: string) => writeFileSync(path, LIST), want: ['192.0.2.0/24', '2001:db8::/32'] },
    { name: 'nothing', make: () => undefined, want: 'file: /list: no such file' },
    { name: 'a directory', make: (path: string) => mkdirSync(path), want: 'file: /list is a directory' },
    { name: 'a pipe', make: (path: string) => execFileSync('mkfifo', [path]), want: 'file: /list is no file: a pipe, socket or device' },
    {
      name: 'a symbolic link',
      make: (path: string) => symlinkSync('/etc/hostname', path),
      want: 'file: /list: a symbolic link: name the file itself',
    },
    {
      name: 'a large file',
      make: (path: string) => writeFileSync(path, '#'.repeat(1001)),
      want: 'too-large: /list has 1001 octets, at most 1000 (max_octets)',
    },
    { name: 'an empty file', make: (path: string) => writeFileSync(path, ''), want: 'empty: nothing is in it' },
  ])('$name', async ({ make, want }) => {
    const path = join(directory, 'list');
    make(path);
    expect(await pull(file(path, { maxOctets: 1000 }))).toEqual(want);
  });

  it('of the state directory, by whatever way, feeds itself', async () => {
    mkdirSync(join(directory, 'state'));
    writeFileSync(join(directory, 'state', 'snapshot'), LIST);
    symlinkSync(join(directory, 'state'), join(directory, 'way'));
    expect(await pull(file(join(directory, 'way', 'snapshot')))).toBe(
      'loop: /way/snapshot is in /state, where Weir keeps what it knows itself',
    );
  });
});

describe('a server', () => {
  it('gives a list, and is asked whether it is another', async () => {
    const asked: IncomingMessage['headers'][] = [];
    handler = (request, response) => {
      asked.push(request.headers);
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"', 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' }).end(LIST);
    };
    expect(await pull(url())).toEqual(['192.0.2.0/24', '2001:db8::/32']);
    expect(await pull(url(), { validators: { etag: '"1"', lastModified: 'x' } })).toBe('unchanged');
    expect(asked[0]).toMatchObject({ 'accept-encoding': 'gzip', 'user-agent': 'weir/test' });
    expect([asked[0]?.['if-none-match'], asked[1]?.['if-modified-since']]).toEqual([undefined, 'x']);
  });

  it('may send it packed', async () => {
    handler = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(LIST));
    expect(await pull(url())).toEqual(['192.0.2.0/24', '2001:db8::/32']);
  });

  it('is told who we are, and whom it redirects to only where that is itself', async () => {
    const auth: unknown[] = [];
    writeFileSync(join(directory, 'token'), 'abc\n');
    const other = createServer((request, response) => {
      auth.push(request.headers.authorization);
      response.end(LIST);
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    handler = (request, response) => {
      auth.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === '/list' ? '/next' : `http://127.0.0.1:${port}/list?secret` }).end();
    };
    expect(await pull(url('/list', { authFile: join(directory, 'token') }))).toHaveLength(2);
    expect(auth).toEqual(['Bearer abc', 'Bearer abc', undefined]);
    expect(await pull(url('/list', { authFile: join(directory, 'no') }))).toBe('auth: auth_file: /no: no such file');
    await new Promise((resolve) => other.close(resolve));
  });

  const answer =
    (status: number, headers: Readonly<Record<string, string>>, body: string | Buffer = ''): RequestListener =>
    (_request, response) => {
      response.writeHead(status, headers).end(body);
    };
  const slowly = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('1'), 20);
    response.on('close', () => clearInterval(timer));
  };
  it.each([
    { name: 'not found', on: answer(404, {}, LIST), want: 'status: http://server/list: HTTP status 404' },
    { name: 'an error', on: answer(500, {}, LIST), want: 'status: http://server/list: HTTP status 500' },
    { name: 'nothing', on: answer(204, {}), want: 'status: http://server/list: HTTP status 204' },
    { name: 'a part', on: answer(206, {}, LIST), want: 'status: http://server/list: HTTP status 206' },
    { name: 'what was not asked', on: answer(304, {}), want: 'status: http://server/list: HTTP status 304' },
    { name: 'an empty list', on: answer(200, {}, '# nothing\n'), want: 'empty: nothing is in it' },
    {
      name: 'a loop',
      on: answer(301, { location: '/list' }),
      want: 'redirect: http://server/list redirects to http://server/list, where we were already: a loop',
    },
    {
      name: 'a chain without end',
      on: (request: IncomingMessage, response: ServerResponse) => response.writeHead(302, { location: `${request.url}x` }).end(),
      want: 'redirect: more than 2 redirects (redirects), the last to http://server/listxxx',
    },
    {
      name: 'a redirect to a file',
      on: answer(302, { location: 'file:///etc/passwd' }),
      want: 'redirect: http://server/list redirects to what is neither http nor https',
    },
    {
      name: 'a redirect with a password',
      on: answer(302, { location: 'http://u:p@127.0.0.1/' }),
      want: 'redirect: http://server/list redirects to a URL with a password',
    },
    { name: 'a redirect to nowhere', on: answer(302, {}), want: 'status: http://server/list: HTTP status 302' },
    {
      name: 'a length out of bounds',
      on: answer(200, { 'content-length': '2000' }, 'x'.repeat(2000)),
      want: 'too-large: the list has more than 1000 octets (max_octets)',
    },
    {
      name: 'a body without end',
      on: (_request: IncomingMessage, response: ServerResponse) => response.write('x'.repeat(100_000)),
      want: 'too-large: the list has more than 1000 octets (max_octets)',
    },
    {
      name: 'a bomb',
      on: answer(200, { 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(500_000))),
      want: 'too-large: the list has more than 1000 octets (max_octets)',
    },
    {
      name: 'half of what is packed',
      on: answer(200, { 'content-encoding': 'gzip' }, gzipSync(LIST).subarray(0, 25)),
      want: 'truncated: what is unpacked is no gzip, or not whole: unexpected end of file',
    },
    {
      name: 'what is not packed',
      on: answer(200, { 'content-encoding': 'gzip' }, LIST),
      want: 'encoding: what is unpacked is no gzip, or not whole: incorrect header check',
    },
    {
      name: 'another encoding',
      on: answer(200, { 'content-encoding': 'br' }, LIST),
      want: 'encoding: it comes as br, and only gzip was asked for',
    },
    {
      name: 'less than it says',
      on: (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '500' });
        response.write(LIST, () => response.socket?.destroy());
      },
      want: 'truncated: the connection ended before the list did: ECONNRESET',
    },
    {
      name: 'chunks without an end',
      on: (_request: IncomingMessage, response: ServerResponse) => {
        response.write(LIST, () => response.socket?.destroy());
      },
      want: 'truncated: the connection ended before the list did: ECONNRESET',
    },
    {
      name: 'an end before an answer',
      on: (request: IncomingMessage) => request.socket.destroy(),
      want: 'network: http://server/list: socket hang up',
    },
    { name: 'no answer', on: () => undefined, want: 'timeout: not whole within 0.4 s (timeout)' },
    { name: 'an octet from time to time', on: slowly, want: 'timeout: not whole within 0.4 s (timeout)' },
  ] satisfies readonly { name: string; on: RequestListener; want: string }[])('$name is told', async ({ on, want, name }) => {
    handler = on;
    const timeout = name === 'no answer' || name === 'an octet from time to time' ? 400 : 30_000;
    expect(await pull(url('/list', { redirects: 2, maxOctets: 1000, timeout }))).toBe(want);
  });

  it('is not believed what is no HTTP, and not waited for without a connection', async () => {
    const raw = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.resume().end('SSH-2.0-x\r\n');
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    const { port } = raw.address() as AddressInfo;
    const at = feedOf({ kind: 'url', url: `http://127.0.0.1:${port}/` });
    expect(await pull(at)).toMatch(/^network: .*Parse Error/);
    await new Promise((resolve) => raw.close(resolve));
    expect(await pull(at)).toMatch(/^network: .*ECONNREFUSED/);
  });

  it('says when to come again', async () => {
    handler = answer(429, { 'retry-after': '120' });
    await expect(
      pullFeed(url(), {
        stateDirectory: directory,
        validators: undefined,
        signal: new AbortController().signal,
        agent: 'x',
        slices: new Slices(),
      }),
    ).rejects.toMatchObject({ code: 'status', retryAfter: 120_000 });
  });

  it('is left when we end', async () => {
    handler = () => undefined;
    const ends = new AbortController();
    setTimeout(() => ends.abort(), 50);
    expect(await pull(url(), { signal: ends.signal })).toBe('timeout: http://server/list: given up');
  });

  it('is shown without what may be secret', () => expect(shownUrl('https://192.0.2.1/a?key=x#y')).toBe('https://192.0.2.1/a?...'));
});
