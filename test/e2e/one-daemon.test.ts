import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { Weir } from './weir.ts';

const BGP = 'bgp: { as: 64512, router_id: 192.0.2.1 }\n';
const TABLES = 'distribute: { tables: { spammers: { communities: ["65000:2"] } } }\n';
/** Would drop everything but its base, were it let. */
const OWNED = 'firewall: { table: weir }\n';
/** Milliseconds: many daemons one after the other. */
const LONG = 480_000;
const [ONE, OTHER] = ['203.0.113.1/32', '2001:db8:5::/48'];

const add = (weir: Weir, prefix: string): Promise<unknown> =>
  weir.command('network', 'add', prefix, '--table', 'spammers', '--socket', weir.socket);

const dump = async (weir: Weir): Promise<string> =>
  (await weir.command('network', 'dump', '--table', 'spammers', '--socket', weir.socket)).stdout;

/** Each file below a directory, with what is in it. */
function contents(directory: string): Readonly<Record<string, string>> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]));
}

/** Until a daemon has written down everything of its start: its flow rules are last. */
async function settled(weir: Weir): Promise<void> {
  await waitFor('the flow rules to be on disk', () => existsSync(join(weir.stateDirectory, 'flows.json')));
}

test('a second process gets neither the state of a daemon nor its kernel, until the first is gone', { timeout: LONG }, async () => {
  const lab = labForTest();
  const host = await lab.host('one');
  await host.nft('table inet fw { set web4 { type ipv4_addr; flags interval; elements = { 203.0.113.7 } }; }');
  const first = new Weir(lab, host, BGP + TABLES);
  await first.start();
  await settled(first);
  await add(first, ONE);
  const second = new Weir(lab, host, BGP + TABLES + OWNED, first.stateDirectory);
  const inUse = `${first.stateDirectory} is in use by process ${first.pid}: two must not keep one state`;

  const before = [contents(first.stateDirectory), await host.nftList()];
  await expect(second.start()).rejects.toThrow(inUse);
  expect(second.report()).toContain('ended: code 1');
  await expect(second.restore()).rejects.toThrow(inUse);
  expect(await second.clear()).toMatchObject({ code: 1, stderr: expect.stringContaining(inUse) });
  expect([contents(first.stateDirectory), await host.nftList()]).toEqual(before);
  expect(existsSync(second.socket)).toBe(false);
  await add(first, OTHER);
  expect(await dump(first)).toBe(`${ONE}\n${OTHER}\n`);

  await first.kill();
  await second.start();
  expect(await dump(second)).toBe(`${ONE}\n${OTHER}\n`);
  expect(await host.nftList('tables')).toContain('table inet weir');

  // Whoever is on the way out is waited for, killed or told to end.
  process.kill(second.pid, 'SIGKILL');
  await first.start();
  const ending = first.stop();
  await second.start();
  await ending;
  expect(await dump(second)).toBe(`${ONE}\n${OTHER}\n`);
});

test('without tables, too: the ledgers and the history are one daemon', { timeout: LONG }, async () => {
  const lab = labForTest();
  const host = await lab.host('one');
  const first = new Weir(lab, host, BGP);
  await first.start();
  await settled(first);
  const second = new Weir(lab, host, BGP + OWNED, first.stateDirectory);
  const before = [contents(first.stateDirectory), await host.nftList()];
  await expect(second.start()).rejects.toThrow(`in use by process ${first.pid}`);
  expect([contents(first.stateDirectory), await host.nftList()]).toEqual(before);
  expect((await first.status()).kernel.problems).toEqual([]);
  await first.kill();
  await second.start();
});

test('the tables of networks are one process also where two states share them', { timeout: LONG }, async () => {
  const lab = labForTest();
  const first = new Weir(lab, await lab.host('one'), BGP + TABLES);
  await first.start();
  await add(first, ONE);
  const state = join(lab.directory('state'), 'state');
  const tables = join(first.stateDirectory, 'networks');
  mkdirSync(state, { mode: 0o700 });
  symlinkSync(tables, join(state, 'networks'));
  const second = new Weir(lab, await lab.host('two'), BGP + TABLES, state);
  const before = contents(tables);
  await expect(second.start()).rejects.toThrow(`networks is in use by process ${first.pid}: two must not write to it`);
  expect(contents(tables)).toEqual(before);
  await add(first, OTHER);

  await first.kill();
  await second.start();
  expect(await dump(second)).toBe(`${ONE}\n${OTHER}\n`);
});
