import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../lab/index.ts';
import { heldBy, OWN_RULES, type OwnRule } from './flow-held.ts';
import { buildFlowLab, type FlowLab, flowConfig, flows, heard, inKernel, NEIGHBORS } from './flow-lab.ts';
import { birdRoute, type FlowRoute } from './flow-rules.ts';

let scene: FlowLab;

beforeAll(async () => {
  scene = await buildFlowLab();
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${scene.lab.report()}\n`);
});
afterAll(async () => {
  await scene.lab.dispose();
});

const enforced = (rules: readonly FlowRoute[]): readonly FlowRoute[] => rules.filter(({ state }) => state === 'enforced');
const texts = (rules: readonly FlowRoute[]): readonly string[] => rules.map(({ flow }) => flow);

/** Waits until Weir and the kernel have what every neighbour announces. */
async function settled(rulesOf: (via: string) => readonly FlowRoute[]): Promise<void> {
  const { core, weir, origins } = scene;
  for (const { via } of origins) await heard(weir, via, rulesOf(via));
  const wanted = enforced(origins.flatMap(({ via }) => rulesOf(via)));
  await waitFor('the kernel', async () => (await inKernel(core, wanted)).length === wanted.length);
}

/** Waits until each neighbour's own client shows just these of our rules. */
async function held(rules: readonly OwnRule[]): Promise<void> {
  for (const name of NEIGHBORS) {
    const wanted = rules.flatMap(({ shown }) => shown[name] ?? []).sort();
    let seen: readonly string[] = [];
    await waitFor(`our rules at ${name}`, async () => {
      seen = await heldBy(name, scene.peers[name]);
      return seen.join('\n') === wanted.join('\n');
    }).catch((error: unknown) => {
      const [missing, beyond] = [wanted.filter((one) => !seen.includes(one)), seen.filter((one) => !wanted.includes(one))];
      throw new Error(`our rules at ${name}\nmissing:\n${missing.join('\n')}\nbeyond:\n${beyond.join('\n')}`, { cause: error });
    });
  }
}

test('every component and action of GoBGP, BIRD, ExaBGP, and BIRD behind FRR, is shown as it was announced and in the kernel', async () => {
  const { core, weir, origins } = scene;
  for (const { set, rules } of origins) await set(rules);
  await settled((via) => origins.find((one) => one.via === via)?.rules ?? []);
  const all = origins.flatMap(({ rules }) => rules);
  const refused = all.filter(({ state }) => state === 'refused');
  expect(await inKernel(core, refused)).toEqual([]);
  const shown = JSON.parse((await weir.command('flow', 'show', '--output', 'json', '--socket', weir.socket)).stdout);
  expect(shown.flows.map(({ flow }: { flow: string }) => flow).sort()).toEqual([...texts(all)].sort());
  const problems = await weir.ask((client) => client.call('peers', {}));
  expect(problems?.peers.map(({ name, errors }) => [name, errors])).toEqual(NEIGHBORS.map((name) => [name, 0]));
});

test('other actions take the place of those before; what is withdrawn goes, and the rest stays', async () => {
  const { core, origins } = scene;
  const rest = (rules: readonly FlowRoute[]): readonly FlowRoute[] => rules.slice(1);
  for (const { set, rules } of origins) await set(rest(rules));
  await settled((via) => rest(origins.find((one) => one.via === via)?.rules ?? []));
  const gone = origins.map(({ rules }) => rules[0]!);
  await waitFor('the kernel without them', async () => (await inKernel(core, gone)).length === 0);
  const bird = origins.find(({ via }) => via === 'bird')!;
  const changed = birdRoute(bird.rules[1]!.flow, ['discard'], 'enforced');
  await bird.set([...bird.rules.slice(2), changed]);
  await heard(scene.weir, 'bird', [...bird.rules.slice(2), changed]);
  for (const { set, rules } of origins) await set(rules);
  await settled((via) => origins.find((one) => one.via === via)?.rules ?? []);
});

const [FIRST_OWN, ...OWN] = OWN_RULES;

test('rules of our own: each neighbour shows what it is told, until it is withdrawn', async () => {
  const { weir } = scene;
  for (const { flow, actions, shown } of OWN_RULES) {
    const told = NEIGHBORS.filter((name) => shown[name] !== undefined);
    await weir.ask((client) => client.call('flow-add', { flow, actions, peers: told }));
  }
  await held(OWN_RULES);
  expect((await flows(weir)).announced.map(({ told }) => told.length)).toEqual(
    OWN_RULES.map(({ shown }) => Object.values(shown).filter((one) => one !== undefined).length),
  );
  await weir.command('flow', 'delete', FIRST_OWN!.flow, '--socket', weir.socket);
  await held(OWN);
});

test('Weir is killed and started: all of it is in force meanwhile, and the same afterwards', async () => {
  const { core, weir, origins } = scene;
  const rules = enforced(origins.flatMap((one) => one.rules));
  const before = (await flows(weir)).flows.map(({ flow, peer }) => `${peer} ${flow}`);
  // It writes down what is in force once a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await weir.kill();
  expect(await inKernel(core, rules)).toEqual(texts(rules));
  await weir.start();
  expect(await inKernel(core, rules)).toEqual(texts(rules));
  await weir.established(NEIGHBORS.length);
  await settled((via) => origins.find((one) => one.via === via)?.rules ?? []);
  expect((await flows(weir)).flows.map(({ flow, peer }) => `${peer} ${flow}`)).toEqual(before);
  await held(OWN);
});

test('neighbours are killed: their rules are held, and what they do not say again goes when they are back', async () => {
  const { core, weir, peers, origins } = scene;
  for (const { via } of origins) await peers[via].kill9();
  await waitFor('the loss of all', async () => (await flows(weir)).flows.every(({ stale }) => stale));
  const rules = enforced(origins.flatMap((one) => one.rules));
  expect(await inKernel(core, rules)).toEqual(texts(rules));
  const left = (all: readonly FlowRoute[]): readonly FlowRoute[] => all.slice(0, -1);
  for (const { set, rules: all } of origins) await set(left(all));
  await Promise.all(origins.map(({ via }) => peers[via].restart()));
  await settled((via) => left(origins.find((one) => one.via === via)?.rules ?? []));
  const gone = origins.map(({ rules: all }) => all.at(-1)!);
  await waitFor('the kernel without them', async () => (await inKernel(core, gone)).length === 0);
  await held(OWN);
  for (const { flow } of OWN) await weir.ask((client) => client.call('flow-delete', { flow }));
  await held([]);
});

test('validation: rules of BIRD are refused until it has the best route to their destination', async () => {
  const { weir, peers, origins } = scene;
  const bird = origins.find(({ via }) => via === 'bird')!;
  const [rule] = bird.rules;
  await bird.set([rule!]);
  await heard(weir, 'bird', [rule!]);
  weir.configure(flowConfig({ validation: 'strict' }));
  await weir.reload();
  await heard(weir, 'bird', [{ ...rule!, state: 'refused' }]);
  expect((await flows(weir)).flows.find(({ peer }) => peer === 'bird')?.refused?.reason).toBe('invalid');
  await peers.bird.announce('203.0.113.0/24');
  await heard(weir, 'bird', [rule!]);
  // The best route is the longest one, and now from elsewhere.
  await peers.gobgp.announce('203.0.113.61/32');
  await heard(weir, 'bird', [{ ...rule!, state: 'refused' }]);
  await peers.gobgp.withdraw('203.0.113.61/32');
  await heard(weir, 'bird', [rule!]);
  weir.configure(flowConfig());
  await weir.reload();
});

test('sessions are lost where that withdraws: nothing is left', async () => {
  const { core, weir, peers, origins } = scene;
  weir.configure(flowConfig({ loss: 'withdraw' }));
  await weir.reload();
  for (const { via } of origins) await peers[via].stop();
  await waitFor('the loss of all', async () => (await flows(weir)).flows.length === 0);
  const rules = origins.flatMap((one) => one.rules);
  await waitFor('the kernel without them', async () => (await inKernel(core, rules)).length === 0);
});
