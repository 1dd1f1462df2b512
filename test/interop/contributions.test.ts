import { describe, expect, test } from 'vitest';
import { Weir } from '../e2e/weir.ts';
import { type Host, startBird, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const HUB = `bgp:
  as: 64512
  router_id: 192.0.2.1
  listen: [0.0.0.0]
  peers: []
distribute:
  tables:
    admins: { communities: ["65000:1"] }
    spammers: { communities: ["65000:2"] }
  clients:
    - name: hosts
      from: 192.0.2.0/24
      multihop: 8
      contribute: [{ table: spammers, prefixes: [203.0.113.0/24, 198.51.100.0/24], lifetime: 10s }]
    - { name: guests, from: 192.0.2.10, multihop: 8 }
`;

const AGENT = `bgp:
  as: 64514
  router_id: 192.0.2.6
  peers: [{ name: hub, address: 192.0.2.5, as: 64512, multihop: 8 }]
distribute:
  tables:
    spammers: { communities: ["65000:2"] }
    own: { communities: ["65000:7"] }
  peers: [{ peer: hub, tables: [spammers] }]
`;

/** A table's prefixes with who put each there. */
async function held(weir: Weir, table: string): Promise<readonly string[]> {
  const answer = await weir.ask((client) => client.call('networks', { table }));
  return (answer?.networks ?? []).flatMap(({ prefix, tables }) => tables.map(({ source }) => `${prefix} ${source}`)).sort();
}

async function holds(weir: Weir, wanted: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  const isSo = async (): Promise<boolean> => {
    seen = await held(weir, 'spammers');
    return JSON.stringify(seen) === JSON.stringify([...wanted].sort());
  };
  await waitFor(`spammers to be ${wanted.join(', ')}`, isSo, { timeoutMs: 60_000 }).catch((error: unknown) => {
    throw new Error(`spammers are ${JSON.stringify(seen)}`, { cause: error });
  });
}

describe('contributions of clients', () => {
  test('come into tables as they may, and go when they are withdrawn or their time is over', async () => {
    const lab = labForTest();
    const server: Host = await lab.host('server');
    const hub = new Weir(lab, server, HUB);
    await hub.start();
    const hosts: Host[] = [];
    for (const [i, name] of ['bird', 'agent', 'guest'].entries()) {
      const host = await lab.host(name);
      const [here, there] = [`192.0.2.${4 * i + 1}`, `192.0.2.${4 * i + 2}`];
      await lab.link({ host: server, name: `to${i}`, addresses: [`${here}/30`] }, { host, name: 'eth0', addresses: [`${there}/30`] });
      hosts.push(host);
    }
    const [birdHost, agentHost, guestHost] = hosts as [Host, Host, Host];
    const neighbor = (here: string, localAddress: string) => ({ address: here, as: 64512, localAddress, multihop: 8 });
    const agent = new Weir(lab, agentHost, AGENT);
    await agent.start();
    const [bird, guest] = await Promise.all([
      startBird(lab, birdHost, { as: 64513, routerId: '192.0.2.2', neighbors: [neighbor('192.0.2.1', '192.0.2.2')] }),
      startBird(lab, guestHost, { as: 64515, routerId: '192.0.2.10', neighbors: [neighbor('192.0.2.9', '192.0.2.10')] }),
    ]);
    const network = async (weir: Weir, ...args: readonly string[]): Promise<string> =>
      (await weir.command('network', ...args, '--socket', weir.socket)).stdout;

    await bird.announce('203.0.113.1/32', { communities: ['65000:2'] });
    await bird.announce('203.0.113.2/32', { communities: ['65000:2'] });
    await bird.announce('10.9.9.0/24', { communities: ['65000:2'] });
    await bird.announce('203.0.113.3/32', { communities: ['65000:1'] });
    await guest.announce('203.0.113.4/32', { communities: ['65000:2'] });
    await network(agent, 'add', '198.51.100.7', '203.0.113.1', '--table', 'spammers');
    await network(agent, 'add', '198.51.100.8', '--table', 'own');
    const [one, two] = ['client hosts-192.0.2.2', 'client hosts-192.0.2.6'];
    await holds(hub, [`203.0.113.1/32 ${one}`, `203.0.113.2/32 ${one}`, `203.0.113.1/32 ${two}`, `198.51.100.7/32 ${two}`]);
    // Everybody gets them, with the community of the table.
    await waitFor('the guest to have them', async () => (await guest.receivedRoutes('ipv4 unicast')).length === 3, { timeoutMs: 60_000 });
    const told = await guest.receivedRoutes('ipv4 unicast');
    expect(new Set(told.flatMap(({ communities }) => communities))).toEqual(new Set(['65000:2']));

    const shown = await network(hub, 'show', '--client', 'hosts');
    expect(shown).toContain('203.0.113.2/32  spammers (client hosts-192.0.2.2, AS 64513');
    expect(shown).toMatch(/192\.0\.2\.2 +64513 +Established .*spammers 2 .*\d outside \(10\.9\.9\.0\/24\)/);
    expect(shown).toMatch(/\d not-allowed \(203\.0\.113\.3\/32\)/);
    expect(await network(hub, 'show', '--client', 'guests')).toMatch(
      /192\.0\.2\.10 +64515 +Established .*\d not-allowed \(203\.0\.113\.4\/32\)/,
    );
    expect((await hub.status()).clients).toMatchObject([
      { client: 'hosts', sessions: 2, contributed: 4 },
      { client: 'guests', sessions: 1, contributed: 0, refused: { 'not-allowed': expect.any(Number) } },
    ]);

    // One of two who contribute it withdraws it.
    await bird.withdraw('203.0.113.1/32');
    await holds(hub, [`203.0.113.2/32 ${one}`, `203.0.113.1/32 ${two}`, `198.51.100.7/32 ${two}`]);
    await network(agent, 'delete', '203.0.113.1', '--table', 'spammers');
    await holds(hub, [`203.0.113.2/32 ${one}`, `198.51.100.7/32 ${two}`]);

    // A restart has what was there; clients are asked again, so that what they have goes on beyond its lifetime.
    await hub.kill();
    await hub.start();
    expect(await held(hub, 'spammers')).toEqual([`198.51.100.7/32 ${two}`, `203.0.113.2/32 ${one}`]);
    await bird.waitEstablished('192.0.2.1', 60_000);
    const ends = async (prefix: string): Promise<number> => {
      const answer = await hub.ask((client) => client.call('networks', { prefix }));
      return Date.parse(answer?.networks[0]?.tables[0]?.until ?? '');
    };
    const before = await ends('203.0.113.2/32');
    await waitFor('it to be renewed', async () => (await ends('203.0.113.2/32')) > before + 5000, { timeoutMs: 60_000 });

    // A lost session leaves it until its time is over.
    await agent.kill();
    await holds(hub, [`203.0.113.2/32 ${one}`]);
    expect(await network(hub, 'dump', '--table', 'spammers')).toBe('203.0.113.2/32\n');
  }, 300_000);
});
