import { rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { parseIp } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestClock } from '../../../state/test-fixtures.ts';
import { dispose, events, file, held, listen, one, prepare, type Running, refresh, start, until, write } from './test-fixtures.ts';

beforeEach(prepare);
afterEach(dispose);

const [MINUTE, HOUR] = [60_000, 3_600_000];
const LIST = ['198.51.100.1', '198.51.100.2', '2001:db8::/32'];
const EXPIRED = 'networks are taken out of the table spammers: no list was taken for as long as they are kept (keep)';

/** What others have in the table: a person one of the feed's prefixes and one of their own, another feed one of its own. */
async function others({ networks }: Running): Promise<void> {
  await networks.operator.add({ prefixes: ['198.51.100.1', '203.0.113.1'], tables: ['spammers'] }, 'uid 0');
}

const OTHERS = ['198.51.100.1/32 operator', '203.0.113.1/32 operator', '203.0.113.7/32 feed'];
const ALL = [...OTHERS, '198.51.100.1/32 feed', '198.51.100.2/32 feed', '2001:db8::/32 feed'].sort();
const other = (): string => `{ name: other, table: spammers, file: ${file('other')}, every: 30d }`;
/** A feed that is tried again when its time comes, long after what it had is over. */
const drop = (keep = '2h'): string => one(`every: 30d, keep: ${keep}`);

/** All that has been asked for up to now is done. */
async function settled({ feeds }: Running): Promise<void> {
  await until(() => feeds.list().every(({ running }) => !running));
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function filled(clock: TestClock, feeds: string): Promise<Running> {
  write(LIST);
  write(['203.0.113.7'], 'other');
  const running = start(feeds, clock);
  await others(running);
  await until(() => held(running).length === ALL.length);
  await settled(running);
  return running;
}

describe('keep', () => {
  it('takes out what the feed has when it is over, and nothing else; the next list brings it back', async () => {
    const clock = new TestClock();
    const running = await filled(clock, `[${drop()}, ${other()}]`);
    rmSync(file());
    expect(await refresh(running)).toMatch(/no such file/);
    clock.advance(2 * HOUR - 1);
    await settled(running);
    expect(held(running)).toEqual(ALL);
    clock.advance(1);
    await until(() => held(running).length === OTHERS.length);
    expect(held(running)).toEqual(OTHERS);
    expect(events).toContain(`drop 3 ${EXPIRED}`);
    await settled(running);
    expect(running.feeds.list()).toMatchObject([{ feed: 'drop', members: 0, listed: 3, failure: { code: 'file' } }, { members: 1 }]);
    // Tried again and again without one: nothing comes and nothing goes.
    clock.advance(10 * HOUR);
    await settled(running);
    expect(held(running)).toEqual(OTHERS);
    write(LIST);
    expect(await refresh(running)).toMatchObject({ members: 3 });
    expect(held(running)).toEqual(ALL);
    // From then on it is kept for as long again.
    clock.advance(2 * HOUR - 1);
    await settled(running);
    expect(held(running)).toEqual(ALL);
  });

  it('goes on over a restart, and is over at the start where it ended meanwhile', async () => {
    const clock = new TestClock();
    const first = await filled(clock, `[${drop()}, ${other()}]`);
    await first.close();
    rmSync(file());
    clock.advance(HOUR);
    const second = start(`[${drop()}, ${other()}]`, clock);
    await settled(second);
    expect(held(second)).toEqual(ALL);
    clock.advance(HOUR - 1);
    await settled(second);
    expect(held(second)).toEqual(ALL);
    clock.advance(1);
    await until(() => held(second).length === OTHERS.length);
    write(LIST);
    expect(await refresh(second)).toMatchObject({ members: 3 });
    await second.close();

    clock.advance(2 * HOUR);
    rmSync(file());
    const third = start(`[${drop()}, ${other()}]`, clock);
    await until(() => held(third).length === OTHERS.length);
    expect(held(third)).toEqual(OTHERS);
    await third.close();
    // What is out stays out over a restart, and comes with a list.
    const fourth = start(`[${drop()}, ${other()}]`, clock);
    await settled(fourth);
    expect(held(fourth)).toEqual(OTHERS);
    write(LIST);
    expect(await refresh(fourth)).toMatchObject({ members: 3 });
    expect(held(fourth)).toEqual(ALL);
  });

  it('is for ever where nothing is said', async () => {
    const clock = new TestClock();
    const running = await filled(clock, `[${drop('forever')}, ${other()}]`);
    rmSync(file());
    rmSync(file('other'));
    clock.advance(3000 * 24 * HOUR);
    await settled(running);
    expect(held(running)).toEqual(ALL);
  });

  it('counts from a list that is as it was, too', async () => {
    const clock = new TestClock();
    const port = await listen(
      createServer((request, response) => {
        if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
        else response.writeHead(200, { etag: '"1"' }).end('198.51.100.2\n');
      }),
    );
    const running = start(`[{ name: drop, table: spammers, url: "http://127.0.0.1:${port}/", every: 30d, keep: 2h }]`, clock);
    await settled(running);
    clock.advance(HOUR);
    expect(await refresh(running)).toMatchObject({ members: 1 });
    clock.advance(2 * HOUR - 1);
    await settled(running);
    expect(held(running)).toEqual(['198.51.100.2/32 feed']);
    clock.advance(1);
    await until(() => held(running).length === 0);
    // What it had is asked for whole.
    expect(await refresh(running)).toMatchObject({ members: 1 });
  });

  it('that is over while a server takes its time leaves nothing out when the answer is that nothing has changed', async () => {
    const clock = new TestClock();
    const waiting: ServerResponse[] = [];
    const asked: unknown[] = [];
    const port = await listen(
      createServer((request, response) => {
        asked.push(request.headers['if-none-match']);
        if (request.headers['if-none-match'] === '"1"') waiting.push(response);
        else response.writeHead(200, { etag: '"1"' }).end('198.51.100.2\n');
      }),
    );
    const running = start(`[{ name: drop, table: spammers, url: "http://127.0.0.1:${port}/", every: 30d, keep: 2h }]`, clock);
    await settled(running);
    const refreshed = refresh(running);
    await until(() => waiting.length === 1);
    clock.advance(2 * HOUR);
    await until(() => held(running).length === 0);
    waiting[0]?.writeHead(304).end();
    await refreshed;
    clock.advance(0);
    await until(() => held(running).length === 1);
    await settled(running);
    expect(asked).toEqual([undefined, '"1"', undefined]);
    expect(running.feeds.list()).toMatchObject([{ members: 1, running: false }]);
  });

  it('that is over does not make a list suspicious that others have in the table as well', async () => {
    const clock = new TestClock();
    write(LIST);
    const running = start(`[${one('every: 30d')}, { name: twin, table: spammers, file: ${file('twin')}, every: 30d, keep: 2h }]`, clock);
    await settled(running);
    write(LIST, 'twin');
    expect(await refresh(running, 'twin')).toMatch(/\(loop\)/);
    expect(await running.feeds.accept('twin', 'uid 0')).toMatchObject({ members: 3 });
    clock.advance(2 * HOUR);
    await until(() => held(running).length === 3);
    await settled(running);
    expect(await refresh(running, 'twin')).toMatchObject({ members: 3 });
    expect(held(running)).toHaveLength(6);
  });

  it('holds the protected back though it ends at the same time', async () => {
    const clock = new TestClock();
    const running = await filled(clock, `[${drop()}, ${other()}]`);
    clock.advance(HOUR);
    running.addresses.push(parseIp('203.0.113.7') ?? expect.fail());
    running.feeds.resync();
    rmSync(file());
    clock.advance(HOUR);
    await until(() => held(running).length === 2);
    expect(held(running)).toEqual(OTHERS.slice(0, 2));
  });

  it('and the next time to ask hold though the clock is set back', async () => {
    const ahead = new TestClock();
    ahead.advance(1000 * 24 * HOUR);
    const before = await filled(ahead, `[${one('every: 10m, keep: 2h')}, ${other()}]`);
    await before.close();
    rmSync(file());
    const clock = new TestClock();
    const running = start(`[${one('every: 10m, keep: 2h')}, ${other()}]`, clock);
    await settled(running);
    clock.advance(10 * MINUTE);
    await until(() => running.feeds.list()[0]?.failure?.code === 'file');
    expect(held(running)).toEqual(ALL);
    clock.advance(2 * HOUR);
    await until(() => held(running).length === OTHERS.length);
  });
});
