import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { example } from '../e2e/routers.ts';
import { Weir } from '../e2e/weir.ts';
import { waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { Agent, Fabric, patient, REFLECTORS, Reflector, type ReflectorKind } from './reflector-lab.ts';

const KINDS = Object.keys(REFLECTORS) as readonly ReflectorKind[];
/** A week in which reflectors keep what they have begins after this. */
const CONFIG = readFileSync(example('reflectors/distributor.yaml'), 'utf8').replace('restart_time: 600', 'restart_time: 3');
const [ADMIN, BOTH, SPAMMERS] = [
  '203.0.113.1/32 65000:1 64512:1:1',
  '2001:db8:5::/48 65000:1 65000:2 64512:1:1 64512:1:2',
  '203.0.113.128/25 65000:2 64512:1:2',
];
const LONG_LIVED_STALE = /65535:6|llgrStale/;

interface Scene {
  readonly hub: Weir;
  /** Another distributor, with nothing to give at first. */
  readonly second: Weir;
  readonly reflectors: readonly Reflector[];
  /** One behind each reflector. */
  readonly alone: readonly Agent[];
  /** Behind BIRD and FRR. */
  readonly redundant: Agent;
  readonly agents: readonly Agent[];
}

async function build(): Promise<Scene> {
  const lab = labForTest();
  const fabric = await Fabric.build(lab);
  const hub = new Weir(lab, await fabric.host('hub', '192.0.2.1'), CONFIG);
  const second = new Weir(lab, await fabric.host('second', '192.0.2.2'), CONFIG.replaceAll(/192\.0\.2\.1\b/g, '192.0.2.2'));
  await Promise.all([hub.start(), second.start()]);
  const reflectors = await Promise.all(KINDS.map(async (kind) => Reflector.start(lab, await fabric.host(kind, REFLECTORS[kind]), kind)));
  const behind: readonly (readonly ReflectorKind[])[] = [...KINDS.map((kind) => [kind]), ['bird', 'frr']];
  const agents = await Promise.all(
    behind.map(async (kinds, i) => {
      const address = `198.51.100.${21 + i}`;
      const agent = new Agent(fabric, await fabric.host(`agent${i}`, address), address, kinds);
      await agent.weir.start();
      return agent;
    }),
  );
  return { hub, second, reflectors, alone: agents.slice(0, -1), redundant: agents.at(-1) as Agent, agents };
}

async function add(hub: Weir, table: string, ...prefixes: readonly string[]): Promise<void> {
  expect(await hub.ask((client) => client.call('network-add', { prefixes, tables: [table] }))).toMatchObject({ added: prefixes.length });
}

async function remove(hub: Weir, ...prefixes: readonly string[]): Promise<void> {
  expect(await hub.ask((client) => client.call('network-delete', { prefixes }))).toMatchObject({ removed: prefixes.length });
}

async function become(what: string, read: () => Promise<readonly string[]>, wanted: readonly string[]): Promise<void> {
  const text = JSON.stringify([...wanted].sort());
  let seen = '';
  const check = async (): Promise<boolean> => {
    seen = JSON.stringify([...(await read())].sort());
    return seen === text;
  };
  await waitFor(`${what}: ${text}`, check, patient).catch((error: unknown) => {
    throw new Error(`${what}: ${seen}`, { cause: error });
  });
}

/** What reflectors hold by their own tools, and which agents have been told just that. */
async function reflected({ reflectors, alone }: Scene, wanted: readonly string[]): Promise<void> {
  await Promise.all(
    reflectors.map(async (reflector, i) => {
      await become(reflector.kind, () => reflector.holds(), wanted);
      await become(`behind ${reflector.kind}`, async () => (await alone[i]?.heard(reflector.kind)) ?? [], wanted);
    }),
  );
}

async function members(agents: readonly Agent[], wanted: readonly string[]): Promise<void> {
  await Promise.all(agents.map((agent) => become(agent.host.name, () => agent.members(), wanted)));
}

/** Nothing but this has ever been taken out anywhere, and this once. */
async function onlyRemoved(agents: readonly Agent[], wanted: readonly string[]): Promise<void> {
  for (const agent of agents) expect([agent.host.name, ...(await agent.removals())]).toEqual([agent.host.name, ...wanted]);
}

test('reflectors carry tables to agents, over restarts of each', { timeout: 400_000 }, async () => {
  const scene = await build();
  const { hub, second, reflectors, redundant, agents } = scene;

  await add(hub, 'admins', '203.0.113.1');
  await add(hub, 'spammers', '203.0.113.128/25', '2001:db8:5::/48');
  await add(hub, 'admins', '2001:db8:5::/48');
  await reflected(scene, [ADMIN, BOTH, SPAMMERS]);
  await add(hub, 'admins', '203.0.113.9');
  await hub.ask((client) => client.call('network-replace', { prefixes: ['203.0.113.9'], tables: ['spammers'] }));
  await reflected(scene, [ADMIN, BOTH, SPAMMERS, '203.0.113.9/32 65000:2 64512:1:2']);
  await remove(hub, '203.0.113.9');
  await reflected(scene, [ADMIN, BOTH, SPAMMERS]);
  await members(agents, ['admins 203.0.113.1/32', 'admins 2001:db8:5::/48', 'spammers 203.0.113.128/25', 'spammers 2001:db8:5::/48']);
  for (const { host } of reflectors) {
    const kernel = (await host.ip('-4', 'route', 'show', 'table', 'all')) + (await host.ip('-6', 'route', 'show', 'table', 'all'));
    expect(kernel).not.toMatch(/203\.0\.113|2001:db8/);
  }

  // The distributor is away for longer than its restart time; a prefix is gone when it is back.
  for (const agent of agents) await agent.watch();
  await hub.kill();
  for (const reflector of reflectors)
    await waitFor(
      `${reflector.kind} to have what is long-lived stale`,
      async () => {
        const held = await reflector.holds();
        return held.length === 3 && held.every((route) => LONG_LIVED_STALE.test(route));
      },
      patient,
    );
  hub.configure(CONFIG.replace('listen: [192.0.2.1]', 'listen: [127.0.0.1]').replace(/from: .*/, 'from: 127.0.0.2'));
  await hub.start();
  await remove(hub, '203.0.113.128/25');
  await onlyRemoved(agents, []);
  await hub.kill();
  hub.configure(CONFIG);
  await hub.start();
  await reflected(scene, [ADMIN, BOTH]);
  await members(agents, ['admins 203.0.113.1/32', 'admins 2001:db8:5::/48', 'spammers 2001:db8:5::/48']);
  await onlyRemoved(agents, ['spammers 203.0.113.128/25']);

  // All reflectors are away: killed, and then by their own ways to restart. GoBGP's ordinary end withdraws everything.
  for (const reflector of reflectors) await reflector.kill();
  await add(hub, 'spammers', '203.0.113.7');
  await remove(hub, '203.0.113.1');
  for (const reflector of reflectors) await reflector.start();
  await reflected(scene, [BOTH, '203.0.113.7/32 65000:2 64512:1:2']);
  await members(agents, ['admins 2001:db8:5::/48', 'spammers 203.0.113.7/32', 'spammers 2001:db8:5::/48']);
  await onlyRemoved(agents, ['spammers 203.0.113.128/25', 'admins 203.0.113.1']);

  for (const reflector of reflectors) await (reflector.kind === 'gobgp' ? reflector.kill() : reflector.stop());
  await add(hub, 'spammers', '203.0.113.8');
  await remove(hub, '203.0.113.7');
  for (const reflector of reflectors) await reflector.start();
  await reflected(scene, [BOTH, '203.0.113.8/32 65000:2 64512:1:2']);
  await members(agents, ['admins 2001:db8:5::/48', 'spammers 203.0.113.8/32', 'spammers 2001:db8:5::/48']);
  await onlyRemoved(agents, ['spammers 203.0.113.128/25', 'admins 203.0.113.1', 'spammers 203.0.113.7']);

  // Two distributors have an address in different tables: it is in both sets, and goes from each with the distributor that had it there.
  await add(hub, 'admins', '203.0.113.11');
  await add(second, 'spammers', '203.0.113.11');
  const others = ['admins 2001:db8:5::/48', 'spammers 203.0.113.8/32', 'spammers 2001:db8:5::/48'];
  await members(agents, [...others, 'admins 203.0.113.11/32', 'spammers 203.0.113.11/32']);
  await remove(hub, '203.0.113.11');
  await members(agents, [...others, 'spammers 203.0.113.11/32']);
  await remove(second, '203.0.113.11');
  await members(agents, others);
  const both = ['admins 203.0.113.11', 'spammers 203.0.113.11'];
  await onlyRemoved(agents, ['spammers 203.0.113.128/25', 'admins 203.0.113.1', 'spammers 203.0.113.7', ...both]);

  // BIRD is gone for good. What it gave is held until it is taken out of the configuration; changes come by way of FRR meanwhile.
  await reflectors.find(({ kind }) => kind === 'bird')?.kill();
  await add(hub, 'spammers', '203.0.113.10');
  await remove(hub, '203.0.113.8');
  const behindFrr = scene.alone.filter((_, i) => KINDS[i] === 'frr');
  await members(behindFrr, ['admins 2001:db8:5::/48', 'spammers 203.0.113.10/32', 'spammers 2001:db8:5::/48']);
  await members([redundant], ['admins 2001:db8:5::/48', 'spammers 203.0.113.8/32', 'spammers 203.0.113.10/32', 'spammers 2001:db8:5::/48']);
  await redundant.reconfigure(['frr']);
  await members([redundant], ['admins 2001:db8:5::/48', 'spammers 203.0.113.10/32', 'spammers 2001:db8:5::/48']);
  await onlyRemoved(
    [redundant],
    ['spammers 203.0.113.128/25', 'admins 203.0.113.1', 'spammers 203.0.113.7', ...both, 'spammers 203.0.113.8'],
  );
});
