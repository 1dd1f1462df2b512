import { describe, expect, test } from 'vitest';
import { Weir } from '../e2e/weir.ts';
import { type Host, type Peer, type StartPeer, startBird, startFrr, startGobgp, startOpenbgpd, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const CONFIG = `bgp:
  as: 64512
  router_id: 192.0.2.1
  listen: [0.0.0.0]
  peers: []
distribute:
  tables:
    admins: { communities: ["65000:1"] }
    spammers: { communities: ["65000:2", "64512:1:2"] }
  clients:
    - { name: hosts, from: 192.0.2.0/24, as: 64513, multihop: 8 }
    - { name: mail, from: 192.0.2.6, as: 64513, multihop: 8, tables: [spammers] }
  next_hop: [192.0.2.1, "2001:db8::1"]
`;

const KINDS: readonly { readonly name: string; readonly start: StartPeer }[] = [
  { name: 'bird', start: startBird },
  { name: 'mail', start: startBird },
  { name: 'frr', start: startFrr },
  { name: 'gobgp', start: startGobgp },
  { name: 'openbgpd', start: startOpenbgpd },
];

interface Client {
  readonly name: string;
  readonly peer: Peer;
  readonly server: string;
}

/** What a client has: prefixes with their communities, in order. */
async function held({ peer }: Client): Promise<readonly string[]> {
  const routes = [...(await peer.receivedRoutes('ipv4 unicast')), ...(await peer.receivedRoutes('ipv6 unicast'))];
  return routes.map(({ prefix, communities, large }) => [prefix, ...[...communities].sort(), ...large].join(' ')).sort();
}

async function holds(client: Client, wanted: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  await waitFor(
    `${client.name} to hold ${wanted.join(', ')}`,
    async () => {
      seen = await held(client);
      return JSON.stringify(seen) === JSON.stringify([...wanted].sort());
    },
    { timeoutMs: 30_000 },
  ).catch((error: unknown) => {
    throw new Error(`${client.name} holds ${JSON.stringify(seen)}`, { cause: error });
  });
}

async function network(weir: Weir, ...args: readonly string[]): Promise<string> {
  return (await weir.command('network', ...args, '--socket', weir.socket)).stdout;
}

describe('tables of networks', () => {
  test('are what each client may have, over changes and restarts', async () => {
    const lab = labForTest();
    const server: Host = await lab.host('server');
    const clients: Client[] = [];
    // It listens before the clients start: OpenBGPD tries again after two minutes.
    const weir = new Weir(lab, server, CONFIG);
    await weir.start();
    for (const [i, { name, start }] of KINDS.entries()) {
      const host = await lab.host(name);
      const [here, there] = [`192.0.2.${4 * i + 1}`, `192.0.2.${4 * i + 2}`];
      await lab.link({ host: server, name: `to${i}`, addresses: [`${here}/30`] }, { host, name: 'eth0', addresses: [`${there}/30`] });
      const neighbors = [
        {
          address: here,
          as: 64512,
          localAddress: there,
          multihop: 8,
          ...(name === 'openbgpd' ? {} : { gracefulRestart: 'helper' as const }),
        },
      ];
      clients.push({ name, server: here, peer: await start(lab, host, { as: 64513, routerId: there, neighbors }) });
    }
    for (const { peer, server: address } of clients) await peer.waitEstablished(address, 60_000);
    const all = clients.filter(({ name }) => name !== 'mail');
    const mail = clients.filter(({ name }) => name === 'mail');
    const [admin, spammer, both] = [
      '203.0.113.1/32 65000:1',
      '198.51.100.0/24 65000:2 64512:1:2',
      '2001:db8:5::/48 65000:1 65000:2 64512:1:2',
    ];

    expect(await network(weir, 'add', '203.0.113.1', '--table', 'admins', '--comment', 'on call')).toBe('1 added, 0 updated, 0 removed\n');
    await network(weir, 'add', '198.51.100.0/24', '--table', 'spammers');
    await network(weir, 'add', '2001:db8:5::/48', '--table', 'admins', '--table', 'spammers');
    for (const client of all) await holds(client, [admin, spammer, both]);
    for (const client of mail) await holds(client, [spammer, '2001:db8:5::/48 65000:2 64512:1:2']);

    await network(weir, 'delete', '2001:db8:5::/48', '--table', 'spammers');
    for (const client of all) await holds(client, [admin, spammer, '2001:db8:5::/48 65000:1']);
    for (const client of mail) await holds(client, [spammer]);

    await weir.kill();
    await weir.start();
    for (const { peer, server: address } of clients) await peer.waitEstablished(address, 60_000);
    for (const client of all) await holds(client, [admin, spammer, '2001:db8:5::/48 65000:1']);
    expect(await network(weir, 'dump', '--table', 'admins')).toBe('203.0.113.1/32\n2001:db8:5::/48\n');
    expect(await network(weir, 'show', '--table', 'admins')).toContain('on call');

    await network(weir, 'replace', '203.0.113.1', '--table', 'spammers');
    await network(weir, 'delete', '198.51.100.0/24', '2001:db8:5::/48');
    for (const client of clients) await holds(client, ['203.0.113.1/32 65000:2 64512:1:2']);
  });
});
