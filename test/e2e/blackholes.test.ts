import { expect, test } from 'vitest';
import type { BlackholesAnswer } from '../../apps/weir/src/api/index.ts';
import { type AddressFamily, type Peer, type StartPeer, startBird, startFrr, startGobgp, waitFor } from '../lab/index.ts';
import { arrive, buildFlowScene, type FlowScene, flowsOf, VICTIM } from './flow-scene.ts';
import { Weir } from './weir.ts';

const UPSTREAM = '192.0.2.129';
const BORDER = '192.0.2.130';
const SLOW = { timeoutMs: 60_000 };

/** The flow scene with an upstream behind the border, which bridges the restarts of its neighbour. */
async function build(startPeer: StartPeer): Promise<{ readonly scene: FlowScene; readonly upstream: Peer }> {
  const scene = await buildFlowScene();
  const host = await scene.lab.host('upstream');
  await scene.lab.link(
    { host: scene.border, name: 'up', addresses: [`${BORDER}/25`, '2001:db8:1::2/64'] },
    { host, name: 'eth0', addresses: [`${UPSTREAM}/25`, '2001:db8:1::1/64'] },
  );
  const upstream = await startPeer(scene.lab, host, {
    as: 64496,
    routerId: UPSTREAM,
    neighbors: [{ address: BORDER, as: 64512, gracefulRestart: 'helper' }],
  });
  return { scene, upstream };
}

const CONFIG = `bgp:
  as: 64512
  router_id: 192.0.2.2
  peers:
    - { name: controller, address: 192.0.2.1, as: 64513, families: [ipv4 unicast, ipv4 flow, ipv6 flow], flow_validation: off }
    - { name: upstream, address: ${UPSTREAM}, as: 64496, families: [ipv4 unicast, ipv6 unicast] }
sets:
  blackholed:
    kind: deny
    communities: [blackhole]
    guard: { peers: [controller], prefixes_of: { controller: [203.0.113.0/25] }, lengths: { ipv4: 25..32, ipv6: 64..128 } }
    on_session_loss: withdraw
  bad_sources:
    kind: deny
    communities: ["64512:667"]
    guard: { peers: [controller] }
    on_session_loss: withdraw
flowspec:
  guards:
    - { peers: [controller], destinations: [203.0.113.0/24] }
  from_sets:
    - { set: blackholed, enforce: true, peers: [controller] }
    - { set: bad_sources, as: source, match: "proto 17; sport 123", enforce: true }
  on_session_loss: withdraw
blackholes:
  announce:
    peers: [upstream]
    prefixes: [203.0.113.0/24, "2001:db8:113::/48"]
    next_hop: ["2001:db8:1::66"]
    max_routes: 3
  from_flows: { peers: [controller] }
protected: [203.0.113.1/32]
`;

async function start(
  startPeer: StartPeer = startBird,
): Promise<{ readonly scene: FlowScene; readonly upstream: Peer; readonly weir: Weir }> {
  const built = await build(startPeer);
  const weir = new Weir(built.scene.lab, built.scene.border, CONFIG);
  await weir.start();
  await weir.established(2);
  return { ...built, weir };
}

/** Prefixes with their communities, as the upstream has them. */
async function heard(upstream: Peer, family: AddressFamily = 'ipv4 unicast'): Promise<readonly string[]> {
  return (await upstream.receivedRoutes(family)).map(({ prefix, communities }) => `${prefix} ${communities.join(' ')}`);
}

/** Kills Weir and starts it again; how often the upstream had lost a route of either family meanwhile. */
async function lostInRestart(weir: Weir, upstream: Peer): Promise<number> {
  await weir.kill();
  let lost = 0;
  let over = false;
  const looking = (async () => {
    while (!over) if ((await heard(upstream)).length === 0 || (await heard(upstream, 'ipv6 unicast')).length === 0) lost++;
  })();
  await weir.start();
  await waitFor(
    'the upstream to be told again',
    async () => (await blackholes(weir)).announced.every(({ told }) => told.length === 1),
    SLOW,
  );
  // What is not said again goes with End-of-RIB, and not after it.
  await upstream.refresh(BORDER);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  over = true;
  await looking;
  return lost;
}

async function blackholes(weir: Weir): Promise<BlackholesAnswer> {
  const answer = await weir.ask((client) => client.call('blackholes', {}));
  if (!answer) throw new Error('no answer');
  return answer;
}

test('routes by hand are announced with their communities, through a restart without being withdrawn, until their time is over', async () => {
  const { upstream, weir } = await start();
  const run = (...args: readonly string[]) => weir.command('blackhole', ...args, '--socket', weir.socket);
  await run('add', '203.0.113.7', '--comment', 'reflection');
  await run('add', '2001:db8:113::7/128', '--community', 'blackhole', '--community', '64496:666');
  await waitFor(
    'the upstream to hear both',
    async () => (await heard(upstream, 'ipv6 unicast')).length === 1 && (await heard(upstream)).length === 1,
    SLOW,
  );
  expect(await heard(upstream)).toEqual(['203.0.113.7/32 65535:666 65535:65281']);
  expect(await heard(upstream, 'ipv6 unicast')).toEqual(['2001:db8:113::7/128 65535:666 64496:666']);
  expect((await upstream.receivedRoutes('ipv6 unicast'))[0]?.nextHop).toContain('2001:db8:1::66');
  await expect(run('add', '198.51.100.7/32')).rejects.toThrow('not in blackholes.announce.prefixes');
  await expect(run('add', '203.0.113.0/24')).rejects.toThrow('shorter than 32 bits');
  await expect(run('add', '203.0.113.1/32')).rejects.toThrow('protected');
  await expect(run('delete', '203.0.113.8/32')).rejects.toThrow('no blackhole route');

  expect(await lostInRestart(weir, upstream)).toBe(0);
  expect((await run('show')).stdout).toContain('203.0.113.7/32 with 65535:666, 65535:65281; told to upstream');

  await run('add', '203.0.113.9/32', '--until', '4s');
  await waitFor('the upstream to hear a third', async () => (await heard(upstream)).length === 2, SLOW);
  await expect(run('add', '203.0.113.10/32')).rejects.toThrow('max_routes');
  await waitFor('its time to be over', async () => (await heard(upstream)).length === 1, SLOW);
  await run('delete', '203.0.113.7/32');
  await waitFor('the upstream to lose it', async () => (await heard(upstream)).length === 0, SLOW);
  // Nothing that was heard is announced or installed.
  expect((await weir.host.exec('ip', ['route', 'show', 'table', 'all', 'type', 'blackhole'])).stdout).toBe('');
});

test.each<{ readonly name: string; readonly startPeer: StartPeer; readonly community: string }>([
  { name: 'GoBGP', startPeer: startGobgp, community: '65535:666' },
  { name: 'FRR', startPeer: startFrr, community: 'blackhole' },
])('a restart withdraws nothing at $name', async ({ startPeer, community }) => {
  const { upstream, weir } = await start(startPeer);
  for (const prefix of ['203.0.113.7/32', '2001:db8:113::7/128']) await weir.command('blackhole', 'add', prefix, '--socket', weir.socket);
  const both = async () => (await heard(upstream, 'ipv6 unicast')).length === 1 && (await heard(upstream)).length === 1;
  await waitFor('the upstream to hear both', both, SLOW);
  expect((await upstream.receivedRoutes('ipv4 unicast'))[0]?.communities).toContain(community);
  expect(await lostInRestart(weir, upstream)).toBe(0);
});

test('a blackhole route becomes a member and a flow rule: packets are dropped here, the rule is told on; with the route both go', async () => {
  const { scene, weir } = await start();
  expect(await arrive(scene, 123)).toBe(20);
  const add = (prefix: string, community: string) => scene.gobgp('global', 'rib', 'add', prefix, 'community', community);
  await add(`${VICTIM}/32`, '65535:666');
  // Outside of what the peer may have blackholed, and too short.
  await add('203.0.113.200/32', '65535:666');
  await add('203.0.113.0/24', '65535:666');
  await waitFor('the attack to be stopped', async () => (await arrive(scene, 123)) === 0, SLOW);
  expect(await arrive(scene, 53)).toBe(0);
  const rules = async () => (await scene.controller.exec('gobgp', ['-p', '50052', 'global', 'rib', '-a', 'ipv4-flowspec'])).stdout;
  await waitFor('the rule to be told', async () => (await rules()).includes(`${VICTIM}/32`), SLOW);
  expect(await rules()).not.toContain('203.0.113.200/32');
  expect((await flowsOf(weir)).from_sets).toMatchObject([
    { set: 'blackholed', rules: 1 },
    { set: 'bad_sources', rules: 0 },
  ]);
  // In force and shown as what a peer announces is, and in force after a crash before anything is learned.
  expect((await flowsOf(weir)).flows.filter(({ peer }) => peer === 'set blackholed')).toMatchObject([
    { state: 'enforced', actions: ['discard'] },
  ]);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await weir.kill();
  expect(await arrive(scene, 123)).toBe(0);
  await weir.start();
  expect(await arrive(scene, 123)).toBe(0);
  await weir.established(2);
  await scene.gobgp('global', 'rib', 'del', `${VICTIM}/32`);
  await waitFor('the way to be open', async () => (await arrive(scene, 123)) === 20, SLOW);
  await waitFor('the rule to be withdrawn', async () => !(await rules()).includes(`${VICTIM}/32`), SLOW);

  await add('198.51.100.1/32', '64512:667');
  await waitFor('the source to be stopped', async () => (await arrive(scene, 123)) === 0, SLOW);
  expect(await arrive(scene, 53)).toBe(20);
  await scene.gobgp('global', 'rib', 'del', '198.51.100.1/32');
  await waitFor('the source to be let in', async () => (await arrive(scene, 123)) === 20, SLOW);
});

test('a flow rule that discards one destination becomes a blackhole route; another does not', async () => {
  const { scene, upstream, weir } = await start();
  const flow = (verb: 'add' | 'del', ...match: readonly string[]) =>
    scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', verb, 'match', ...match, 'then', 'discard');
  await flow('add', 'destination', '203.0.113.9/32', 'protocol', 'udp');
  await flow('add', 'destination', '203.0.113.1/32');
  await flow('add', 'destination', `${VICTIM}/32`);
  await waitFor('the upstream to hear it', async () => (await heard(upstream)).length > 0, SLOW);
  expect(await heard(upstream)).toEqual([`${VICTIM}/32 65535:666 65535:65281`]);
  const { from_flows: routes, from_flows_counts: counts } = await blackholes(weir);
  expect(routes).toMatchObject([{ prefix: `${VICTIM}/32`, told: ['upstream'], because: [`flow4 { dst ${VICTIM}/32; } of controller`] }]);
  expect(counts).toEqual({ routes: 1, waiting: 0, refused: { protected: 1 } });
  await flow('del', 'destination', `${VICTIM}/32`);
  await waitFor('the upstream to lose it', async () => (await heard(upstream)).length === 0, SLOW);
});
