import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '../lab/index.ts';
import { arrive, buildFlowScene, flowsOf, VICTIM } from './flow-scene.ts';
import { mountBpf } from './mount-bpf.ts';
import { Weir } from './weir.ts';

const CONFIG = `bgp:
  as: 64512
  router_id: 192.0.2.2
  peers:
    - { name: controller, address: 192.0.2.1, as: 64513, families: [ipv4 unicast, ipv4 flow, ipv6 flow], flow_validation: off }
flowspec:
  guards:
    - { peers: [controller], actions: [discard, rate, sample, mark], min_length: { ipv4: 24, ipv6: 48 } }
  protected: [203.0.113.1/32]
  on_session_loss: withdraw
  announce: { peers: [controller] }
`;

test('a reflection attack is stopped by the announcement of a controller, and passes again after its withdrawal', async () => {
  const scene = await buildFlowScene();
  const weir = new Weir(scene.lab, scene.border, CONFIG);
  await weir.start();
  await weir.established(1);
  expect(await arrive(scene, 123)).toBe(20);

  const ntp = ['match', 'destination', `${VICTIM}/32`, 'protocol', 'udp', 'source-port', '==123', 'then', 'discard'];
  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'add', ...ntp);
  await waitFor('the attack to be stopped', async () => (await arrive(scene, 123)) === 0);
  expect(await arrive(scene, 53)).toBe(20);
  const { flows: shown, peers } = await flowsOf(weir);
  expect(peers).toMatchObject([{ peer: 'controller', rules: 1, enforced: 1 }]);
  expect(shown).toMatchObject([{ flow: 'flow4 { dst 203.0.113.7/32; proto 17; sport 123; }', state: 'enforced', actions: ['discard'] }]);
  expect(shown[0]?.counters?.[0]?.packets).toBeGreaterThanOrEqual(20);

  // What was in force is in force after a crash, before anything is learned.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await weir.kill();
  expect(await arrive(scene, 123)).toBe(0);
  // Nor does it take a daemon after a boot.
  await scene.border.nft('flush ruleset');
  expect(await arrive(scene, 123)).toBe(20);
  await weir.restore();
  expect(await arrive(scene, 123)).toBe(0);
  await weir.start();
  expect(await arrive(scene, 123)).toBe(0);
  await weir.established(1);

  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'del', ...ntp);
  await waitFor('the way to be open', async () => (await arrive(scene, 123)) === 20, { timeoutMs: 60_000 });
});

test('what the guard does not allow is refused and said; the protected address survives', async () => {
  const scene = await buildFlowScene();
  const weir = new Weir(scene.lab, scene.border, CONFIG);
  await weir.start();
  await weir.established(1);
  const add = (...args: readonly string[]): Promise<void> => scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'add', ...args);
  await add('match', 'destination', '203.0.0.0/16', 'then', 'discard');
  await add('match', 'destination', '203.0.113.0/24', 'then', 'discard');
  await waitFor('both', async () => (await flowsOf(weir)).flows.length === 2);
  expect((await flowsOf(weir)).flows.map(({ state, refused }) => [state, refused?.reason])).toEqual([
    ['enforced', undefined],
    ['refused', 'length'],
  ]);
  await waitFor('the discard', async () => (await arrive(scene, 53)) === 0);
  expect(await scene.attacker.tcpConnect('203.0.113.1', 9)).toBe('refused');
  const shown = await weir.command('flow', 'show', '--socket', weir.socket);
  expect(shown.stdout).toContain('refused (length)');
});

test('rules of our own are announced, again after a restart, and withdrawn', async () => {
  const scene = await buildFlowScene();
  const weir = new Weir(scene.lab, scene.border, CONFIG);
  await weir.start();
  await weir.established(1);
  const rule = 'flow4 { dst 203.0.113.9/32; proto 17; }';
  await weir.command('flow', 'add', rule, '--rate-bytes', '1000', '--socket', weir.socket);
  const heard = async (): Promise<string> =>
    (await scene.controller.exec('gobgp', ['-p', '50052', 'global', 'rib', '-a', 'ipv4-flowspec'])).stdout;
  await waitFor('gobgpd to hear the rule', async () => (await heard()).includes('203.0.113.9/32'));
  expect(await heard()).toContain('rate: 1000');
  await weir.kill();
  await waitFor('gobgpd to lose it', async () => !(await heard()).includes('203.0.113.9/32'));
  await weir.start();
  await waitFor('gobgpd to hear it again', async () => (await heard()).includes('203.0.113.9/32'));
  expect((await flowsOf(weir)).announced).toMatchObject([{ flow: rule, peers: ['controller'], told: ['controller'] }]);
  await weir.command('flow', 'delete', rule, '--socket', weir.socket);
  await waitFor('gobgpd to lose it for good', async () => !(await heard()).includes('203.0.113.9/32'));
});

test.each(['xdp', 'tc'])('programs at %s stop an attack while it is announced', async (at) => {
  // Before the lab: it is taken away after what runs there.
  const pins = join(await mountBpf(), 'weir');
  const scene = await buildFlowScene();
  const places = at === 'xdp' ? 'xdp: { interfaces: [out], on_exit: detach }' : 'tc: { ingress: [out], on_exit: detach }';
  const weir = new Weir(
    scene.lab,
    scene.border,
    `${CONFIG.replace('flowspec:', `flowspec:\n  at: ${at}`)}ebpf:\n  ${places}\n  pin_directory: ${pins}\n`,
  );
  await weir.start();
  await weir.established(1);
  const rule = ['match', 'destination', `${VICTIM}/32`, 'protocol', 'udp', 'source-port', '==123', 'then', 'discard'];
  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'add', ...rule);
  await waitFor('the attack to be stopped', async () => (await arrive(scene, 123)) === 0);
  expect(await arrive(scene, 53)).toBe(20);
  expect((await flowsOf(weir)).flows[0]?.counters?.[0]?.packets).toBeGreaterThanOrEqual(20);
  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'del', ...rule);
  await waitFor('the way to be open', async () => (await arrive(scene, 123)) === 20);
  await weir.stop();
});
