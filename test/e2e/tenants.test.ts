import { cpSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Host, type Lab, runCommand, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { SpeakerPeer } from './speaker-peer.ts';
import { Weir } from './weir.ts';

const AS = 64512;
const COMMUNITY = '64512:80';
const examples = new URL('../../examples/tenants/', import.meta.url).pathname;

/** A tenant with one client, which are alone on a link. */
interface Ends {
  readonly host: Host;
  readonly client: Host;
  readonly address: string;
  readonly from: string;
}

const BLUE = { address: '203.0.113.10', from: '203.0.113.1' } as const;
const RED = { address: '198.51.100.10', from: '198.51.100.1' } as const;

async function ends(lab: Lab, name: string, { address, from }: typeof BLUE | typeof RED): Promise<Ends> {
  const host = await lab.host(name);
  const client = await lab.host(`${name}-client`);
  await lab.link({ host, name: 'up0', addresses: [`${address}/24`] }, { host: client, addresses: [`${from}/24`] });
  for (const port of [80, 81]) await host.tcpServer(address, port);
  return { host, client, address, from };
}

/** Packets of a tenant's rules that are not of the base. */
async function packets(weir: Weir, tenant: string): Promise<Readonly<Record<string, number>>> {
  const sums: Record<string, number> = {};
  for (const { tenant: own, rule, packets: n } of (await weir.status()).kernel.rules)
    if (own === tenant && ['friends', 'web', 'ping', '<default>'].includes(rule)) sums[rule] = (sums[rule] ?? 0) + n;
  return sums;
}

const zeros = (counted: Readonly<Record<string, number>>): boolean => Object.values(counted).every((n) => n === 0);

async function becomes(of: Ends, port: number, outcome: 'connected' | 'timeout'): Promise<void> {
  await waitFor(`${of.address} port ${port}: ${outcome}`, async () => (await of.client.tcpConnect(of.address, port, 300)) === outcome, {
    timeoutMs: 60_000,
  });
}

async function problems(weir: Weir): Promise<readonly string[]> {
  return (await weir.status()).kernel.problems.map((one) => `${one.tenant} ${one.kind}`).sort();
}

test('tenants with contradictory rules: none sees or disturbs another', async () => {
  const lab = labForTest();
  const gate = await lab.host('gate');
  const router = await lab.host('router');
  await lab.link({ host: gate, addresses: ['192.0.2.1/24'] }, { host: router, addresses: ['192.0.2.2/24'] });
  const blue = await ends(lab, 'blue', BLUE);
  const red = await ends(lab, 'red', RED);
  const peer = new SpeakerPeer({ namespace: router.path, address: '192.0.2.2', as: AS, weir: { address: '192.0.2.1', as: AS } });
  lab.onDispose(() => peer.stop({ silent: true }));
  peer.start();
  // Its name comes and goes; what it is stays with whoever has it open.
  const green = `${gate.namespace}-green`;
  lab.onDispose(async () => {
    await runCommand('ip', ['netns', 'del', green]).catch(() => undefined);
  });
  // Somebody else has a table of the name of Weir's in it.
  const taken = await lab.host('taken');
  await taken.nft('add table inet weir\nadd chain inet weir theirs\nadd chain inet weir mine { type filter hook input priority 0; }');

  const files = lab.directory('tenants');
  cpSync(examples, files, { recursive: true });
  const config = `bgp: { as: ${AS}, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.2, as: ${AS} }] }
tenants:
  green: { netns: ${green}, config: ${files}/blue/tenant.yaml }
  taken: { netns: ${taken.path}, config: ${files}/blue/tenant.yaml }
  broken: { netns: ${green}-broken, config: ${files}/broken.yaml }
  blue: { netns: ${blue.host.path}, config: ${files}/blue/tenant.yaml }
  red: { netns: ${red.host.path}, config: ${files}/red/tenant.yaml }
`;
  writeFileSync(`${files}/broken.yaml`, 'sets: "');
  const weir = new Weir(lab, gate, config);
  await weir.start();
  await weir.established(1);
  expect((await weir.status()).tenants.map((t) => [t.name, t.open, t.mistakes?.errors])).toEqual([
    ['green', false, undefined],
    ['taken', true, undefined],
    ['blue', true, undefined],
    ['red', true, undefined],
    ['broken', false, 2],
  ]);
  expect(await problems(weir)).toEqual(['green namespace-missing', 'taken conflict']);

  // Packets of one only: the other's counters stay where they are.
  expect(await blue.client.tcpConnect(blue.address, 80, 300)).toBe('timeout');
  expect([(await packets(weir, 'blue'))['<default>'], zeros(await packets(weir, 'red'))]).toEqual([1, true]);
  expect(await red.client.tcpConnect(red.address, 80, 300)).toBe('connected');
  expect((await packets(weir, 'red'))['web']).toBeGreaterThan(0);
  expect((await packets(weir, 'blue'))['<default>']).toBe(1);

  // One route fills the sets of both; what it opens here it closes there.
  peer.announce([`${blue.from}/32`, `${red.from}/32`], [COMMUNITY]);
  await becomes(blue, 80, 'connected');
  await becomes(red, 80, 'timeout');
  const sets = (await weir.status()).sets.map(({ name, members }) => [name, members]);
  expect(sets).toEqual(['green', 'taken', 'blue', 'red'].map((name) => [`${name}/friends`, 2]));
  const words = ['tcp', blue.from, `${blue.address}:80`, 'in', 'up0'];
  const all = await weir.command('explain', '--socket', weir.socket, ...words);
  expect(all.stdout).toMatch(/tenant blue:\n(.*\n)*?.*ALLOW BY friends(.*\n)*tenant red:\n(.*\n)*?.*DENY BY friends/);
  expect(all.stdout).toContain('203.0.113.1/32 is in $friends from core');
  const one = await weir.command('explain', '--socket', weir.socket, '--tenant', 'red', '--expect', 'deny', ...words);
  expect(one.stdout).not.toContain('tenant blue');
  expect((await weir.command('counters', '--socket', weir.socket, '--tenant', 'blue')).stdout).not.toContain('web');
  const members = await weir.ask((client) => client.call('members', { set: 'red/friends' }));
  expect(members?.members.map((member) => member.prefix).sort()).toEqual(['198.51.100.1/32', '203.0.113.1/32']);

  // A namespace that comes is filled.
  await runCommand('ip', ['netns', 'add', green]);
  const inGreen = (): Promise<string> =>
    runCommand('ip', ['netns', 'exec', green, 'nft', 'list', 'ruleset']).then(
      (r) => r.stdout,
      () => '',
    );
  const filled = (): Promise<unknown> => waitFor('green to be filled', async () => (await inGreen()).includes(blue.from));
  await filled();

  // A file with mistakes changes nothing for its tenant, and the others go on.
  const broken = `${files}/blue/policy.yaml`;
  writeFileSync(broken, 'default_action: perhaps\nrules: []\n');
  writeFileSync(
    `${files}/red/policy.yaml`,
    'default_action: deny\nrules:\n  - { name: web, protocol: tcp, destination_ports: 81, action: allow }\n',
  );
  await weir.reload();
  await becomes(red, 81, 'connected');
  expect(await blue.client.tcpConnect(blue.address, 80, 300)).toBe('connected');
  const faulty = (await weir.status()).tenants.filter((t) => t.mistakes);
  expect(faulty.map((t) => [t.name, t.open]).sort()).toEqual([
    ['blue', true],
    ['broken', false],
    ['green', true],
    ['taken', true],
  ]);

  // A change of one that nobody confirms is taken back, with the others untouched.
  const open80 = 'default_action: deny\nrules:\n  - { name: web, protocol: tcp, destination_ports: [80, 81], action: allow }\n';
  writeFileSync(`${files}/red/policy.yaml`, open80);
  const applied = await weir.ask((client) => client.call('apply', { confirm_timeout_ms: 60_000 }));
  expect(applied?.warnings.some((line) => line.startsWith('tenant taken: table inet weir'))).toBe(true);
  expect(await red.client.tcpConnect(red.address, 80, 300)).toBe('connected');
  await weir.ask((client) => client.call('rollback', {}));
  expect(await red.client.tcpConnect(red.address, 80, 300)).toBe('timeout');
  expect(await blue.client.tcpConnect(blue.address, 80, 300)).toBe('connected');

  // The daemon dies and comes again: as it was, the one with mistakes too.
  await weir.kill();
  expect(await blue.client.tcpConnect(blue.address, 80, 300)).toBe('connected');
  await weir.start();
  expect(await blue.client.tcpConnect(blue.address, 80, 300)).toBe('connected');
  await weir.established(1);
  peer.withdraw([`${blue.from}/32`]);
  await becomes(blue, 80, 'timeout');
  expect(await red.client.tcpConnect(red.address, 81, 300)).toBe('connected');

  // A namespace that goes and comes again.
  await runCommand('ip', ['netns', 'del', green]);
  await waitFor('green to be gone', async () => (await problems(weir)).includes('green namespace-missing'));
  peer.announce([`${blue.from}/32`], [COMMUNITY]);
  await becomes(blue, 80, 'connected');
  await runCommand('ip', ['netns', 'add', green]);
  await filled();
  expect(await problems(weir)).toEqual(['taken conflict']);

  // A boot restores each by itself.
  await weir.stop();
  for (const { host } of [blue, red]) await host.nft('delete table inet weir');
  expect(await blue.client.tcpConnect(blue.address, 81, 300)).toBe('connected');
  await weir.restore();
  expect(await blue.client.tcpConnect(blue.address, 81, 300)).toBe('timeout');
  expect(await blue.client.tcpConnect(blue.address, 80, 300)).toBe('connected');
  expect(await red.client.tcpConnect(red.address, 80, 300)).toBe('timeout');
}, 180_000);
