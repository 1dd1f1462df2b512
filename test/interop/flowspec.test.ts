import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../lab/index.ts';
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
});

test('neighbours are killed: their rules are held, and what they do not say again goes when they are back', async () => {
  const { core, weir, peers, origins } = scene;
  for (const { via } of origins) await peers[via].kill9();
  await waitFor('the loss of all', async () => (await flows(weir)).flows.every(({ stale }) => stale), { timeoutMs: 30_000 });
  const rules = enforced(origins.flatMap((one) => one.rules));
  expect(await inKernel(core, rules)).toEqual(texts(rules));
  const left = (all: readonly FlowRoute[]): readonly FlowRoute[] => all.slice(0, -1);
  for (const { set, rules: all } of origins) await set(left(all));
  await Promise.all(origins.map(({ via }) => peers[via].restart()));
  await settled((via) => left(origins.find((one) => one.via === via)?.rules ?? []));
  const gone = origins.map(({ rules: all }) => all.at(-1)!);
  await waitFor('the kernel without them', async () => (await inKernel(core, gone)).length === 0);
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
});

test('sessions are lost where that withdraws: nothing is left', async () => {
  const { core, weir, peers, origins } = scene;
  weir.configure(flowConfig({ loss: 'withdraw' }));
  await weir.reload();
  for (const { via } of origins) await peers[via].stop();
  await waitFor('the loss of all', async () => (await flows(weir)).flows.length === 0, { timeoutMs: 30_000 });
  const rules = origins.flatMap((one) => one.rules);
  await waitFor('the kernel without them', async () => (await inKernel(core, rules)).length === 0);
});
