import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Asked, at, Exabgp, linkHosts, writeConfig } from '../interop/exabgp-adapter-lab.ts';
import { startBird, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const routes = Array.from({ length: 100_000 }, (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`);

/** How many elements `nft` lists of a set. */
async function elements(list: () => Promise<string>): Promise<number> {
  return ((await list()).match(/\b10\.\d+\.\d+\.\d+/g) ?? []).length;
}

test.each([
  { name: 'the process is the daemon', attached: false },
  { name: 'the process hands over', attached: true },
])('100,000 routes as fast as ExaBGP reads them, and none of its sessions waits: $name', async ({ attached }) => {
  const lab = labForTest();
  const { core, edge } = await linkHosts(lab, 'size 131072');
  const { file, socket, directory } = writeConfig(lab);
  // Hold timers of ten seconds: a session that waited for so long would be lost.
  const router = await startBird(lab, edge, {
    as: 64513,
    routerId: at.router.v4,
    neighbors: [{ address: at.exabgp.v4, as: 64512, holdTime: 10 }],
  });
  await router.announceMany(routes, { communities: ['64512:80'] });
  const weir = new Asked(socket);
  const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;
  if (attached) {
    core.spawn(process.execPath, [program, 'run', '-c', file, '--state-directory', `${directory}/state`], { name: 'weir run' });
    await waitFor('weir run', async () => (await weir.peers()).length > 0, { timeoutMs: 60_000 });
  }
  const exabgp = new Exabgp(lab, core, {
    neighbors: [{ address: at.router.v4, families: ['ipv4 unicast'], holdTime: 10 }],
    args: attached ? ['--socket', socket] : ['-c', file],
  });
  exabgp.start();
  await weir.established(1);
  await waitFor('all routes', async () => (await weir.peers())[0]?.routes === routes.length, { timeoutMs: 110_000, intervalMs: 200 });
  await waitFor('all members', async () => (await elements(() => core.nftList('set', 'inet', 'fw', 'web4'))) === routes.length, {
    intervalMs: 500,
  });
  await sleep(1000);
  const [peer] = await weir.peers();
  expect({ state: peer?.state, error: peer?.last_error, processes: exabgp.pids.length }).toEqual({
    state: 'Established',
    error: undefined,
    processes: 1,
  });
  expect((await weir.status()).exabgp).toMatchObject({ bad_lines: 0 });
});
