import { rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ApiError } from '../../apps/weir/src/api/index.ts';
import { Weir } from '../e2e/weir.ts';
import { type Peer, startBird, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const hosts = (count: number): string => Array.from({ length: count }, (_, i) => `198.51.100.${i}\n`).join('');

async function holds(bird: Peer, wanted: number): Promise<void> {
  let seen = -1;
  await waitFor(
    `BIRD to hold ${wanted} routes`,
    async () => {
      seen = (await bird.receivedRoutes('ipv4 unicast')).length;
      return seen === wanted;
    },
    { timeoutMs: 60_000 },
  ).catch((error: unknown) => {
    throw new Error(`BIRD holds ${seen} routes`, { cause: error });
  });
}

/** A server of lists: `status` and `body` of what it answers are in a file. */
const SERVER = `const { readFileSync } = require('node:fs');
require('node:http').createServer((_, response) => {
  const { status, body } = JSON.parse(readFileSync(process.argv[1], 'utf8'));
  response.writeHead(status, { connection: 'close' }).end(body);
}).listen(8080, '127.0.0.1', () => console.log('listening'));`;

test('lists of feeds reach clients; what a list had stays when it cannot be had, or has shrunk', async () => {
  const lab = labForTest();
  const server = await lab.host('server');
  const client = await lab.host('client');
  await lab.link({ host: server, name: 'to0', addresses: ['192.0.2.1/30'] }, { host: client, name: 'eth0', addresses: ['192.0.2.2/30'] });
  const directory = lab.directory('lists');
  const [list, answer] = [`${directory}/list.txt`, `${directory}/answer.json`];
  const answers = (status: number): void =>
    writeFileSync(answer, JSON.stringify({ status, body: '{"prefixes":[{"ip_prefix":"203.0.113.0/24"},{"ip_prefix":"192.0.2.0/30"}]}' }));
  writeFileSync(list, hosts(40));
  answers(200);
  await server.spawn(process.execPath, ['-e', SERVER, answer]).waitForOutput(/listening/, 60_000);
  const config = (feeds: string): string => `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute:
  tables: { spammers: { communities: ["65000:2"] }, cloud: { communities: ["65000:3"] } }
  clients: [{ name: hosts, from: 192.0.2.0/24, as: 64513, multihop: 8 }]
feeds:
${feeds}`;
  const drop = `  - { name: drop, table: spammers, file: ${list} }\n`;
  const cloud =
    '  - { name: cloud, table: cloud, url: "http://127.0.0.1:8080/ranges.json?key=secret", format: json, path: "prefixes[*].ip_prefix" }\n';
  const weir = new Weir(lab, server, config(drop + cloud));
  /** What a refused list is told with. */
  const refused = async (feed: string): Promise<string> =>
    (await weir.ask(async (client) => {
      try {
        await client.call('feed-refresh', { feed });
      } catch (error) {
        if (error instanceof ApiError) return error.message;
        throw error;
      }
      return 'taken';
    })) ?? 'no answer';
  await weir.start();
  const bird = await startBird(lab, client, {
    as: 64513,
    routerId: '192.0.2.2',
    neighbors: [{ address: '192.0.2.1', as: 64512, localAddress: '192.0.2.2', multihop: 8, gracefulRestart: 'helper' }],
  });
  await bird.waitEstablished('192.0.2.1', 60_000);
  // 192.0.2.0/30 has this host's own address.
  await holds(bird, 41);
  const routes = await bird.receivedRoutes('ipv4 unicast');
  expect(routes.find(({ prefix }) => prefix === '203.0.113.0/24')?.communities).toEqual(['65000:3']);
  const shown = (await weir.command('feed', 'show', '--socket', weir.socket)).stdout;
  expect(shown).toContain('1 network; the last list');
  expect(shown).toContain('left out: 1 own-address');
  expect(shown).not.toContain('secret');

  // The list is gone, the server fails, the list has shrunk: all stays.
  rmSync(list);
  answers(500);
  expect(await refused('drop')).toContain('no such file (file); what it had stays');
  expect(await refused('cloud')).toContain('HTTP status 500 (status); what it had stays');
  writeFileSync(list, hosts(4));
  expect(await refused('drop')).toContain('has 4 prefixes and had 40: less than 50% (shrink)');
  expect((await weir.status()).feeds?.map(({ failure }) => failure?.code)).toEqual(['shrink', 'status']);
  await holds(bird, 41);
  await weir.kill();
  await weir.start();
  await bird.waitEstablished('192.0.2.1', 60_000);
  await holds(bird, 41);
  expect((await weir.command('feed', 'accept', 'drop', '--socket', weir.socket)).stdout).toBe(
    'feed drop: 4 networks in the table spammers\n',
  );
  await holds(bird, 5);

  weir.configure(config(cloud));
  await weir.ask((client) => client.call('reload', {}));
  await holds(bird, 1);
  expect(weir.report()).toContain('4 networks are taken out of the table spammers: the feed is not configured any more');
  expect(weir.report()).not.toContain('secret');
});
