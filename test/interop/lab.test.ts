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

const daemons: { name: string; start: StartPeer; partner: StartPeer; shutdown?: false }[] = [
  { name: 'FRR', start: startFrr, partner: startBird },
  { name: 'GoBGP', start: startGobgp, partner: startBird },
  { name: 'BIRD', start: startBird, partner: startFrr },
  { name: 'OpenBGPD', start: startOpenbgpd, partner: startFrr },
  { name: 'ExaBGP', start: startExabgp, partner: startBird, shutdown: false },
];

describe.each(daemons)('$name, as a driver', ({ start, partner, shutdown }) => {
  test('is killed and comes back with what it announced', async () => {
    const { a, b } = await pair(labForTest(), start, partner);
    await a.announce('203.0.113.0/24', { communities: ['64512:80'] });
    await waitFor('the route', () => heard(b, '203.0.113.0/24'));
    await a.kill9();
    await waitFor('the loss', async () => (await heard(b, '203.0.113.0/24')) === undefined);
    await a.restart();
    await a.waitEstablished(addressB);
    expect(await waitFor('the route again', () => heard(b, '203.0.113.0/24'))).toMatchObject({ communities: ['64512:80'] });
    await a.stop();
    await waitFor('the loss', async () => (await heard(b, '203.0.113.0/24')) === undefined);
  });

  test('announces and withdraws 2,000 prefixes', async () => {
    const { a, b } = await pair(labForTest(), start, partner);
    const prefixes = Array.from({ length: 2_000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`);
    await a.announceMany(prefixes, { communities: ['64512:80'] });
    const count = async () => (await b.receivedRoutes('ipv4 unicast')).filter((route) => route.communities.join() === '64512:80').length;
    await waitFor('2,000 routes', async () => (await count()) === 2_000);
    await a.withdrawMany(prefixes.slice(0, 10));
    await waitFor('10 fewer', async () => (await count()) === 1_990);
  });

  test('is shut down with a message and enabled again, or says that it cannot be', async () => {
    const { a } = await pair(labForTest(), start, partner);
    if (shutdown === false) {
      await expect(a.shutdown(addressB, 'maintenance')).rejects.toMatchObject({ code: 'unsupported' });
      return;
    }
    await a.shutdown(addressB, 'maintenance');
    await waitFor('the end of the session', async () => (await a.sessionState(addressB)) !== 'established');
    await a.enable(addressB);
    await a.waitEstablished(addressB);
    await a.refresh(addressB);
  });

  test('TTL security, and a short hold time', async () => {
    await pair(labForTest(), start, partner, { ttlSecurity: 1, holdTime: 9 });
  });

  test('TCP MD5: the right password only', async () => {
    const lab = labForTest();
    const { a } = await pair(lab, start, partner, { md5: 'right' });
    expect(await a.sessionState(addressB)).toBe('established');
    const host = await lab.host('c');
    const hostB = await lab.host('d');
    await lab.link({ host, addresses: [`${addressA}/24`] }, { host: hostB, addresses: [`${addressB}/24`] });
    const c = await start(lab, host, { as: 64512, routerId: addressA, neighbors: [{ address: addressB, as: 64513, md5: 'wrong' }] });
    await partner(lab, hostB, { as: 64513, routerId: addressB, neighbors: [{ address: addressA, as: 64512, md5: 'right' }] });
    await expect(c.waitEstablished(addressB, 3_000)).rejects.toMatchObject({ code: 'wait-timeout' });
  });

  test('offers graceful restart and add-path', async () => {
    await pair(labForTest(), start, partner, { gracefulRestart: 60, addPath: 'both' });
  });

  test('speaks IPv6 over its own session, iBGP', async () => {
    const lab = labForTest();
    const hosts = [await lab.host('a'), await lab.host('b')] as const;
    await lab.link({ host: hosts[0], addresses: ['2001:db8::1/64'] }, { host: hosts[1], addresses: ['2001:db8::2/64'] });
    const families = ['ipv6 unicast'] as const;
    const a = await start(lab, hosts[0], { as: 64512, routerId: addressA, neighbors: [{ address: '2001:db8::2', as: 64512, families }] });
    const b = await partner(lab, hosts[1], { as: 64512, routerId: addressB, neighbors: [{ address: '2001:db8::1', as: 64512, families }] });
    await a.waitEstablished('2001:db8::2');
    await a.announce('2001:db8:a::/48', { communities: ['64512:80'] });
    expect(await waitFor('the route', () => heard(b, '2001:db8:a::/48'))).toMatchObject({ communities: ['64512:80'] });
  });
});

test('the path of a service: cluster, edge, tunnel, core, and a speaker beside it on 127.0.0.1 and ::1', async () => {
  const lab = labForTest();
  const [cluster, edge, core] = [
    await lab.host('cluster'),
    await lab.host('edge', { forwarding: true }),
    await lab.host('core', { forwarding: true }),
  ] as const;
  await lab.link(
    { host: cluster, addresses: ['192.0.2.2/30', '2001:db8:1::2/64'] },
    { host: edge, addresses: ['192.0.2.1/30', '2001:db8:1::1/64'] },
  );
  await lab.link({ host: edge, addresses: ['198.51.100.2/30'] }, { host: core, addresses: ['198.51.100.1/30'] });
  await lab.wireguard(
    { host: edge, endpoint: '198.51.100.2', addresses: ['10.99.0.2/30', 'fd00:99::2/64'] },
    { host: core, endpoint: '198.51.100.1', addresses: ['10.99.0.1/30', 'fd00:99::1/64'] },
  );
  const gobgp = await startGobgp(lab, cluster, { as: 64513, routerId: '192.0.2.2', neighbors: [{ address: '192.0.2.1', as: 64512 }] });
  await startFrr(lab, edge, {
    as: 64512,
    routerId: '10.99.0.2',
    neighbors: [
      { address: '192.0.2.2', as: 64513 },
      { address: '10.99.0.1', as: 64512, localAddress: '10.99.0.2', nextHopSelf: true },
    ],
  });
  const coreFrr = await startFrr(lab, core, {
    as: 64512,
    routerId: '10.99.0.1',
    neighbors: [
      { address: '10.99.0.2', as: 64512, localAddress: '10.99.0.1' },
      { address: '127.0.0.1', as: 64512, localAddress: '127.0.0.1', reflectorClient: true, families: ['ipv4 unicast'], passive: true },
      { address: '::1', as: 64512, localAddress: '::1', reflectorClient: true, families: ['ipv6 unicast'], passive: true },
    ],
  });
  const exabgp = await startExabgp(lab, core, {
    as: 64512,
    routerId: '127.0.0.2',
    neighbors: [
      { address: '127.0.0.1', as: 64512, localAddress: '127.0.0.1', families: ['ipv4 unicast'] },
      { address: '::1', as: 64512, localAddress: '::1', families: ['ipv6 unicast'] },
    ],
  });
  await Promise.all([
    gobgp.waitEstablished('192.0.2.1'),
    coreFrr.waitEstablished('10.99.0.2'),
    exabgp.waitEstablished('127.0.0.1'),
    exabgp.waitEstablished('::1'),
  ]);
  await gobgp.announce('203.0.113.10/32', { communities: ['64512:80'] });
  await gobgp.announce('2001:db8:80::10/128', { communities: ['64512:80'], nextHop: '2001:db8:1::2' });
  for (const prefix of ['203.0.113.10/32', '2001:db8:80::10/128']) {
    expect(await waitFor(prefix, () => heard(exabgp, prefix))).toMatchObject({ communities: ['64512:80'] });
    await waitFor(
      `a route to ${prefix} through the tunnel`,
      async () =>
        (await core.ip('route', 'show', prefix)).includes('wg0') || (await core.ip('-6', 'route', 'show', prefix)).includes('wg0'),
    );
    await gobgp.withdraw(prefix);
    await waitFor(`the loss of ${prefix}`, async () => (await heard(exabgp, prefix)) === undefined);
  }
});
