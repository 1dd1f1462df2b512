import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Host, type Lab, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { mountBpf } from './mount-bpf.ts';
import { Traffic } from './traffic.ts';
import { Weir } from './weir.ts';

const EXAMPLES = new URL('../../examples/distributor/', import.meta.url).pathname;
const DISTRIBUTOR = '192.0.2.1';
const SSH = 22;
const MAIL = 25;
/** Who connects; all of them behind the same link. */
const ADMIN = { v4: '203.0.113.7', v6: '2001:db8:a::7' } as const;
const SPAMMER = { v4: '203.0.113.66', v6: '2001:db8:a::66' } as const;
const ANYBODY = { v4: '203.0.113.99', v6: '2001:db8:a::99' } as const;
type Who = { readonly v4: string; readonly v6: string };

/** A host with the agent of an example: `eth0` towards those who connect, `bgp0` towards the distributor. */
interface Agent {
  readonly host: Host;
  readonly weir: Weir;
  readonly address: Who;
  /** The last octet of its addresses. */
  readonly last: number;
}

interface Fleet {
  readonly internet: Host;
  readonly distributor: Weir;
  /** One with nf_tables alone, the mail host with a program at xdp. */
  readonly agents: readonly Agent[];
}

async function startFleet(lab: Lab, pins: string): Promise<Fleet> {
  const internet = await lab.host('internet', { forwarding: true });
  const hub = await lab.host('hub');
  await hub.addAddress('lo', `${DISTRIBUTOR}/32`);
  for (const { v4, v6 } of [ADMIN, SPAMMER, ANYBODY]) {
    await internet.addAddress('lo', `${v4}/32`);
    await internet.addAddress('lo', `${v6}/128`);
  }
  const distributor = new Weir(lab, hub, readFileSync(`${EXAMPLES}distributor.yaml`, 'utf8'));
  await distributor.start();
  const agents = await Promise.all([
    startAgent(lab, { internet, hub, name: 'agent', last: 16, pins }),
    startAgent(lab, { internet, hub, name: 'mail-agent', last: 25, pins }),
  ]);
  for (const { weir } of agents) await weir.established(1);
  return { internet, distributor, agents };
}

interface Place {
  readonly internet: Host;
  readonly hub: Host;
  /** Of the example. */
  readonly name: string;
  readonly last: number;
  readonly pins: string;
}

async function startAgent(lab: Lab, { internet, hub, name, last, pins }: Place): Promise<Agent> {
  const host = await lab.host(name);
  const address = { v4: `198.51.100.${last}`, v6: `2001:db8:${last}::2` };
  await lab.link(
    { host: internet, name: `to${last}`, addresses: [`10.1.${last}.1/30`, `2001:db8:${last}::1/64`] },
    { host, name: 'eth0', addresses: [`10.1.${last}.2/30`, `${address.v6}/64`] },
  );
  await lab.link(
    { host: hub, name: `to${last}`, addresses: [`10.0.${last}.1/30`] },
    { host, name: 'bgp0', addresses: [`10.0.${last}.2/30`] },
  );
  await host.addAddress('lo', `${address.v4}/32`);
  await internet.route(`${address.v4}/32`, { via: `10.1.${last}.2` });
  await host.route('203.0.113.0/24', { via: `10.1.${last}.1` });
  await host.route('2001:db8:a::/48', { via: `2001:db8:${last}::1` });
  await joinHub(host, hub, last);
  for (const port of [SSH, MAIL]) for (const local of [address.v4, address.v6]) await host.tcpServer(local, port);
  const text = readFileSync(`${EXAMPLES}${name}.yaml`, 'utf8');
  const policy = /^policy: (\S+)$/m.exec(text)?.[1] ?? '';
  const copy = join(lab.directory('policy'), policy);
  writeFileSync(copy, readFileSync(EXAMPLES + policy));
  const config = text
    .replace(/^policy: .*$/m, `policy: ${copy}`)
    .replace('multihop: 8,', 'multihop: 8, hold_time: 3,')
    .replace('startup_hold: 7d', 'startup_hold: 7d, settle: 2s')
    .replace(/^ebpf:\n/m, `ebpf:\n  pin_directory: ${pins}\n`);
  const weir = new Weir(lab, host, config);
  await weir.start();
  return { host, weir, address, last };
}

/** The link of a host to the distributor comes up again. */
async function linkUp({ host, last }: Agent, hub: Host): Promise<void> {
  await host.ip('link', 'set', 'bgp0', 'up');
  await waitFor('bgp0 to be up', async () => (await host.ip('link', 'show', 'dev', 'bgp0')).includes('state UP'));
  await joinHub(host, hub, last);
}

/** The routes of a link that has come up. */
async function joinHub(host: Host, hub: Host, last: number): Promise<void> {
  await host.route(`${DISTRIBUTOR}/32`, { via: `10.0.${last}.1` });
  await hub.route(`198.51.100.${last}/32`, { via: `10.0.${last}.2` });
}

async function network({ distributor }: Fleet, ...args: readonly string[]): Promise<void> {
  await distributor.command('network', ...args, '--socket', distributor.socket);
}

function ends(agents: readonly Agent[]): readonly { readonly family: 'v4' | 'v6'; readonly address: string }[] {
  return agents.flatMap(({ address }) => (['v4', 'v6'] as const).map((family) => ({ family, address: address[family] })));
}

/** Until both hosts answer someone so, in both families. */
async function becomes({ internet, agents }: Fleet, who: Who, port: number, outcome: 'connected' | 'timeout'): Promise<void> {
  await Promise.all(
    ends(agents).map(({ family, address }) =>
      waitFor(
        `${who[family]} to ${address} port ${port}: ${outcome}`,
        async () => (await internet.tcpConnect(address, port, 500, { source: who[family] })) === outcome,
        { timeoutMs: 60_000 },
      ),
    ),
  );
}

/** What the two tables say: who administers reaches ssh on every host and nobody else does; spammers do not reach the mail servers, others do. */
async function asListed(fleet: Fleet): Promise<void> {
  await Promise.all([
    becomes(fleet, ADMIN, SSH, 'connected'),
    becomes(fleet, ANYBODY, SSH, 'timeout'),
    becomes(fleet, SPAMMER, MAIL, 'timeout'),
    becomes(fleet, ANYBODY, MAIL, 'connected'),
  ]);
}

/** What each gets now, at both hosts and in both families. */
async function answers({ internet, agents }: Fleet): Promise<readonly string[]> {
  const cases = [
    ['admin ssh', ADMIN, SSH],
    ['anybody ssh', ANYBODY, SSH],
    ['spammer mail', SPAMMER, MAIL],
    ['anybody mail', ANYBODY, MAIL],
  ] as const;
  const seen = cases.flatMap(([name, who, port]) =>
    ends(agents).map(async ({ family, address }) => `${name}: ${await internet.tcpConnect(address, port, 900, { source: who[family] })}`),
  );
  return [...new Set(await Promise.all(seen))];
}

const LISTED = ['admin ssh: connected', 'anybody ssh: timeout', 'spammer mail: timeout', 'anybody mail: connected'];

/** A machine goes down: what is in its kernel is gone, and so is its link to the distributor. */
async function goDown({ host, weir }: Agent): Promise<void> {
  await weir.stop();
  await weir.clear('--ebpf');
  for (const object of await host.nftJson('tables')) {
    const table = object['table'];
    if (table) await host.nft(`delete table ${table['family']} ${table['name']}`);
  }
  await host.ip('link', 'set', 'bgp0', 'down');
}

async function addBoth(fleet: Fleet): Promise<void> {
  await network(fleet, 'add', ADMIN.v4, ADMIN.v6, '--table', 'admins');
  await network(fleet, 'add', SPAMMER.v4, SPAMMER.v6, '--table', 'spammers');
}

test('an address that is added or deleted once is open or closed on every host; a machine that starts without the distributor has what it had', {
  timeout: 240_000,
}, async () => {
  const pins = await mountBpf();
  const lab = labForTest();
  const fleet = await startFleet(lab, join(pins, 'weir'));
  const { agents } = fleet;
  await becomes(fleet, ADMIN, SSH, 'timeout');
  await becomes(fleet, SPAMMER, MAIL, 'connected');
  await addBoth(fleet);
  await asListed(fleet);

  await network(fleet, 'delete', ADMIN.v4, ADMIN.v6, '--table', 'admins');
  await becomes(fleet, ADMIN, SSH, 'timeout');
  await network(fleet, 'delete', SPAMMER.v4, SPAMMER.v6, '--table', 'spammers');
  await becomes(fleet, SPAMMER, MAIL, 'connected');
  await addBoth(fleet);
  await asListed(fleet);

  // The machines go down, and what is in the kernel with them; the distributor cannot be reached when they start.
  await Promise.all(agents.map(goDown));
  await becomes(fleet, SPAMMER, MAIL, 'connected');
  await Promise.all(agents.map(({ weir }) => weir.restore()));
  await asListed(fleet);
  await Promise.all(agents.map(({ weir }) => weir.start()));
  await sleep(2000);
  expect(await answers(fleet)).toEqual(LISTED);

  // What has changed meanwhile is so when it is back.
  await network(fleet, 'delete', ADMIN.v4, ADMIN.v6, '--table', 'admins');
  for (const agent of agents) await linkUp(agent, fleet.distributor.host);
  for (const { weir } of agents) await weir.established(1);
  await becomes(fleet, SPAMMER, MAIL, 'timeout');
  await becomes(fleet, ADMIN, SSH, 'timeout');
});

test('agents, the distributor and both killed, a link lost for longer than the hold time: no connection gets another answer', {
  timeout: 240_000,
}, async () => {
  const pins = await mountBpf();
  const lab = labForTest();
  const fleet = await startFleet(lab, join(pins, 'weir'));
  const { internet, agents, distributor } = fleet;
  await addBoth(fleet);
  await asListed(fleet);
  const streams = await Promise.all(
    (['v4', 'v6'] as const).flatMap((family) => {
      const all = agents.map(({ address }) => address[family]);
      const stream = (who: Who, port: number, open: boolean): Promise<Traffic> =>
        Traffic.start(internet, { open: open ? all : [], closed: open ? [] : all, port, perSecond: 10, source: who[family] });
      return [stream(ADMIN, SSH, true), stream(ANYBODY, MAIL, true), stream(ANYBODY, SSH, false), stream(SPAMMER, MAIL, false)];
    }),
  );
  const back = async (): Promise<void> => {
    for (const { weir } of agents) await weir.established(1);
    await sleep(1000);
  };

  await Promise.all(agents.map(({ weir }) => weir.kill()));
  await sleep(500);
  await Promise.all(agents.map(({ weir }) => weir.start()));
  await back();
  await distributor.kill();
  await sleep(4000);
  await distributor.start();
  await back();
  await Promise.all([distributor.kill(), ...agents.map(({ weir }) => weir.kill())]);
  await Promise.all([distributor.start(), ...agents.map(({ weir }) => weir.start())]);
  await back();
  await distributor.stop();
  await distributor.start();
  await back();

  for (const { host } of agents) await host.ip('link', 'set', 'bgp0', 'down');
  for (const agent of agents) {
    await waitFor('the hold time to be over', async () => (await agent.weir.status()).bgp.established === 0, { timeoutMs: 60_000 });
    await linkUp(agent, distributor.host);
  }
  await back();
  for (const stream of streams) await stream.expectHitless(50);
  await asListed(fleet);
});
