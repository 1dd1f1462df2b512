import { expect, test } from 'vitest';
import type { FlowsAnswer } from '../../apps/weir/src/api/index.ts';
import { type Host, type Lab, startExabgp, startGobgp, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { mountBpf } from './mount-bpf.ts';
import { Weir } from './weir.ts';

const VICTIM = '203.0.113.7';
const VICTIM6 = '2001:db8:3::7';
const NTP = 123;

interface Scene {
  readonly lab: Lab;
  readonly attacker: Host;
  readonly border: Host;
  readonly victim: Host;
  readonly scrubber: Host;
  readonly controller: Host;
  /** What ExaBGP announces, in its words. */
  flow(what: 'announce' | 'withdraw', match: string, then: string): Promise<void>;
}

/** An attacker, a border router with a victim behind it and a scrubber on another link, and a controller (ExaBGP). Both hosts have the victim's addresses. */
async function build(): Promise<Scene> {
  const lab = labForTest();
  const [attacker, border, victim, scrubber, controller] = await Promise.all(
    ['attacker', 'border', 'victim', 'scrubber', 'controller'].map((name) => lab.host(name)),
  );
  if (!attacker || !border || !victim || !scrubber || !controller) throw new Error('no hosts');
  await lab.link(
    { host: attacker, name: 'eth0', addresses: ['198.51.100.1/24', '2001:db8:1::1/64'] },
    { host: border, name: 'out', addresses: ['198.51.100.2/24', '2001:db8:1::2/64'] },
  );
  await lab.link(
    { host: border, name: 'in', addresses: ['203.0.113.1/24', '2001:db8:3::1/64'] },
    { host: victim, name: 'eth0', addresses: [`${VICTIM}/24`, `${VICTIM6}/64`] },
  );
  await lab.link(
    { host: border, name: 'clean', addresses: ['192.0.2.129/26', '2001:db8:2::1/64'] },
    { host: scrubber, name: 'eth0', addresses: ['192.0.2.130/26', '2001:db8:2::2/64'] },
  );
  await lab.link(
    { host: border, name: 'mgmt', addresses: ['192.0.2.2/26'] },
    { host: controller, name: 'eth0', addresses: ['192.0.2.1/26'] },
  );
  await border.exec('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  // Strict: the way back to the attacker is looked up without the mark.
  await border.sysctl('net.ipv4.conf.all.rp_filter', 1);
  await attacker.ip('route', 'add', '203.0.113.0/24', 'via', '198.51.100.2');
  await attacker.ip('-6', 'route', 'add', '2001:db8:3::/64', 'via', '2001:db8:1::2');
  await victim.ip('-6', 'route', 'add', '2001:db8:1::/64', 'via', '2001:db8:3::1');
  for (const host of [victim, scrubber]) await host.sysctl('net.ipv4.conf.all.rp_filter', 0);
  for (const host of [victim, scrubber]) await host.sysctl('net.ipv4.conf.eth0.rp_filter', 0);
  await scrubber.ip('address', 'add', `${VICTIM}/32`, 'dev', 'lo');
  await scrubber.ip('-6', 'address', 'add', `${VICTIM6}/128`, 'dev', 'lo');
  await scrubber.ip('route', 'add', 'default', 'via', '192.0.2.129');
  await scrubber.ip('-6', 'route', 'add', 'default', 'via', '2001:db8:2::1');
  await victim.ip('route', 'add', 'default', 'via', '203.0.113.1');
  const families = ['ipv4 flow', 'ipv6 flow'] as const;
  const neighbors = [{ address: '192.0.2.2', as: 64512, families, passive: true }];
  const exabgp = await startExabgp(lab, controller, { as: 64513, routerId: '192.0.2.1', listen: ['192.0.2.1'], neighbors });
  const flow = async (what: 'announce' | 'withdraw', match: string, then: string): Promise<void> => {
    await exabgp.command(`${what} flow route { match { ${match} } then { ${then}; } }`);
  };
  return { lab, attacker, border, victim, scrubber, controller, flow };
}

const FAMILIES = 'families: [ipv4 flow, ipv6 flow], flow_validation: off';
const SECOND = `    - { name: second, address: 192.0.2.66, as: 64514, ${FAMILIES} }\n`;

const config = (more: string, peers = ''): string => `bgp:
  as: 64512
  router_id: 192.0.2.2
  peers:
    - { name: controller, address: 192.0.2.1, as: 64513, ${FAMILIES} }
${peers}flowspec:
  guards:
    - { peers: [controller${peers === '' ? '' : ', second'}], actions: [discard, redirect] }
  redirects:
    - { target: "64512:80", table: 100 }
  on_session_loss: withdraw
${more}`;

/** Where `count` datagrams from a port come in: at the victim, and at the scrubber. */
async function arrive({ attacker, victim, scrubber }: Scene, port: number, to = VICTIM, count = 20): Promise<readonly [number, number]> {
  const before = await Promise.all([received(victim), received(scrubber)]);
  const send = `import socket
s = socket.socket(socket.AF_INET6 if ':' in '${to}' else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', ${port}))
for i in range(${count}): s.sendto(b'x' * 400, ('${to}', 9))`;
  await attacker.exec('python3', ['-c', send]);
  const after = await Promise.all([received(victim), received(scrubber)]);
  return [after[0] - before[0], after[1] - before[1]];
}

/** Datagrams that a host has taken, whether anybody listened or not. */
async function received(host: Host): Promise<number> {
  const { stdout } = await host.exec('cat', ['/proc/net/snmp', '/proc/net/snmp6']);
  const lines = stdout.split('\n');
  const [names = '', values = ''] = lines.filter((line) => line.startsWith('Udp:'));
  const value = (name: string): number => Number(values.split(' ')[names.split(' ').indexOf(name)] ?? 0);
  const value6 = (name: string): number => Number(lines.find((line) => line.startsWith(`${name} `))?.split(/\s+/)[1] ?? 0);
  return value('InDatagrams') + value('NoPorts') + value6('Udp6InDatagrams') + value6('Udp6NoPorts');
}

const AT_VICTIM = [20, 0];
const AT_SCRUBBER = [0, 20];
const from = async (scene: Scene, port: number, want: readonly number[], to = VICTIM): Promise<boolean> =>
  String(await arrive(scene, port, to)) === String(want);

async function flows(weir: Weir): Promise<FlowsAnswer> {
  const answer = await weir.ask((client) => client.call('flows', {}));
  if (!answer) throw new Error('no answer');
  return answer;
}

const NTP_TO_VICTIM = `destination ${VICTIM}/32; protocol udp; source-port =${NTP};`;
const TO_SCRUBBER = 'redirect 192.0.2.130';

async function ownRules(border: Host): Promise<number> {
  const { stdout } = await border.exec('sh', ['-c', 'ip rule; ip -6 rule']);
  return stdout.split('\n').filter((line) => line.includes('proto 87')).length;
}

test('packets are redirected to an address while a controller asks for it, also where Weir dies meanwhile', async () => {
  const scene = await build();
  const { border, flow } = scene;
  const weir = new Weir(scene.lab, border, config(''));
  await weir.start();
  await weir.established(1);
  expect(await arrive(scene, NTP)).toEqual(AT_VICTIM);

  await flow('announce', NTP_TO_VICTIM, TO_SCRUBBER);
  await waitFor('packets at the scrubber', () => from(scene, NTP, AT_SCRUBBER));
  expect(await arrive(scene, 53)).toEqual(AT_VICTIM);
  expect((await flows(weir)).flows).toMatchObject([{ state: 'enforced', actions: ['redirect-to next-hop'] }]);
  expect(await ownRules(border)).toBe(1);

  // The rules stay while Weir is down, and are those of the next one.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await weir.kill();
  const rules = await border.ip('rule');
  expect(await arrive(scene, NTP)).toEqual(AT_SCRUBBER);
  await weir.start();
  expect(await arrive(scene, NTP)).toEqual(AT_SCRUBBER);
  await weir.established(1);
  await waitFor('the announcement', async () => (await flows(weir)).flows.some(({ state, stale }) => state === 'enforced' && !stale));
  expect(await arrive(scene, NTP)).toEqual(AT_SCRUBBER);
  expect(await border.ip('rule')).toBe(rules);

  // Another process takes the rule away.
  await border.ip('rule', 'del', 'priority', '790');
  await waitFor('the repair', async () => (await border.ip('rule')) === rules);
  await waitFor('packets at the scrubber again', () => from(scene, NTP, AT_SCRUBBER));

  // The address is not to be reached any more: packets go their usual way, and the rule says why. Then it is again.
  await border.ip('link', 'set', 'clean', 'down');
  await waitFor('the refusal', async () => (await flows(weir)).flows[0]?.refused?.reason === 'unenforceable');
  expect((await flows(weir)).flows[0]?.refused?.message).toContain('there is no route to 192.0.2.130');
  expect(await arrive(scene, NTP)).toEqual(AT_VICTIM);
  await border.ip('link', 'set', 'clean', 'up');
  await waitFor('packets at the scrubber at last', () => from(scene, NTP, AT_SCRUBBER));

  await flow('withdraw', NTP_TO_VICTIM, TO_SCRUBBER);
  await waitFor('packets at the victim', () => from(scene, NTP, AT_VICTIM));
  await waitFor('no rule of Weir', async () => (await ownRules(border)) === 0);
  expect((await weir.status()).kernel.problems).toEqual([]);
}, 120_000);

test('IPv6 to an address, IPv4 to a table of the configuration; the end of the daemon and weir clear', async () => {
  const scene = await build();
  const { border } = scene;
  const weir = new Weir(scene.lab, border, config('', SECOND));
  await border.ip('route', 'add', 'default', 'via', '192.0.2.130', 'table', '100');
  const second = await scene.lab.host('second');
  await scene.lab.link(
    { host: border, name: 'other', addresses: ['192.0.2.65/26'] },
    { host: second, name: 'eth0', addresses: ['192.0.2.66/26'] },
  );
  const neighbors = [{ address: '192.0.2.65', as: 64512, families: ['ipv4 flow'] as const }];
  const gobgp = await startGobgp(scene.lab, second, { as: 64514, routerId: '192.0.2.66', neighbors });
  await weir.start();
  await weir.established(2);
  await scene.flow(
    'announce',
    `destination ${VICTIM6}/128; next-header udp; source-port =${NTP};`,
    'redirect-to-nexthop-ietf 2001:db8:2::2',
  );
  const match = ['match', 'destination', `${VICTIM}/32`, 'protocol', 'udp', 'source-port', `==${NTP}`];
  await gobgp.command(['global', 'rib', '-a', 'ipv4-flowspec', 'add', ...match, 'then', 'redirect', '64512:80'].join(' '));
  await waitFor('IPv6 packets at the scrubber', () => from(scene, NTP, AT_SCRUBBER, VICTIM6));
  await waitFor('IPv4 packets at the scrubber', () => from(scene, NTP, AT_SCRUBBER));
  expect([await arrive(scene, 53), await arrive(scene, 53, VICTIM6)]).toEqual([AT_VICTIM, AT_VICTIM]);
  // What is for this host stays here.
  await scene.flow('announce', 'destination 203.0.113.1/32;', 'redirect 64512:80');
  await waitFor('a second rule', async () => (await flows(weir)).flows.filter(({ state }) => state === 'enforced').length === 3);
  expect(await scene.attacker.tcpConnect('203.0.113.1', 9)).toBe('refused');

  // It ends and leaves its rules; clear takes them out, and nothing else.
  await weir.stop();
  expect(await ownRules(border)).toBe(2);
  expect(await from(scene, NTP, AT_SCRUBBER)).toBe(true);
  const cleared = await weir.clear();
  expect(cleared.stdout).toMatch(/policy routing: 3 rules and routes are out/);
  expect(await ownRules(border)).toBe(0);
  expect(await border.ip('route', 'show', 'table', '100')).toContain('192.0.2.130');
  expect([await arrive(scene, NTP), await arrive(scene, NTP, VICTIM6)]).toEqual([AT_VICTIM, AT_VICTIM]);
}, 120_000);

test('what cannot be redirected is refused, each with its reason', async () => {
  const scene = await build();
  const weir = new Weir(scene.lab, scene.border, config('  routing: { next_hops: 1 }\n'));
  await weir.start();
  await weir.established(1);
  const add = (host: number, then: string): Promise<void> => scene.flow('announce', `destination 203.0.113.${host}/32;`, then);
  await add(11, TO_SCRUBBER);
  await waitFor('the first', async () => (await flows(weir)).flows[0]?.state === 'enforced');
  await add(12, 'redirect 192.0.2.131');
  await add(13, 'redirect-to-nexthop-ietf 2001:db8:2::2');
  await add(14, 'redirect 64512:81');
  await add(15, 'copy 192.0.2.130');
  const messages = async (): Promise<readonly (string | undefined)[]> => (await flows(weir)).flows.map(({ refused }) => refused?.message);
  await waitFor('five', async () => (await messages()).length === 5);
  expect(await messages()).toEqual([
    undefined,
    expect.stringContaining('1 addresses already (flowspec.routing.next_hops)'),
    expect.stringContaining('of the other family'),
    expect.stringContaining('64512:81'),
    expect.stringContaining('a copy of packets'),
  ]);
}, 120_000);

test('at tc packets are redirected as well', async () => {
  const pins = `${await mountBpf()}/weir`;
  const scene = await build();
  const ebpf = `  at: tc
ebpf: { pin_directory: ${pins}, tc: { ingress: [out], on_exit: detach } }
`;
  const weir = new Weir(scene.lab, scene.border, config(ebpf));
  await weir.start();
  await weir.established(1);
  await scene.flow('announce', NTP_TO_VICTIM, TO_SCRUBBER);
  await waitFor('packets at the scrubber', () => from(scene, NTP, AT_SCRUBBER));
  expect(await arrive(scene, 53)).toEqual(AT_VICTIM);
  // The programs are taken off at the end, and what they need of the routing with them.
  expect(await ownRules(scene.border)).toBe(1);
  await weir.stop();
  expect(await ownRules(scene.border)).toBe(0);
  expect(await arrive(scene, NTP)).toEqual(AT_VICTIM);
}, 120_000);
