import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FlowsAnswer } from '../../apps/weir/src/api/index.ts';
import { type Host, type Lab, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { mountBpf } from './mount-bpf.ts';
import { Weir } from './weir.ts';

const VICTIM = '203.0.113.7';

interface Scene {
  readonly lab: Lab;
  readonly attacker: Host;
  readonly border: Host;
  readonly victim: Host;
  readonly controller: Host;
  /** `gobgp` with the API of the controller's daemon. */
  gobgp(...args: readonly string[]): Promise<void>;
}

/** An attacker and a victim behind a border router, and a controller (GoBGP) that speaks with the border. */
async function build(): Promise<Scene> {
  const lab = labForTest();
  const [attacker, border, victim, controller] = await Promise.all(
    ['attacker', 'border', 'victim', 'controller'].map((name) => lab.host(name)),
  );
  if (!attacker || !border || !victim || !controller) throw new Error('no hosts');
  await lab.link(
    { host: attacker, name: 'eth0', addresses: ['198.51.100.1/24'] },
    { host: border, name: 'out', addresses: ['198.51.100.2/24'] },
  );
  await lab.link({ host: border, name: 'in', addresses: ['203.0.113.1/24'] }, { host: victim, name: 'eth0', addresses: [`${VICTIM}/24`] });
  await lab.link(
    { host: border, name: 'mgmt', addresses: ['192.0.2.2/24'] },
    { host: controller, name: 'eth0', addresses: ['192.0.2.1/24'] },
  );
  await border.exec('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  await attacker.exec('ip', ['route', 'add', '203.0.113.0/24', 'via', '198.51.100.2']);
  await victim.exec('ip', ['route', 'add', '198.51.100.0/24', 'via', '203.0.113.1']);
  const families = ['ipv4-unicast', 'ipv4-flowspec', 'ipv6-flowspec'].map((name) => ({ config: { 'afi-safi-name': name } }));
  const file = `${lab.directory('gobgp')}/gobgpd.json`;
  writeFileSync(
    file,
    JSON.stringify({
      global: { config: { as: 64513, 'router-id': '192.0.2.1' } },
      neighbors: [
        {
          config: { 'neighbor-address': '192.0.2.2', 'peer-as': 64512 },
          timers: { config: { 'connect-retry': 1 } },
          'afi-safis': families,
        },
      ],
    }),
  );
  const api = '127.0.0.1:50052';
  controller.spawn('gobgpd', ['-f', file, '-t', 'json', '--api-hosts', api, '--pprof-disable', '--log-plain'], { name: 'gobgpd' });
  const gobgp = async (...args: readonly string[]): Promise<void> => {
    await controller.exec('gobgp', ['-p', '50052', ...args]);
  };
  await waitFor('gobgpd', async () =>
    gobgp('global').then(
      () => true,
      () => false,
    ),
  );
  return { lab, attacker, border, victim, controller, gobgp };
}

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

/** How many of `count` datagrams from a port come in at the victim. */
async function arrive({ attacker, victim }: Scene, sourcePort: number, count = 20): Promise<number> {
  const before = await received(victim);
  const send = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', ${sourcePort}))
for i in range(${count}): s.sendto(b'x' * 400, ('${VICTIM}', 9))`;
  await attacker.exec('python3', ['-c', send]);
  return (await received(victim)) - before;
}

async function received(victim: Host): Promise<number> {
  const { stdout } = await victim.exec('cat', ['/proc/net/snmp']);
  const [names, values] = stdout.split('\n').filter((line) => line.startsWith('Udp:'));
  const at = names?.split(' ') ?? [];
  const value = (name: string): number => Number(values?.split(' ')[at.indexOf(name)] ?? 0);
  return value('InDatagrams') + value('NoPorts');
}

async function flows(weir: Weir): Promise<FlowsAnswer> {
  const answer = await weir.ask((client) => client.call('flows', {}));
  if (!answer) throw new Error('no answer');
  return answer;
}

test('a reflection attack is stopped by the announcement of a controller, and passes again after its withdrawal', async () => {
  const scene = await build();
  const weir = new Weir(scene.lab, scene.border, CONFIG);
  await weir.start();
  await weir.established(1);
  expect(await arrive(scene, 123)).toBe(20);

  const ntp = ['match', 'destination', `${VICTIM}/32`, 'protocol', 'udp', 'source-port', '==123', 'then', 'discard'];
  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'add', ...ntp);
  await waitFor('the attack to be stopped', async () => (await arrive(scene, 123)) === 0);
  expect(await arrive(scene, 53)).toBe(20);
  const { flows: shown, peers } = await flows(weir);
  expect(peers).toMatchObject([{ peer: 'controller', rules: 1, enforced: 1 }]);
  expect(shown).toMatchObject([{ flow: 'flow4 { dst 203.0.113.7/32; proto 17; sport 123; }', state: 'enforced', actions: ['discard'] }]);
  expect(shown[0]?.counters?.[0]?.packets).toBeGreaterThanOrEqual(20);

  // What was in force is in force after a crash, before anything is learned.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await weir.kill();
  expect(await arrive(scene, 123)).toBe(0);
  await weir.start();
  expect(await arrive(scene, 123)).toBe(0);
  await weir.established(1);

  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'del', ...ntp);
  await waitFor('the way to be open', async () => (await arrive(scene, 123)) === 20, { timeoutMs: 60_000 });
});

test('what the guard does not allow is refused and said; the protected address survives', async () => {
  const scene = await build();
  const weir = new Weir(scene.lab, scene.border, CONFIG);
  await weir.start();
  await weir.established(1);
  const add = (...args: readonly string[]): Promise<void> => scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'add', ...args);
  await add('match', 'destination', '203.0.0.0/16', 'then', 'discard');
  await add('match', 'destination', '203.0.113.0/24', 'then', 'discard');
  await waitFor('both', async () => (await flows(weir)).flows.length === 2);
  expect((await flows(weir)).flows.map(({ state, refused }) => [state, refused?.reason])).toEqual([
    ['enforced', undefined],
    ['refused', 'length'],
  ]);
  await waitFor('the discard', async () => (await arrive(scene, 53)) === 0);
  expect(await scene.attacker.tcpConnect('203.0.113.1', 9)).toBe('refused');
  const shown = await weir.command('flow', 'show', '--socket', weir.socket);
  expect(shown.stdout).toContain('refused (length)');
});

test('rules of our own are announced, again after a restart, and withdrawn', async () => {
  const scene = await build();
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
  await waitFor('gobgpd to lose it', async () => !(await heard()).includes('203.0.113.9/32'), { timeoutMs: 30_000 });
  await weir.start();
  await waitFor('gobgpd to hear it again', async () => (await heard()).includes('203.0.113.9/32'), { timeoutMs: 30_000 });
  expect((await flows(weir)).announced).toMatchObject([{ flow: rule, peers: ['controller'], told: ['controller'] }]);
  await weir.command('flow', 'delete', rule, '--socket', weir.socket);
  await waitFor('gobgpd to lose it for good', async () => !(await heard()).includes('203.0.113.9/32'));
});

test.each(['xdp', 'tc'])('programs at %s stop an attack while it is announced', async (at) => {
  // Before the lab: it is taken away after what runs there.
  const pins = join(await mountBpf(), 'weir');
  const scene = await build();
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
  expect((await flows(weir)).flows[0]?.counters?.[0]?.packets).toBeGreaterThanOrEqual(20);
  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', 'del', ...rule);
  await waitFor('the way to be open', async () => (await arrive(scene, 123)) === 20, { timeoutMs: 30_000 });
  await weir.stop();
});
