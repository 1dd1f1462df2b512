import { expect, test } from 'vitest';
import { Weir } from '../e2e/weir.ts';
import { type Peer, type StartPeer, startBird, startFrr, startGobgp, startOpenbgpd, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { keyCounters, RoutedLab } from './routed-lab.ts';

/** Milliseconds. */
const LONG = 480_000;
const [SERVER4, SERVER6] = ['192.0.2.1', '2001:db8::1'];
// FRR takes no blank in a password.
const KEY = 'tables-of-networks';
const NETWORKS = ['203.0.113.7/32 65000:1', '198.51.100.64/26 65000:2', '2001:db8:a:5::/64 65000:1 65000:2'];

const KINDS: readonly (readonly [string, StartPeer])[] = [
  ['bird', startBird],
  ['frr', startFrr],
  ['gobgp', startGobgp],
  ['openbgpd', startOpenbgpd],
];

const config = (passwordFile: string): string => `bgp:
  as: 64512
  router_id: ${SERVER4}
  listen: [${SERVER4}, "${SERVER6}"]
  peers: []
distribute:
  tables:
    admins: { communities: ["65000:1"] }
    spammers: { communities: ["65000:2"] }
  clients:
    - { name: hosts, from: [198.51.100.0/26, "2001:db8:5::/64"], as: 64513, password_file: ${passwordFile}, multihop: 8 }
    - { name: open, from: [203.0.113.0/26, "2001:db8:6::/64"], as: 64513, multihop: 8 }
  next_hop: [${SERVER4}, "${SERVER6}"]
`;

/** A session of a client with the distributor, over IPv4 and over IPv6. */
const neighbors = (own4: string, own6: string, md5: string | undefined) =>
  [
    [SERVER4, own4],
    [SERVER6, own6],
  ].map(([address = '', localAddress = '']) => ({
    address,
    as: 64512,
    localAddress,
    multihop: 8,
    gracefulRestart: 'helper' as const,
    ...(md5 === undefined ? {} : { md5 }),
  }));

/** Until a client has every route from both of its sessions. */
async function hasAll(peer: Peer): Promise<void> {
  let seen: readonly string[] = [];
  const wanted = [...NETWORKS, ...NETWORKS].sort();
  const isSo = async (): Promise<boolean> => {
    const routes = [...(await peer.receivedRoutes('ipv4 unicast')), ...(await peer.receivedRoutes('ipv6 unicast'))];
    seen = routes.map(({ prefix, communities }) => [prefix, ...[...communities].sort()].join(' ')).sort();
    return JSON.stringify(seen) === JSON.stringify(wanted);
  };
  await waitFor(`${peer.kind} to have the tables twice`, isSo, { timeoutMs: 120_000, intervalMs: 100 }).catch((error: unknown) => {
    throw new Error(`${peer.kind} has ${JSON.stringify(seen)}`, { cause: error });
  });
}

/** The addresses of the sessions of a client of the configuration. */
async function sessions(weir: Weir, client: string): Promise<readonly string[]> {
  const answer = await weir.ask((control) => control.call('network-client', { client }));
  return (answer?.sessions ?? []).map(({ address, state }) => `${address} ${state}`).sort();
}

test('the password of a range: BIRD, FRR, GoBGP and OpenBGPD with it get the tables over IPv4 and IPv6, nobody else does', {
  timeout: LONG,
}, async () => {
  const scene = await RoutedLab.make(labForTest());
  const server = await scene.host('server', [SERVER4, SERVER6]);
  const weir = new Weir(scene.lab, server, config(scene.passwordFile(KEY)));
  await weir.start();
  for (const network of NETWORKS) {
    const [prefix = '', ...communities] = network.split(' ');
    const tables = communities.flatMap((community) => ['--table', community === '65000:1' ? 'admins' : 'spammers']);
    await weir.command('network', 'add', prefix, ...tables, '--socket', weir.socket);
  }
  const start = async (name: string, run: StartPeer, [own4, own6]: readonly [string, string], md5: string | undefined): Promise<Peer> =>
    await run(scene.lab, await scene.host(name, [own4, own6]), {
      as: 64513,
      routerId: own4,
      zebra: false,
      neighbors: neighbors(own4, own6, md5),
    });

  const peers: Peer[] = [];
  const wanted: string[] = [];
  for (const [i, [name, run]] of KINDS.entries()) {
    const own = [`198.51.100.${10 + i}`, `2001:db8:5::${10 + i}`] as const;
    peers.push(await start(name, run, own, KEY));
    wanted.push(...own.map((address) => `${address} Established`));
  }
  for (const peer of peers) await hasAll(peer);
  expect(await sessions(weir, 'hosts')).toEqual([...wanted].sort());

  // Another password, none, and one where none is: the kernel drops what they send, and counts it. Both sessions of each have tried twice by then.
  const before = await keyCounters(server);
  const wrong = await start('wrong', startBird, ['198.51.100.20', '2001:db8:5::20'], 'another');
  const none = await start('none', startBird, ['198.51.100.21', '2001:db8:5::21'], undefined);
  const needless = await start('needless', startBird, ['203.0.113.22', '2001:db8:6::22'], KEY);
  await waitFor('the kernel to have dropped what each sends', async () => {
    const now = await keyCounters(server);
    return ['TCPMD5Failure', 'TCPMD5NotFound', 'TCPMD5Unexpected'].every((name) => (now[name] ?? 0) >= (before[name] ?? 0) + 4);
  });
  expect(await sessions(weir, 'hosts')).toEqual([...wanted].sort());
  expect(await sessions(weir, 'open')).toEqual([]);
  expect((await weir.status()).clients).toMatchObject([
    { client: 'hosts', sessions: wanted.length },
    { client: 'open', sessions: 0 },
  ]);
  const shown = await weir.command('network', 'show', '--client', 'hosts', '--socket', weir.socket);
  for (const address of ['198.51.100.10', '2001:db8:5::13']) expect(shown.stdout).toContain(address);
  for (const address of ['198.51.100.20', '198.51.100.21', '2001:db8:5::20']) expect(shown.stdout).not.toContain(address);
  for (const peer of [wrong, none, needless])
    for (const address of [SERVER4, SERVER6]) expect(await peer.sessionState(address)).not.toBe('established');
  await Promise.all([wrong, none, needless].map((peer) => peer.stop()));

  // The distributor calls those that wait for it, with the password of their range.
  await weir.kill();
  await weir.start();
  await waitFor('everybody to be back', async () => JSON.stringify(await sessions(weir, 'hosts')) === JSON.stringify([...wanted].sort()), {
    timeoutMs: 180_000,
  });
  for (const peer of peers) await hasAll(peer);
});
