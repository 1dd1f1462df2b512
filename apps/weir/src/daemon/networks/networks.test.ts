import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../model/config.ts';
import { loadText } from '../../sources/config/memory-files.ts';
import { answerNetworks, Networks } from './index.ts';

const TEXT = `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
protected: [192.0.2.0/24]
distribute:
  tables:
    admins: { communities: ["65000:1"], allow_protected: true }
    spammers: { communities: ["65000:2"], max_prefixes: 3 }
  clients: [{ name: hosts, from: 198.51.100.0/24 }]
`;

function configOf(text: string): Config {
  const { config, diagnostics } = loadText(text);
  if (!config) throw new Error(diagnostics.map(({ message }) => message).join());
  return config;
}

let directory = '';
let open: Networks[] = [];
const errors: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-networks-'));
  errors.length = 0;
});

afterEach(async () => {
  await Promise.all(open.map((networks) => networks.close()));
  open = [];
  rmSync(directory, { recursive: true });
});

function start(text = TEXT): Networks {
  const config = configOf(text);
  const networks = new Networks({ stateDirectory: directory, config: () => config, onError: (error) => errors.push(error.message) });
  open.push(networks);
  return networks;
}

const tablesOf = (networks: Networks, text: string): readonly string[] =>
  networks.tables.memberships(prefix(text)).map(({ table }) => table);
const add = (networks: Networks, texts: readonly string[], ...tables: readonly string[]): ReturnType<Networks['operator']['add']> =>
  networks.operator.add({ prefixes: texts, tables }, 'uid 0');

describe('tables of networks of the daemon', () => {
  it('change one after the other, and count what has', async () => {
    const networks = start();
    const both = [
      add(networks, ['203.0.113.1', '203.0.113.1/32', '203.0.113.2'], 'admins', 'spammers'),
      add(networks, ['203.0.113.2'], 'admins'),
    ];
    expect(await Promise.all(both)).toMatchObject([
      { added: 4, updated: 0, removed: 0 },
      { added: 0, updated: 1, removed: 0 },
    ]);
    expect(await networks.operator.delete({ prefixes: ['203.0.113.1'], tables: ['spammers'] }, 'uid 0')).toMatchObject({ removed: 1 });
    expect(await networks.operator.replace({ prefixes: ['203.0.113.2'], tables: ['spammers'] }, 'uid 0')).toMatchObject({
      added: 0,
      updated: 1,
      removed: 1,
    });
    expect([tablesOf(networks, '203.0.113.1/32'), tablesOf(networks, '203.0.113.2/32')]).toEqual([['admins'], ['spammers']]);
    expect(await networks.operator.delete({ prefixes: ['203.0.113.1', '203.0.113.2'] }, 'uid 0')).toMatchObject({ removed: 2 });
    expect(networks.tables.size).toBe(0);
  });

  it('are numbered in the order in which they are made, however long each takes to be written', async () => {
    const networks = start();
    const many = Array.from({ length: 3000 }, (_, i) => `198.51.${100 + (i >> 8)}.${i & 255}/32`);
    await Promise.all([
      add(networks, ['203.0.113.1'], 'admins'),
      add(networks, many, 'admins'),
      add(networks, ['203.0.113.2'], 'admins'),
      add(networks, ['203.0.113.3'], 'admins'),
    ]);
    const numbers = [
      [4, 1],
      [3, 1],
      [2, 3000],
      [1, 1],
    ];
    const told = (one: Networks): unknown => one.history.list({ limit: 10 }).map(({ number, added }) => [number, added]);
    expect(told(networks)).toEqual(numbers);
    await networks.close();
    expect(told(start())).toEqual(numbers);
  });

  it.each([
    { name: 'host bits', change: (n: Networks) => add(n, ['203.0.113.1/24'], 'admins'), want: 'the prefix is 203.0.113.0/24' },
    { name: 'no prefix', change: (n: Networks) => add(n, ['203.0.113.1', 'x'], 'admins'), want: 'not an address or prefix: x' },
    { name: 'every address', change: (n: Networks) => add(n, ['0.0.0.0/0'], 'admins'), want: '0.0.0.0/0 is every address' },
    { name: 'a table that is not there', change: (n: Networks) => add(n, ['203.0.113.1'], 'admin'), want: 'there are admins, spammers' },
    {
      name: 'what is protected',
      change: (n: Networks) => add(n, ['192.0.2.7'], 'spammers'),
      want: '192.0.2.7/32 overlaps 192.0.2.0/24, which is protected',
    },
    {
      name: 'more than there may be',
      change: (n: Networks) => add(n, ['203.0.113.4/30', '203.0.113.8', '203.0.113.9', '203.0.113.10'], 'spammers'),
      want: '4 prefixes, at most 3',
    },
    {
      name: 'a time that is over',
      change: (n: Networks) => n.operator.add({ prefixes: ['203.0.113.1'], tables: ['admins'], until: 5 }, 'uid 0'),
      want: 'over already',
    },
    {
      name: 'a comment that is not one line of text',
      change: (n: Networks) => n.operator.add({ prefixes: ['203.0.113.1'], tables: ['admins'], comment: 'a\u001b[31m\nb' }, 'uid 0'),
      want: 'one line of text, without control characters',
    },
    {
      name: 'what is not there',
      change: (n: Networks) => n.operator.delete({ prefixes: ['203.0.113.1'] }, 'uid 0'),
      want: '203.0.113.1/32 is not in any table',
    },
    {
      name: 'what is not in this table',
      change: (n: Networks) => n.operator.delete({ prefixes: ['203.0.113.99'], tables: ['spammers'] }, 'uid 0'),
      want: 'is not in the table spammers',
    },
  ])('refuse $name, and change nothing', async ({ change, want }) => {
    const networks = start();
    await add(networks, ['203.0.113.99'], 'admins');
    // Some are refused before anything is asked, others when it is their turn.
    await expect((async () => change(networks))()).rejects.toThrow(want);
    expect([networks.tables.size, networks.tables.tables]).toEqual([1, ['admins']]);
  });

  it('may have what is protected where that is said, and communities of no table', async () => {
    const networks = start();
    await add(networks, ['192.0.2.7'], 'admins');
    await add(networks, ['203.0.113.7'], 'admins', '65000:9');
    expect([tablesOf(networks, '192.0.2.7/32'), tablesOf(networks, '203.0.113.7/32')]).toEqual([['admins'], ['65000:9', 'admins']]);
  });

  it('are meant by their communities too; there are only so many without a name', async () => {
    const networks = start();
    await add(networks, ['203.0.113.7'], '65000:1');
    expect(tablesOf(networks, '203.0.113.7/32')).toEqual(['admins']);
    await networks.operator.delete({ prefixes: ['203.0.113.7'], tables: ['65000:1'] }, 'uid 0');
    expect(networks.tables.size).toBe(0);
    await add(networks, ['203.0.113.7'], ...Array.from({ length: 64 }, (_, i) => `64512:${i}`));
    await add(networks, ['203.0.113.8'], '64512:5');
    await expect(add(networks, ['203.0.113.8'], '64512:64')).rejects.toThrow('64 tables without a name already');
  });

  it('are there after a start, and say what was damaged', async () => {
    const networks = start();
    await add(networks, ['203.0.113.1'], 'admins');
    await add(networks, ['203.0.113.2'], 'admins');
    await networks.close();
    const again = start();
    expect([again.tables.size, errors]).toEqual([2, []]);
    await again.close();
    const path = join(directory, 'networks', readdirSync(join(directory, 'networks'))[0] ?? '');
    const bytes = readFileSync(path);
    bytes[30] = (bytes[30] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const damaged = start();
    expect(tablesOf(damaged, '203.0.113.2/32')).toEqual(['admins']);
    expect(damaged.tables.size).toBe(1);
    expect(errors).toEqual([expect.stringContaining('are damaged and left out'), 'tables of networks: 1 changes are lost']);
  });

  it('take lists as a whole, in place of what was there or beside it', async () => {
    const networks = start();
    await add(networks, ['203.0.113.1', '203.0.113.2'], 'admins');
    const load = networks.operator.loads.begin({ table: 'admins', replace: true, comment: 'list' });
    networks.operator.loads.page(load, [prefix('203.0.113.2/32'), prefix('203.0.113.2/32')]);
    networks.operator.loads.page(load, [prefix('203.0.113.3/32')]);
    expect(networks.tables.size).toBe(2);
    expect(await networks.operator.commit({ load }, 'uid 0')).toMatchObject({ added: 1, updated: 1, removed: 1 });
    expect(tablesOf(networks, '203.0.113.1/32')).toEqual([]);
    await expect((async () => networks.operator.commit({ load }, 'uid 0'))()).rejects.toThrow('nothing of that name');
    const other = networks.operator.loads.begin({ table: 'spammers' });
    networks.operator.loads.page(other, ['203.0.113.7/32', '192.0.2.1/32'].map(prefix));
    await expect(networks.operator.commit({ load: other }, 'uid 0')).rejects.toThrow('protected');
    expect(networks.tables.sizeOf('spammers')).toBe(0);
  });

  it('change together: what comes and goes in several tables', async () => {
    const networks = start();
    await add(networks, ['203.0.113.1', '203.0.113.2', '203.0.113.3'], 'spammers');
    const { loads } = networks.operator;
    const until = Date.now() + 3_600_000;
    const change = (end: number): string => {
      const load = loads.begin({ comment: 'from there' });
      loads.page(load, [prefix('203.0.113.1/32')], { table: 'spammers', remove: true });
      loads.page(load, [prefix('203.0.113.4/32')], { table: 'spammers', until: end });
      loads.page(load, [prefix('203.0.113.4/32'), prefix('192.0.2.7/32')], { table: 'admins' });
      return load;
    };
    // One is refused, and so is all of it.
    await expect(networks.operator.commit({ load: change(5) }, 'uid 0')).rejects.toThrow('over already');
    expect([networks.tables.sizeOf('spammers'), networks.tables.sizeOf('admins')]).toEqual([3, 0]);
    // As many come as go, so that the table may be full.
    expect(await networks.operator.commit({ load: change(until) }, 'uid 0')).toMatchObject({ added: 3, updated: 0, removed: 1 });
    expect(tablesOf(networks, '203.0.113.4/32')).toEqual(['admins', 'spammers']);
    expect(networks.tables.memberships(prefix('203.0.113.4/32')).map(({ note }) => [note.until, note.comment])).toEqual([
      [undefined, 'from there'],
      [until, 'from there'],
    ]);
    expect(() => loads.page(loads.begin({}), [prefix('203.0.113.4/32')])).toThrow('which table');
    expect(() => loads.begin({ replace: true })).toThrow('which table');
  });

  it('are shown a page after the other', async () => {
    const networks = start();
    await networks.operator.add({ prefixes: ['203.0.113.1', '203.0.113.2', '2001:db8::/48'], tables: ['admins'], comment: 'why' }, 'uid 7');
    const config = configOf(TEXT);
    const first = answerNetworks(networks, config, { limit: 2 });
    expect(first.networks.map((one) => one.prefix)).toEqual(['203.0.113.1/32', '203.0.113.2/32']);
    expect(first.networks[0]?.tables).toMatchObject([{ table: 'admins', source: 'operator', by: 'uid 7', comment: 'why' }]);
    const rest = answerNetworks(networks, config, { limit: 2, ...(first.cursor === undefined ? {} : { cursor: first.cursor }) });
    expect([rest.networks.map((one) => one.prefix), rest.cursor]).toEqual([['2001:db8::/48'], undefined]);
    expect(answerNetworks(networks, config, { prefix: '203.0.113.0/31' }).networks.map((one) => one.prefix)).toEqual(['203.0.113.1/32']);
    expect(answerNetworks(networks, config, { table: 'spammers' })).toMatchObject({
      networks: [],
      tables: [
        { table: 'admins', prefixes: 3, max: 1_000_000, communities: ['65000:1'] },
        { table: 'spammers', prefixes: 0, max: 3 },
      ],
      clients: [{ client: 'hosts', sessions: 0, tables: ['admins', 'spammers'] }],
    });
  });

  it('end when their time is over', async () => {
    const networks = start();
    await networks.operator.add({ prefixes: ['203.0.113.1'], tables: ['admins'], until: Date.now() + 50 }, 'uid 0');
    await expect.poll(() => networks.tables.size, { timeout: 10_000 }).toBe(0);
    await networks.close();
    expect(start().tables.size).toBe(0);
  });
});
