import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { type Ip, parseIp } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedSummary } from '../../../api/index.ts';
import { delayAfter } from './feed-times.ts';
import { dispose, errors, events, file, held, hosts, listen, one, prepare, refresh, start, until, write } from './test-fixtures.ts';

beforeEach(prepare);
afterEach(dispose);

describe('a feed', () => {
  it('is got at the start, and makes its table have what its list has', async () => {
    write(['192.0.2.64/26', '2001:db8::/32']);
    const running = start(`[${one()}]`);
    await until(() => held(running).length === 2);
    write(['2001:db8::/32', '198.51.100.7', '198.51.100.7/32']);
    expect(await refresh(running)).toMatchObject({ members: 2, listed: 2, entries: 3, left_out: {} });
    expect(held(running)).toEqual(['198.51.100.7/32 feed', '2001:db8::/32 feed']);
    expect(events).toEqual(['drop 2 added, 0 removed: 2 in the table spammers', 'drop 1 added, 1 removed: 2 in the table spammers']);
  });

  it('leaves out what is protected, of this host and of its peers, unless the table may have it', async () => {
    write(['198.51.100.1', '192.0.2.0/24', '192.0.2.200', '192.0.2.9', '203.0.113.5', '0.0.0.0/0', '10.0.0.0/7']);
    const both = `[${one('bad_share: 30%')}, ${one('bad_share: 30%', 'own', 'admins')}]`;
    const running = start(both);
    running.addresses.push(parseIp('203.0.113.5') as Ip);
    running.feeds.resync();
    expect(await refresh(running)).toMatchObject({
      members: 1,
      left_out: { protected: 2, peer: 1, 'own-address': 1, 'default-route': 1, 'too-short': 1 },
      examples: [
        { reason: 'protected', text: '192.0.2.0/24' },
        { reason: 'protected', text: '192.0.2.200/32' },
        { reason: 'peer', text: '192.0.2.9/32' },
        { reason: 'own-address', text: '203.0.113.5/32' },
        { line: 6, reason: 'default-route', text: '0.0.0.0/0' },
        { line: 7, reason: 'too-short', text: '10.0.0.0/7' },
      ],
    });
    expect(held(running)).toEqual(['198.51.100.1/32 feed']);
    expect(await refresh(running, 'own')).toMatchObject({ members: 5 });
    // An address comes to this host: at once.
    running.addresses.push(parseIp('198.51.100.1') as Ip);
    running.feeds.resync();
    await until(() => held(running).length === 0);
    expect(events.at(-1)).toBe(
      'drop 1 networks are taken out of the table spammers: that may not be there (own-address, such as 198.51.100.1/32)',
    );
  });

  it('keeps what it had where a list cannot be had or read', async () => {
    write(['198.51.100.1', '198.51.100.2']);
    const running = start(`[${one('max_prefixes: 5000')}]`);
    await refresh(running);
    const before = held(running);
    rmSync(file());
    expect(await refresh(running)).toBe('feed drop: /list: no such file (file); what it had stays');
    write(['<html>']);
    expect(await refresh(running)).toMatch(/bad-lines\); what it had stays$/);
    write(['# moved']);
    expect(await refresh(running)).toBe('feed drop: nothing is in it (empty); what it had stays');
    write(['192.0.2.200']);
    expect(await refresh(running)).toMatch(/nothing of the list may be in the table spammers: 1 protected \(empty\)/);
    write(hosts(3001));
    expect(await refresh(running, 'drop', true)).toBe(
      'feed drop: the table spammers would have 3001 prefixes, at most 3000 (max_prefixes) (table); what it had stays',
    );
    expect(held(running)).toEqual(before);
    const [{ failure, success, next } = {} as FeedSummary] = running.feeds.list();
    expect([failure?.code, typeof success, typeof next]).toEqual(['table', 'string', 'string']);
  });

  it('refuses a list that shrinks or grows suddenly, until it is accepted', async () => {
    write(hosts(40));
    const running = start(`[${one()}]`);
    await refresh(running);
    write(hosts(19));
    expect(await refresh(running)).toBe(
      'feed drop: the list has 19 prefixes and had 40: less than 50% (shrink); if that is right, weir feed accept drop takes it (shrink); what it had stays',
    );
    expect(held(running)).toHaveLength(40);
    expect(await running.feeds.accept('drop', 'uid 0')).toMatchObject({ members: 19 });
    await expect(running.feeds.accept('drop', 'uid 0')).rejects.toThrow('no list of the feed drop waits to be accepted');
    write(hosts(1020));
    expect(await refresh(running)).toMatch(/has 1020 prefixes and had 19: more than 200% \(growth\)/);
    write(hosts(1019));
    expect(await refresh(running)).toMatchObject({ members: 1019 });
  });

  it('is there again after a restart, and knows what it had', async () => {
    write(hosts(40));
    const before = start(`[${one()}]`);
    await refresh(before);
    await before.close();
    write(hosts(3));
    const running = start(`[${one()}]`);
    expect(held(running)).toHaveLength(40);
    expect(await refresh(running)).toMatch(/had 40: less than 50%/);
    expect(running.feeds.list()[0]).toMatchObject({ members: 40, listed: 40 });
  });

  it('is gone with its networks when it is not configured, and elsewhere when its table is another', async () => {
    write(hosts(5));
    const running = start(`[${one()}, ${one('every: 2h', 'other', 'admins')}]`);
    await refresh(running);
    await refresh(running, 'other');
    await running.networks.operator.add({ prefixes: ['198.51.100.0/32'], tables: ['spammers'] }, 'uid 0');
    running.configure(`[{ name: other, table: spammers, file: ${file()} }]`);
    await until(() => held(running, 'admins').length === 0);
    await refresh(running, 'other');
    expect(held(running)).toEqual([
      '198.51.100.0/32 feed',
      '198.51.100.0/32 operator',
      ...[1, 2, 3, 4].map((i) => `198.51.100.${i}/32 feed`),
    ]);
    expect(events).toContain('drop 5 networks are taken out of the table spammers: the feed is not configured any more');
    expect(events).toContain('other 5 networks are taken out of the table admins: the feed is for the table spammers now');
    await running.close();
    const without = start('[]');
    await until(() => held(without).length === 1);
    expect(held(without)).toEqual(['198.51.100.0/32 operator']);
  });

  it('does not take from a list that is made from its table', async () => {
    const running = start(`[${one()}]`);
    await running.networks.operator.add({ prefixes: ['198.51.100.1', '198.51.100.2'], tables: ['spammers'] }, 'uid 0');
    write(['198.51.100.1', '198.51.100.2']);
    expect(await refresh(running)).toMatch(/^feed drop: the list is just what the table spammers has already: .*\(loop\)/);
    expect(await running.feeds.accept('drop', 'uid 0')).toMatchObject({ members: 2 });
  });

  it('nor two tables from each other', async () => {
    const running = start(`[{ name: there, table: admins, file: ${file('a')} }, { name: back, table: spammers, file: ${file('b')} }]`);
    await running.networks.operator.add({ prefixes: ['198.51.100.1', '198.51.100.2'], tables: ['spammers'] }, 'uid 0');
    write(['198.51.100.1', '198.51.100.2'], 'a');
    expect(await refresh(running, 'there')).toMatchObject({ members: 2 });
    write(['198.51.100.1', '198.51.100.2'], 'b');
    expect(await refresh(running, 'back')).toMatch(
      /just what the table (?:admins has, and that comes from the table spammers|spammers has already)/,
    );
  });

  it('whose memory is damaged keeps its networks', async () => {
    write(hosts(4));
    const before = start(`[${one()}]`);
    await refresh(before);
    await before.close();
    expect(JSON.parse(readFileSync(file('state/feeds.json'), 'utf8'))).toMatchObject({ version: 1, feeds: { drop: { members: 4 } } });
    writeFileSync(file('state/feeds.json'), '{"version":');
    const running = start(`[${one()}]`);
    expect(errors.splice(0)[0]).toMatch(/^what is known of feeds cannot be read: /);
    expect(held(running)).toHaveLength(4);
    expect(await refresh(running)).toMatchObject({ members: 4 });
  });

  it('that is not there is told', async () => {
    const running = start(`[${one()}]`);
    expect(await refresh(running, 'dorp')).toBe('no feed is named dorp: there are drop');
  });

  it('asks whether the list is another, also after a restart, but not when what it may have is another', async () => {
    const asked: (string | undefined)[] = [];
    const answer: RequestListener = (request, response) => {
      asked.push(request.headers['if-none-match']);
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"' }).end('198.51.100.1\n198.51.100.2\n');
    };
    const feed = `{ name: web, table: spammers, url: "http://127.0.0.1:${await listen(createServer(answer))}/list?key=secret" }`;
    const first = start(`[${feed}]`);
    await refresh(first, 'web');
    await refresh(first, 'web');
    await first.close();
    const running = start(`[${feed}]`);
    expect(await refresh(running, 'web')).toMatchObject({ members: 2, from: expect.stringMatching(/\/list\?\.\.\.$/) });
    running.addresses.push(parseIp('198.51.100.1') as Ip);
    running.feeds.resync();
    expect(await refresh(running, 'web')).toMatchObject({ members: 1, left_out: { 'own-address': 1 } });
    expect(asked).toEqual([undefined, '"1"', '"1"', undefined]);
    expect(JSON.stringify([events, running.feeds.list()])).not.toContain('secret');
  });
});

it.each([
  { every: 3_600_000, failures: 0, retryAfter: undefined, chance: 0.5, want: 3_600_000 },
  { every: 3_600_000, failures: 0, retryAfter: undefined, chance: 0, want: 3_240_000 },
  { every: 3_600_000, failures: 1, retryAfter: undefined, chance: 0.5, want: 60_000 },
  { every: 3_600_000, failures: 4, retryAfter: undefined, chance: 0.5, want: 480_000 },
  { every: 3_600_000, failures: 1000, retryAfter: undefined, chance: 1, want: 3_960_000 },
  { every: 60_000, failures: 2, retryAfter: 600_000, chance: 0.5, want: 600_000 },
  { every: 60_000, failures: 2, retryAfter: 1e12, chance: 0.5, want: 86_400_000 },
])('after $failures failures and $retryAfter it waits $want ms', ({ every, failures, retryAfter, chance, want }) => {
  expect(delayAfter(every, failures, retryAfter, chance)).toBe(want);
});
