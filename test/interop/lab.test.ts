import { describe, expect, test } from 'vitest';
import { type Host, type Lab, waitFor } from '../lab/index.ts';
import { startBird } from '../lab/peers/bird.ts';
import { startExabgp } from '../lab/peers/exabgp.ts';
import { startFrr } from '../lab/peers/frr.ts';
import { startGobgp } from '../lab/peers/gobgp.ts';
import { startOpenbgpd } from '../lab/peers/openbgpd.ts';
import type { NeighborConfig, Peer, StartPeer } from '../lab/peers/peer.ts';
import { labForTest } from '../lab/vitest.ts';

interface Pair {
  readonly a: Peer;
  readonly b: Peer;
}

const addressA = '192.0.2.1';
const addressB = '192.0.2.2';

/** Two daemons on one link, AS 64512 and AS 64513, both families over one IPv4 session. */
async function pair(lab: Lab, startA: StartPeer, startB: StartPeer, options: Partial<NeighborConfig> = {}): Promise<Pair> {
  const hosts: Host[] = [await lab.host('a', { forwarding: true }), await lab.host('b', { forwarding: true })];
  const [hostA, hostB] = hosts as [Host, Host];
  await lab.link(
    { host: hostA, addresses: [`${addressA}/24`, '2001:db8::1/64'] },
    { host: hostB, addresses: [`${addressB}/24`, '2001:db8::2/64'] },
  );
  const [a, b] = await Promise.all([
    startA(lab, hostA, { as: 64512, routerId: addressA, neighbors: [{ address: addressB, as: 64513, ...options }] }),
    startB(lab, hostB, { as: 64513, routerId: addressB, neighbors: [{ address: addressA, as: 64512, ...options }] }),
  ]);
  await Promise.all([a.waitEstablished(addressB), b.waitEstablished(addressA)]);
  return { a, b };
}

async function heard(peer: Peer, prefix: string): Promise<unknown> {
  const routes = await peer.receivedRoutes(prefix.includes(':') ? 'ipv6 unicast' : 'ipv4 unicast');
  const route = routes.find((one) => one.prefix === prefix);
  return route && { communities: route.communities, large: route.large };
}

/** One way: a route with communities arrives as it was sent, changes, and goes. */
async function exchange(from: Peer, to: Peer, v4: string, v6: string): Promise<void> {
  const first = { communities: ['64512:80', '64512:443'], large: ['64512:1:2'] };
  for (const [prefix, nextHop] of [
    [v4, undefined],
    [v6, from.host.name === 'a' ? '2001:db8::1' : '2001:db8::2'],
  ] as const) {
    const hop = nextHop === undefined ? {} : { nextHop };
    await from.announce(prefix, { ...first, ...hop });
    expect(
      [...((await waitFor(`${prefix} at ${to.kind}`, () => heard(to, prefix))) as { communities: string[] }).communities].sort(),
    ).toEqual(['64512:443', '64512:80']);
    expect(await heard(to, prefix)).toMatchObject({ large: ['64512:1:2'] });
    await from.announce(prefix, hop);
    await waitFor(
      `${prefix} without communities at ${to.kind}`,
      async () => ((await heard(to, prefix)) as { communities: string[] } | undefined)?.communities.length === 0,
    );
    await from.withdraw(prefix);
    await waitFor(`${to.kind} to lose ${prefix}`, async () => (await heard(to, prefix)) === undefined);
  }
}

const pairs: { name: string; a: StartPeer; b: StartPeer }[] = [
  { name: 'FRR and GoBGP', a: startFrr, b: startGobgp },
  { name: 'BIRD and OpenBGPD', a: startBird, b: startOpenbgpd },
  { name: 'ExaBGP and BIRD', a: startExabgp, b: startBird },
];

describe.each(pairs)('$name', ({ a: startA, b: startB }) => {
  test('announce, replace, withdraw, both ways', async () => {
    const { a, b } = await pair(labForTest(), startA, startB);
    await exchange(a, b, '203.0.113.0/24', '2001:db8:a::/48');
    await exchange(b, a, '198.51.100.7/32', '2001:db8:b::7/128');
  });
});
