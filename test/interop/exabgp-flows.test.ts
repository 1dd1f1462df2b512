import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Weir } from '../e2e/weir.ts';
import { startBird, waitFor } from '../lab/index.ts';
import { PeerDaemon } from '../lab/peers/daemon.ts';
import { labForTest } from '../lab/vitest.ts';
import { Asked, at, Exabgp, linkHosts, writeConfig } from './exabgp-adapter-lab.ts';
import { FAMILIES, heard, inKernel } from './flow-lab.ts';
import { birdRules, type FlowRoute } from './flow-rules.ts';

const FLOWSPEC = `flowspec:
  guards: [{ peers: [router], actions: [discard, rate, sample, mark, redirect], min_length: { ipv4: 0, ipv6: 0 } }]
  redirects: [{ target: "64513:100", table: 100 }, { target: "192.0.2.10:7", table: 101 }]
  on_session_loss: hold 2m
`;

const texts = (rules: readonly FlowRoute[]): readonly string[] => rules.map(({ flow }) => flow);

test.each([
  // ExaBGP cuts the offsets of IPv6 prefixes wrong, and leaves such a rule out; the octets are as they were sent.
  { name: 'the process is the daemon, words are read', attached: false, receive: 'parsed; update; refresh;', offsets: false },
  { name: 'the process hands over, octets are read', attached: true, receive: 'parsed; update; refresh; consolidate;', offsets: true },
])('flow rules of BIRD by ExaBGP into the kernel, over restarts of each part: $name', async ({ attached, receive, offsets }) => {
  const lab = labForTest();
  const { core, edge } = await linkHosts(lab);
  const router = await startBird(lab, edge, {
    as: 64513,
    routerId: at.router.v4,
    neighbors: [{ address: at.exabgp.v4, as: 64512, families: FAMILIES, gracefulRestart: 'helper', nextHopSelf: true }],
  });
  const say = async (rules: readonly FlowRoute[]): Promise<void> => {
    if (!(router instanceof PeerDaemon)) throw new Error('BIRD has no directory');
    for (const kind of ['flow4', 'flow6']) {
      const own = rules.map((rule) => rule.own).filter((text) => text.startsWith(`route ${kind}`));
      writeFileSync(`${router.directory}/${kind}.routes`, `${own.join('\n')}\n`);
    }
    await router.command('configure');
  };
  const rules = birdRules('203.0.113.6', '2001:db8:b:', false);
  const said = (all: readonly FlowRoute[]): readonly FlowRoute[] => all.filter(({ flow }) => offsets || !flow.includes('offset'));
  const enforced = (all: readonly FlowRoute[]): readonly FlowRoute[] => said(all).filter(({ state }) => state === 'enforced');
  await say(rules);

  const keys = `, families: [${FAMILIES.join(', ')}], flow_validation: off`;
  const feed = `${lab.directory('feed')}/exabgp.sock`;
  const { file, socket, text } = writeConfig(lab, {
    peers: [{ name: 'router', address: at.router.v4, keys }],
    more: FLOWSPEC + (attached ? `exabgp: { socket: ${feed} }\n` : ''),
    daemon: attached,
  });
  const daemon = attached ? new Weir(lab, core, text) : undefined;
  await daemon?.start();
  const weir = new Asked(daemon?.socket ?? socket);
  const exabgp = new Exabgp(lab, core, {
    neighbors: [{ address: at.router.v4, families: FAMILIES, receive }],
    args: attached ? ['--socket', feed] : ['-c', file],
  });
  exabgp.start();
  await weir.established(1);
  await heard(weir, 'router', said(rules));
  await waitFor('the kernel', async () => (await inKernel(core, enforced(rules))).length === enforced(rules).length);
  await waitFor('convergence', async () => (await weir.peers())[0]?.converged, { timeoutMs: 60_000 });
  expect((await weir.peers())[0]).toMatchObject({ errors: 0 });
  expect((await weir.status()).exabgp).toMatchObject({ bad_lines: 0 });

  const less = rules.slice(1);
  await say(less);
  await heard(weir, 'router', said(less));
  await waitFor('the kernel without it', async () => (await inKernel(core, rules.slice(0, 1))).length === 0);

  // The process is killed. What is withdrawn while nobody listens is found out by a route refresh of the flow families.
  process.kill(exabgp.pids[0]!, 'SIGKILL');
  const still = rules.slice(2);
  await say(still);
  expect(await inKernel(core, enforced(still))).toEqual(texts(enforced(still)));
  await waitFor('another process', async () => exabgp.pids.length === 2);
  await weir.established(1);
  await heard(weir, 'router', said(still), 60_000);
  expect(await inKernel(core, enforced(still))).toEqual(texts(enforced(still)));
  await waitFor('the kernel without it', async () => (await inKernel(core, rules.slice(1, 2))).length === 0);
  expect((await weir.peers())[0]?.last_error ?? '').not.toMatch(/Administrative Reset/);

  if (daemon) {
    await daemon.kill();
    await daemon.start();
    expect(await inKernel(core, enforced(still))).toEqual(texts(enforced(still)));
    await weir.established(1);
    await heard(weir, 'router', said(still), 60_000);
    return;
  }
  // The router is lost, then ExaBGP ends; both come back, and the router has less to say.
  await router.kill9();
  await weir.established(0);
  expect(await inKernel(core, enforced(still))).toEqual(texts(enforced(still)));
  await exabgp.stop();
  expect(await inKernel(core, enforced(still))).toEqual(texts(enforced(still)));
  await Promise.all([router.restart().then(() => say(still.slice(1))), exabgp.start()]);
  await weir.established(1);
  await heard(weir, 'router', said(still.slice(1)), 60_000);
  await waitFor('the kernel without it', async () => (await inKernel(core, still.slice(0, 1))).length === 0);
});
