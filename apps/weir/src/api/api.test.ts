import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Event } from '../model/event.ts';
import { EventBus } from '../observe/index.ts';
import { ApiError, type Backend } from './backend.ts';
import { ControlClient } from './client.ts';
import { LineSplitter } from './line-splitter.ts';
import { parseResponse } from './response.ts';
import { parseRequest } from './schema.ts';
import { ControlServer, MAX_CLIENTS, MAX_REQUEST } from './server.ts';

let directory = '';
let path = '';
const opened: { close(): unknown }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-api-'));
  path = join(directory, 'weir.sock');
});

afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
  rmSync(directory, { recursive: true });
});

function stubBackend(bus = new EventBus()): Backend {
  const never = async (): Promise<never> => {
    throw new ApiError('not-found', 'no set is named x', ['a detail']);
  };
  return {
    status: never,
    peers: async () => ({ format_version: 1, peers: [] }),
    routes: async (params) => ({ format_version: 1, routes: [], next: String(params.limit ?? 0) }),
    sets: async () => ({ format_version: 1, sets: [] }),
    members: never,
    refused: never,
    flows: never,
    flowPlan: never,
    flowAdd: never,
    flowDelete: never,
    networks: never,
    networkClient: never,
    networkAdd: never,
    networkReplace: never,
    networkDelete: never,
    feeds: never,
    feedRefresh: never,
    feedAccept: never,
    networkDump: never,
    networkHistory: never,
    networkLoad: never,
    networkLoadPage: never,
    networkLoadCommit: never,
    blackholes: never,
    blackholeAdd: never,
    blackholeDelete: never,
    lookup: never,
    events: async () => {
      throw new Error('broken');
    },
    reload: async () => ({ format_version: 1, changed: ['x'], warnings: [] }),
    apply: never,
    confirm: never,
    rollback: never,
    history: async () => ({ format_version: 1, generations: [] }),
    generation: never,
    observe: never,
    feed: () => Promise.reject(new ApiError('refused', 'nothing is taken')),
    watch: (params) => bus.subscribe((event) => params.kinds?.includes(event.kind) ?? true),
  };
}

async function serve(backend: Backend = stubBackend(), errors: Error[] = []): Promise<ControlServer> {
  const server = await ControlServer.open({ path, backend, onError: (e) => errors.push(e) });
  opened.push(server);
  return server;
}

async function client(): Promise<ControlClient> {
  const c = await ControlClient.connect(path);
  opened.push(c);
  return c;
}

/** Sends raw bytes and returns everything that comes back until the daemon closes or nothing more is expected. */
function raw(bytes: string | Uint8Array, lines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(text.split('\n').filter((l) => l !== ''));
    };
    socket.on('error', reject);
    socket.on('close', done);
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.split('\n').length > lines) done();
    });
    socket.write(bytes);
  });
}

describe('requests', () => {
  const rows: readonly { readonly name: string; readonly input: string; readonly want: unknown }[] = [
    { name: 'plain', input: '{"id":1,"method":"status"}', want: { ok: true, request: { id: 1, method: 'status', params: {} } } },
    {
      name: 'with parameters',
      input: '{"id":2,"method":"routes","params":{"peer":"core","limit":5}}',
      want: { ok: true, request: { id: 2, method: 'routes', params: { peer: 'core', limit: 5 } } },
    },
    { name: 'no JSON', input: 'hello', want: { ok: false, id: null, error: { code: 'bad-request', message: 'not a line of JSON' } } },
    {
      name: 'unknown method',
      input: '{"id":3,"method":"__proto__"}',
      want: { ok: false, id: 3, error: { code: 'unknown-method', message: 'there is no method "__proto__"' } },
    },
    {
      name: 'unknown key',
      input: '{"id":4,"method":"status","params":{"x":1}}',
      want: { ok: false, id: 4, error: { code: 'bad-request', message: 'unknown key x' } },
    },
    {
      name: 'out of range',
      input: '{"id":5,"method":"routes","params":{"limit":100000}}',
      want: { ok: false, id: 5, error: { code: 'bad-request', message: 'limit: not valid (too big)' } },
    },
    {
      name: 'bad set name',
      input: '{"id":6,"method":"members","params":{"set":"../x"}}',
      want: { ok: false, id: 6, error: { code: 'bad-request', message: 'set: not valid (invalid format)' } },
    },
    {
      name: 'no id',
      input: '{"method":"status"}',
      want: { ok: false, id: null, error: { code: 'bad-request', message: 'id: not valid (invalid type)' } },
    },
  ];
  for (const row of rows) test(row.name, () => expect(parseRequest(row.input)).toEqual(row.want));

  test('nothing makes the parsers throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((v) => JSON.stringify({ id: 1, method: 'routes', params: v })),
        ),
        (line) => {
          parseRequest(line);
          parseResponse(line);
        },
      ),
    );
  });
});

describe('lines', () => {
  test('however the bytes are cut, the lines are the same', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => s.replaceAll('\n', ''))),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (lines, sizes) => {
          const bytes = new TextEncoder().encode(lines.map((l) => `${l}\n`).join(''));
          const splitter = new LineSplitter(1000);
          const out: string[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length]!;
            out.push(...splitter.push(bytes.subarray(at, at + size))!);
            at += size;
          }
          expect(out).toEqual(lines);
        },
      ),
    );
  });

  test('a line that is too long ends it', () => {
    const splitter = new LineSplitter(4);
    expect(splitter.push(Buffer.from('abcd\n'))).toEqual(['abcd']);
    expect(splitter.push(Buffer.from('abc'))).toEqual([]);
    expect(splitter.push(Buffer.from('de'))).toBeUndefined();
    expect(splitter.push(Buffer.from('\nok\n'))).toBeUndefined();
    expect(new LineSplitter(4).push(Buffer.from('abcde\n'))).toBeUndefined();
  });
});

describe('socket', () => {
  test('answers, refusals and failures', async () => {
    const errors: Error[] = [];
    await serve(stubBackend(), errors);
    const c = await client();
    expect(await c.call('routes', { limit: 7 })).toEqual({ format_version: 1, routes: [], next: '7' });
    expect(await c.call('reload', {})).toMatchObject({ changed: ['x'] });
    await expect(c.call('status', {})).rejects.toMatchObject({ name: 'ApiError', code: 'not-found', details: ['a detail'] });
    await expect(c.call('events', {})).rejects.toMatchObject({ code: 'failed', message: 'broken' });
    expect(errors.map((e) => e.message)).toEqual(['broken']);
    expect(statSync(path).mode & 0o777).toBe(0o660);
  });

  test('many requests at once are answered each with its id', async () => {
    await serve();
    const c = await client();
    const answers = await Promise.all(Array.from({ length: 16 }, (_, i) => c.call('routes', { limit: i + 1 })));
    expect(answers.map((a) => a.next)).toEqual(Array.from({ length: 16 }, (_, i) => String(i + 1)));
  });

  test('garbage is answered, does not end the daemon, and a line without end is cut off', async () => {
    await serve();
    const garbage = ['\u0000\u0001', '{}', '[]', 'null', '{"id":1}', '{"id":-1,"method":"status"}', '"'.repeat(100)];
    for (const line of await raw(garbage.map((g) => `${g}\n`).join(''), garbage.length))
      expect(JSON.parse(line)).toMatchObject({ ok: false });
    expect((await raw('x'.repeat(MAX_REQUEST + 10), 1))[0]).toContain('too-large');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 400 }), async (bytes) => {
        await raw(Buffer.concat([bytes, Buffer.from('\n{"id":9,"method":"peers"}\n')]), 1);
      }),
      { numRuns: 60 },
    );
    expect(await (await client()).call('peers', {})).toEqual({ format_version: 1, peers: [] });
  });

  test('a client that leaves in the middle of an answer', async () => {
    const errors: Error[] = [];
    await serve(stubBackend(), errors);
    for (let i = 0; i < 20; i++) {
      const socket = connect(path);
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.write('{"id":1,"method":"peers"}\n{"id":2,"method":"watch"}\n', resolve));
      socket.destroy();
    }
    expect(await (await client()).call('peers', {})).toEqual({ format_version: 1, peers: [] });
    expect(errors).toEqual([]);
  });

  test('clients are limited', async () => {
    await serve();
    const all: ControlClient[] = [];
    for (let i = 0; i < MAX_CLIENTS; i++) {
      const c = await client();
      await c.call('peers', {});
      all.push(c);
    }
    const late = await client();
    await expect(late.call('peers', {})).rejects.toMatchObject({ code: 'busy' });
    for (const c of all) c.close();
  });

  test('a watch streams what it asked for and ends with the daemon', async () => {
    const bus = new EventBus();
    const server = await serve(stubBackend(bus));
    const c = await client();
    const stream = c.watch({ kinds: ['peer-converged'] });
    expect((await stream.next()).value).toEqual({ format_version: 1, events: [], lost: 0 });
    const converged: Event = { at: 0, kind: 'peer-converged', peer: 'core', routes: 3 };
    bus.emit({ at: 0, kind: 'listen', address: 'a', ok: true, message: undefined });
    for (let i = 0; i < 500; i++) bus.emit(converged);
    let seen = 0;
    while (seen < 500) {
      const batch = (await stream.next()).value!;
      for (const event of batch.events) {
        expect(event).toEqual({
          at: '1970-01-01T00:00:00.000Z',
          kind: 'peer-converged',
          level: 'info',
          message: 'peer core has converged with 3 routes',
          fields: { peer: 'core', routes: 3 },
        });
      }
      seen += batch.events.length + batch.lost;
    }
    const last = stream.next();
    last.catch(() => undefined);
    await server.close();
    await expect(last).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  });

  test('a stale socket is replaced, one that answers and a plain file are not', async () => {
    // A listening socket whose owner is gone leaves its file behind.
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(directory, 'other.sock'), resolve));
    const { renameSync } = await import('node:fs');
    renameSync(join(directory, 'other.sock'), path);
    await new Promise((resolve) => dead.close(resolve));
    const server = await serve();
    await expect(ControlServer.open({ path, backend: stubBackend(), onError: () => undefined })).rejects.toMatchObject({
      code: 'SOCKET_IN_USE',
    });
    expect(await (await client()).call('peers', {})).toEqual({ format_version: 1, peers: [] });
    await server.close();
    await server.close();
    writeFileSync(path, 'not a socket');
    await expect(ControlServer.open({ path, backend: stubBackend(), onError: () => undefined })).rejects.toMatchObject({
      code: 'SOCKET_PATH',
    });
    expect(statSync(path).isFile()).toBe(true);
  });

  test('a path that is too long', async () => {
    path = join(directory, 'x'.repeat(120));
    await expect(serve()).rejects.toMatchObject({ code: 'SOCKET_PATH' });
  });

  test('nobody there', async () => {
    await expect(ControlClient.connect(path)).rejects.toMatchObject({
      code: 'ENOENT',
      message: `no daemon answers on ${path}: is \`weir run\` running?`,
    });
  });
});

describe('verdicts', () => {
  const verdict = { at: '2026-11-21T00:00:00.000Z', node: 'a', hook: 'xdp', verdict: 'deny', from: 'ebpf', length: 1 } as const;

  test('those that were, and then those that come, until the client leaves', async () => {
    const asked: unknown[] = [];
    let closed = 0;
    const parts = [{ verdicts: [{ ...verdict, length: 2 }], lost: 3 }];
    const backend: Backend = {
      ...stubBackend(),
      observe: async (params) => {
        asked.push(params);
        const follow = {
          next: async () => parts.shift() ?? new Promise<undefined>(() => undefined),
          close: () => {
            closed++;
          },
        };
        return { last: [verdict], follow: params.follow ? follow : undefined };
      },
    };
    await serve(backend);
    const c = await client();
    const once = [];
    for await (const part of c.observe({ last: 5, verdicts: ['deny'] })) once.push(part);
    expect(once).toEqual([{ format_version: 1, verdicts: [verdict], lost: 0 }]);
    const stream = c.observe({ follow: true });
    expect((await stream.next()).value).toEqual({ format_version: 1, verdicts: [verdict], lost: 0 });
    expect((await stream.next()).value).toEqual({ format_version: 1, verdicts: [{ ...verdict, length: 2 }], lost: 3 });
    expect(asked).toEqual([{ last: 5, verdicts: ['deny'] }, { follow: true }]);
    c.close();
    for (let tries = 0; tries < 200 && closed === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(closed).toBeGreaterThan(0);
  });

  test.each([
    { params: { verdicts: ['drop'] } },
    { params: { verdicts: [] } },
    { params: { hook: 'ingress' } },
    { params: { protocol: 256 } },
    { params: { port: -1 } },
    { params: { last: 100_000 } },
  ])('$params is refused', ({ params }) => {
    expect(parseRequest(JSON.stringify({ id: 1, method: 'observe', params }))).toMatchObject({ ok: false, error: { code: 'bad-request' } });
  });
});
