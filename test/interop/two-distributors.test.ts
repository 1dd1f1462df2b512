import { expect, test } from 'vitest';
import { kernelSet } from '../e2e/kernel-set.ts';
import { Weir } from '../e2e/weir.ts';
import {
  type CommandResult,
  type Host,
  type Lab,
  type Peer,
  type StartPeer,
  startBird,
  startFrr,
  startGobgp,
  startOpenbgpd,
  waitFor,
} from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const PROGRAM = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;
const TIMEOUT = { timeoutMs: 60_000 };
/** Milliseconds: many commands, each a process. */
const LONG = 240_000;
const ONE = '203.0.113.1/32';
const OTHER = '2001:db8:5::/48';

/** Each side of a link is named after the host at its other end. */
const at = {
  a: { b: '192.0.2.1', agent: '192.0.2.9', bird: '192.0.2.17' },
  b: { a: '192.0.2.2', agent: '192.0.2.13', bird: '192.0.2.21' },
  agent: { a: '192.0.2.10', b: '192.0.2.14' },
  bird: { a: '192.0.2.18', b: '192.0.2.22' },
} as const;

const distributor = (routerId: string): string => `bgp: { as: 64512, router_id: ${routerId}, listen: [0.0.0.0], peers: [] }
distribute:
  tables:
    spammers: { communities: ["65000:2"] }
    admins: { communities: ["65000:1"] }
  clients: [{ name: hosts, from: 192.0.2.0/24, multihop: 8 }]
  next_hop: [${routerId}, "2001:db8::1"]
`;

// Nothing is held: what is in the sets while a distributor is away, the other gives.
const AGENT = `bgp:
  as: 64513
  router_id: ${at.agent.a}
  peers:
    - { name: a, address: ${at.a.agent}, as: 64512, multihop: 8 }
    - { name: b, address: ${at.b.agent}, as: 64512, multihop: 8 }
sets:
  spammers:
    kind: deny
    communities: ["65000:2"]
    guard: { peers: [a, b] }
    on_session_loss: withdraw
    nft: { table: fw, ipv4: spam4, ipv6: spam6 }
convergence: { settle: 500ms, settle_without_restart: 500ms }
`;

interface Scene {
  readonly a: Weir;
  readonly b: Weir;
  readonly agent: Weir;
  readonly bird: Peer;
}

async function build(lab: Lab): Promise<Scene> {
  const [a, b, agent, bird] = [await lab.host('a'), await lab.host('b'), await lab.host('agent'), await lab.host('bird')];
  const link = (one: Host, other: Host, here: string, there: string): Promise<unknown> =>
    lab.link({ host: one, name: other.name, addresses: [`${here}/30`] }, { host: other, name: one.name, addresses: [`${there}/30`] });
  await link(a, b, at.a.b, at.b.a);
  await link(a, agent, at.a.agent, at.agent.a);
  await link(b, agent, at.b.agent, at.agent.b);
  await link(a, bird, at.a.bird, at.bird.a);
  await link(b, bird, at.b.bird, at.bird.b);
  await agent.nft(`table inet fw {
    set spam4 { type ipv4_addr; flags interval; }
    set spam6 { type ipv6_addr; flags interval; }
  }`);
  const neighbor = (address: string, localAddress: string) => ({ address, as: 64512, localAddress, multihop: 8 });
  const all = { a: new Weir(lab, a, distributor(at.a.b)), b: new Weir(lab, b, distributor(at.b.a)), agent: new Weir(lab, agent, AGENT) };
  await Promise.all(Object.values(all).map((one) => one.start()));
  const neighbors = [neighbor(at.a.bird, at.bird.a), neighbor(at.b.bird, at.bird.b)];
  return { ...all, bird: await startBird(lab, bird, { as: 64513, routerId: at.bird.a, neighbors }) };
}

const network = (weir: Weir, ...args: readonly string[]): Promise<CommandResult> =>
  weir.host.exec(process.execPath, [PROGRAM, 'network', ...args, '--socket', weir.socket], { allowFailure: true });

/** The clients have these of the prefixes, from so many distributors each. */
async function held({ agent, bird }: Scene, wanted: Readonly<Record<string, number>>): Promise<void> {
  const members = Object.keys(wanted).sort();
  const routes = members.flatMap((prefix) => Array.from({ length: wanted[prefix] ?? 0 }, () => prefix));
  let seen: unknown;
  await waitFor(
    'the clients to have what they should',
    async () => {
      const all = [...(await bird.receivedRoutes('ipv4 unicast')), ...(await bird.receivedRoutes('ipv6 unicast'))];
      const heard = all.filter(({ communities }) => communities.includes('65000:2'));
      const sets = [...(await kernelSet(agent.host, 'fw', 'spam4')), ...(await kernelSet(agent.host, 'fw', 'spam6'))];
      const kept = (await agent.ask((client) => client.call('routes', {})))?.routes ?? [];
      seen = { routes: heard.map(({ prefix }) => prefix).sort(), kept: kept.map(({ prefix }) => prefix).sort(), members: sets.sort() };
      return JSON.stringify(seen) === JSON.stringify({ routes, kept: routes, members });
    },
    TIMEOUT,
  ).catch((error: unknown) => {
    throw new Error(`they have ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`, { cause: error });
  });
}

test('an address stays until both distributors have withdrawn it', { timeout: LONG }, async () => {
  const scene = await build(labForTest());
  const { a, b, agent } = scene;
  await agent.established(2);
  const watch = agent.host.spawn('nft', ['monitor', 'elements'], { name: 'nft monitor' });
  await network(a, 'add', ONE, OTHER, '--table', 'spammers');
  await held(scene, { [ONE]: 1, [OTHER]: 1 });

  // B is asked what is different, and then takes it.
  const dry = ['sync', at.a.b, '--quiet-time', '200ms', '--dry-run', '--detailed-exitcode'];
  expect(await network(b, ...dry)).toMatchObject({
    code: 2,
    stdout: `table spammers: 0 here, 2 there; 2 only there; 0 only here\n+ ${ONE}\n+ ${OTHER}\ntable admins: the same, 0 prefixes\n`,
  });
  expect(await network(b, 'sync', at.a.b, '--quiet-time', '200ms')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('2 added, 0 removed'),
  });
  await held(scene, { [ONE]: 2, [OTHER]: 2 });
  expect(await network(b, ...dry)).toMatchObject({ code: 0 });
  expect((await network(b, 'show')).stdout).toContain(`from ${at.a.b}`);

  // A session of this address is not taken away from who has it.
  const args = ['sync', at.a.agent, '--dry-run', '--as', '64513', '--socket', b.socket];
  const beside = await agent.host.exec(process.execPath, [PROGRAM, 'network', ...args], { allowFailure: true });
  expect(beside).toMatchObject({ code: 1, stderr: expect.stringContaining('it has a session from this address already') });

  // One that is gone withdraws nothing while the other is there, nor does its restart.
  await a.kill();
  await held(scene, { [ONE]: 1, [OTHER]: 1 });
  await a.start();
  await held(scene, { [ONE]: 2, [OTHER]: 2 });
  await network(b, 'delete', ONE, '--table', 'spammers');
  await held(scene, { [ONE]: 1, [OTHER]: 2 });
  expect(watch.stdout).not.toContain('delete element');

  // With --replace B is as A, and an empty table is not taken by mistake.
  await network(b, 'add', '198.51.100.0/24', '--table', 'admins');
  const refused = await network(b, 'sync', at.a.b, '--quiet-time', '200ms', '--replace');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('has nothing in admins: nothing is changed; --allow-empty') });
  expect((await network(b, 'dump')).stdout).toBe(`table spammers 65000:2\n${OTHER}\ntable admins 65000:1\n198.51.100.0/24\n`);
  expect(await network(b, 'sync', at.a.b, '--quiet-time', '200ms', '--replace', '--table', 'spammers')).toMatchObject({ code: 0 });
  await held(scene, { [ONE]: 2, [OTHER]: 2 });

  await network(a, 'delete', ONE, '--table', 'spammers');
  await held(scene, { [ONE]: 1, [OTHER]: 2 });
  expect(watch.stdout).not.toContain('delete element');
  await network(b, 'delete', ONE, '--table', 'spammers');
  await held(scene, { [OTHER]: 2 });
  await waitFor('the end of the address to be seen', () => watch.stdout.includes('delete element'), TIMEOUT);
});

const KINDS: readonly (readonly [string, StartPeer])[] = [
  ['bird', startBird],
  ['frr', startFrr],
  ['gobgp', startGobgp],
  ['openbgpd', startOpenbgpd],
];

test('tables are read from what was the distributor before: BIRD, FRR, GoBGP, OpenBGPD', { timeout: LONG }, async () => {
  const lab = labForTest();
  const here = await lab.host('here');
  const text = distributor('192.0.2.1').replace('from: 192.0.2.0/24', 'from: 198.51.100.0/24');
  const weir = new Weir(lab, here, text);
  await weir.start();
  const hosts: { readonly name: string; readonly start: StartPeer; readonly host: Host; readonly own: string; readonly other: string }[] =
    [];
  for (const [i, [name, start]] of KINDS.entries()) {
    const host = await lab.host(name);
    const [own, other] = [`192.0.2.${4 * i + 1}`, `192.0.2.${4 * i + 2}`];
    await lab.link({ host: here, name, addresses: [`${own}/30`] }, { host, name: 'eth0', addresses: [`${other}/30`] });
    hosts.push({ name, start, host, own, other });
  }
  const all = hosts.map(async ({ name, start, host, own, other }) => {
    // GoBGP offers no graceful restart here, and so sends no End-of-RIB that could be waited for.
    const gracefulRestart = name === 'gobgp' || name === 'openbgpd' ? {} : ({ gracefulRestart: 'helper' } as const);
    const neighbors = [{ address: own, as: 64513, localAddress: other, multihop: 8, passive: true, ...gracefulRestart }];
    const peer = await start(lab, host, { as: 64500, routerId: other, neighbors });
    await peer.announce(ONE, { communities: ['65000:2', '65000:77'] });
    await peer.announce('198.51.100.0/24', { communities: ['65000:77'] });
    const result = await network(weir, 'sync', other, '--as', '64513', '--dry-run', '--quiet-time', '1s');
    expect({ name, ...result }).toMatchObject({
      name,
      code: 0,
      stdout: `table spammers: 0 here, 1 there; 1 only there; 0 only here\n+ ${ONE}\ntable admins: the same, 0 prefixes\n`,
      stderr: 'not a table here: 65000:77 (1)\n',
    });
  });
  await Promise.all(all);
});
