import { rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ApiError } from '../../apps/weir/src/api/index.ts';
import { makeCertificate } from '../certificates/make-certificate.ts';
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

/** A server of lists: `status` and `body` of what it answers are in a file, as are `cert` and `key`, where it is for https. */
const SERVER = `const { readFileSync } = require('node:fs');
const read = () => JSON.parse(readFileSync(process.argv[1], 'utf8'));
const answer = (_, response) => {
  const { status, body } = read();
  response.writeHead(status, { connection: 'close' }).end(body);
};
const server = read().cert ? require('node:https').createServer(answer) : require('node:http').createServer(answer);
if (read().cert) server.prependListener('connection', () => server.setSecureContext(read()));
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));`;

/** What a refused list is told with. */
async function refusal(weir: Weir, feed: string): Promise<string> {
  const answer = await weir.ask(async (client) => {
    try {
      await client.call('feed-refresh', { feed });
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      throw error;
    }
    return 'taken';
  });
  return answer ?? 'no answer';
}

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
  await server.spawn(process.execPath, ['-e', SERVER, answer, '8080']).waitForOutput(/listening/, 60_000);
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
  const refused = (feed: string): Promise<string> => refusal(weir, feed);
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

test('a list over https comes from the server that the authorities of ca_file vouch for, and from no other', async () => {
  const lab = labForTest();
  const server = await lab.host('server');
  const directory = lab.directory('lists');
  const answer = `${directory}/answer.json`;
  const authority = makeCertificate({ name: 'Lists', isAuthority: true });
  const serve = (issuer: typeof authority, hosts: readonly string[]): void => {
    const { cert, key } = makeCertificate({ name: 'server', issuer, hosts });
    writeFileSync(answer, JSON.stringify({ status: 200, body: '198.51.100.1\n', cert, key }));
  };
  serve(authority, ['127.0.0.1']);
  writeFileSync(`${directory}/ca.pem`, authority.cert);
  await server.spawn(process.execPath, ['-e', SERVER, answer, '8443']).waitForOutput(/listening/, 60_000);
  const weir = new Weir(
    lab,
    server,
    `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute:
  tables: { spammers: { communities: ["65000:2"] } }
  clients: [{ name: hosts, from: 192.0.2.0/24, as: 64513, multihop: 8 }]
feeds: [{ name: web, table: spammers, url: "https://127.0.0.1:8443/list", ca_file: ${directory}/ca.pem }]
`,
  );
  await weir.start();
  expect(await refusal(weir, 'web')).toBe('taken');
  for (const { issuer, hosts, want } of [
    { issuer: authority, hosts: ['lists.example.net'], want: 'is for DNS:lists.example.net, and not for 127.0.0.1' },
    { issuer: makeCertificate({ name: 'Other', isAuthority: true }), hosts: ['127.0.0.1'], want: 'is from no authority of the ca_file' },
  ]) {
    serve(issuer, hosts);
    expect(await refusal(weir, 'web')).toContain(want);
    expect((await weir.status()).feeds).toMatchObject([{ feed: 'web', members: 1, failure: { code: 'certificate' } }]);
  }
  serve(authority, ['127.0.0.1']);
  expect(await refusal(weir, 'web')).toBe('taken');
  expect((await weir.command('feed', 'show', '--socket', weir.socket)).stdout).toContain('1 network; the last list');
});
