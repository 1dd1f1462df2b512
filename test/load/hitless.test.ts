import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { addresses as at, community } from '../e2e/addresses.ts';
import { buildBorder, type Daemons, serve, startDaemons } from '../e2e/border.ts';
import { buildGate, type Gate, ownedTableConfig, userTableConfig } from '../e2e/gate.ts';
import { example } from '../e2e/routers.ts';
import { Traffic } from '../e2e/traffic.ts';
import { Weir } from '../e2e/weir.ts';
import { waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

/** How often Weir is killed; WEIR_HITLESS=1000 by hand. */
const kills = Number(process.env['WEIR_HITLESS'] ?? 20);
const services = {
  open: [at.service.v4, at.service.v6],
  closed: [at.other.v4, at.other.v6],
  port: 443,
  perSecond: 100,
};
const longest = 60_000 + kills * 4_000;

/** The service announced with the community, its neighbour without; the daemon up and in step. */
async function openGate(config: string, options: { readonly holdTime?: number } = {}): Promise<Gate & { readonly weir: Weir }> {
  const lab = labForTest();
  const gate = await buildGate(lab, options);
  if (config === userTableConfig) await gate.core.nft(readFileSync(example('nftables/core_fw.nft'), 'utf8'));
  gate.peer.announce([`${at.service.v4}/32`, `${at.service.v6}/128`], [community]);
  gate.peer.announce([`${at.other.v4}/32`, `${at.other.v6}/128`], ['64512:81']);
  gate.peer.start();
  const weir = new Weir(lab, gate.core, config);
  await weir.start();
  await opened(gate);
  return { ...gate, weir };
}

async function opened({ internet }: Pick<Gate, 'internet'>): Promise<void> {
  for (const address of services.open)
    await waitFor(`${address} to be open`, async () => (await internet.tcpConnect(address, services.port, 300)) === 'connected', {
      timeoutMs: 60_000,
    });
}

/** Kills and starts the daemon at any moment of its life. */
async function killAgainAndAgain({ weir, peer }: Gate & { readonly weir: Weir }, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await weir.kill();
    weir.launch();
    if (i % 2 === 0) {
      await weir.answers();
      await peer.up();
    }
    await sleep(Math.random() * 800);
  }
  if (!weir.running) throw new Error(weir.report());
  await weir.answers();
  await weir.established(1);
}

describe('new connections to an open and to a closed service', () => {
  test(`Weir killed with -9 and started again ${kills} times, a table of its own`, { timeout: longest }, async () => {
    const gate = await openGate(ownedTableConfig);
    const traffic = await Traffic.start(gate.internet, services);
    await killAgainAndAgain(gate, kills);
    await traffic.expectHitless(kills * 10);
  });

  test(`Weir killed with -9 and started again ${kills} times, sets of the user's table`, { timeout: longest }, async () => {
    const gate = await openGate(userTableConfig);
    const traffic = await Traffic.start(gate.internet, services);
    await killAgainAndAgain(gate, kills);
    await traffic.expectHitless(kills * 10);
  });

  test('a reboot: empty ruleset, restored before links come up, then the daemon', async () => {
    const gate = await openGate(ownedTableConfig);
    await sleep(500);
    await gate.weir.kill();
    await gate.core.ip('link', 'set', 'eth0', 'down');
    for (const object of await gate.core.nftJson('tables')) {
      const table = object['table'];
      if (table) await gate.core.nft(`delete table ${table['family']} ${table['name']}`);
    }
    expect(await gate.core.nftJson()).toEqual([]);
    await gate.weir.restore();
    await gate.core.ip('link', 'set', 'eth0', 'up');
    // The address of a link that went down is gone with it, for IPv6.
    await gate.core.ip('address', 'replace', `${at.border.v6}/64`, 'dev', 'eth0', 'nodad');
    await waitFor('eth0 to be up', async () => (await gate.internet.ip('link', 'show', 'dev', 'eth0')).includes('state UP'));
    // Not through the firewall: the first packets ask for the neighbours' addresses.
    for (const address of [at.border.v4, at.border.v6])
      await waitFor('the neighbour', async () => (await gate.internet.tcpConnect(address, 9, 300)) === 'refused');
    const traffic = await Traffic.start(gate.internet, services);
    await sleep(500);
    await gate.weir.start();
    await gate.weir.established(1);
    await sleep(1500);
    await traffic.expectHitless(100);
  });

  test("another process's flush ruleset", async () => {
    const gate = await openGate(ownedTableConfig);
    const traffic = await Traffic.start(gate.internet, services);
    for (let i = 0; i < 10; i++) {
      await gate.core.nft('flush ruleset');
      await sleep(100);
    }
    await traffic.expectHitless(100);
  });

  test('a table that was flushed while Weir was away is back when Weir is', async () => {
    const gate = await openGate(ownedTableConfig);
    await gate.weir.kill();
    // A table whose owner is gone is anybody's: nothing but the daemon can keep it from this.
    await gate.core.nft('flush ruleset');
    expect(await gate.internet.tcpConnect(at.other.v4, services.port, 300)).toBe('connected');
    await gate.weir.start();
    for (const address of services.closed) expect(await gate.internet.tcpConnect(address, services.port, 300)).toBe('timeout');
    await opened(gate);
  });

  test('configurations reloaded', async () => {
    const gate = await openGate(ownedTableConfig);
    const traffic = await Traffic.start(gate.internet, services);
    const changed = [
      ownedTableConfig.replace('max_members: 10000', 'max_members: 5000'),
      ownedTableConfig.replace('ports: [80, 443]', 'ports: [443, 8443]'),
      ownedTableConfig.replace('"64512:80"', '"64512:80", "64512:8080"'),
      ownedTableConfig.replace('203.0.113.0/24', '203.0.113.0/25'),
      ownedTableConfig.replace('bgp:\n', 'bgp:\n  hostname: core\n'),
      ownedTableConfig,
    ];
    for (const config of changed) {
      gate.weir.configure(config);
      await gate.weir.reload();
      await sleep(300);
      await gate.weir.established(1);
    }
    gate.weir.configure('bgp: { as: nonsense }');
    await expect(gate.weir.reload()).rejects.toMatchObject({ code: 'command-failed' });
    await sleep(300);
    await traffic.expectHitless(100);
  });

  test('a set of the owned table renamed', async () => {
    const gate = await openGate(ownedTableConfig);
    const traffic = await Traffic.start(gate.internet, services);
    for (const config of [ownedTableConfig.replaceAll('web_allowed', 'web_open'), ownedTableConfig]) {
      gate.weir.configure(config);
      await gate.weir.reload();
      await sleep(500);
    }
    await traffic.expectHitless(50);
  });

  test('the session is reset, lost without a word, and cut by a link that goes down', async () => {
    const gate = await openGate(ownedTableConfig, { holdTime: 3 });
    const traffic = await Traffic.start(gate.internet, services);
    gate.peer.reset();
    await waitFor('the session to be down', () => !gate.peer.established, { intervalMs: 1 });
    await gate.peer.up();
    await gate.peer.stop({ silent: true });
    await waitFor('weir to notice', async () => (await gate.weir.status()).bgp.established === 0);
    gate.peer.start();
    await gate.peer.up();
    await gate.core.ip('link', 'set', 'bgp0', 'down');
    await waitFor('the hold timer', async () => (await gate.weir.status()).bgp.established === 0);
    await sleep(500);
    await gate.core.ip('link', 'set', 'bgp0', 'up');
    await gate.peer.up();
    await sleep(500);
    await traffic.expectHitless(300);
  });

  describe('beside FRR', () => {
    const restarts: readonly { readonly name: string; readonly end: (daemons: Daemons) => Promise<void> }[] = [
      { name: 'killed with -9', end: (daemons) => daemons.core.killBgpd() },
      { name: 'stopped with graceful restart', end: (daemons) => daemons.core.stopBgpd() },
    ];

    test.each(restarts)('FRR $name and started again', async ({ end }) => {
      const lab = labForTest();
      const border = await buildBorder(lab, { tunnel: 'veth' });
      await serve(border);
      const daemons = await startDaemons(lab, border);
      for (const address of services.open) await daemons.cluster.announce(address, [community]);
      for (const address of services.closed) await daemons.cluster.announce(address, ['64512:81']);
      const weir = new Weir(lab, border.core, readFileSync(example('weir/owned.yaml'), 'utf8'));
      await weir.start();
      await opened(border);
      const traffic = await Traffic.start(border.internet, services);
      await end(daemons);
      await waitFor('weir to notice', async () => (await weir.status()).bgp.established === 0);
      await sleep(1000);
      await daemons.core.startBgpd();
      await weir.established(1);
      // All routes are heard again: none is held for the lost session any more.
      await waitFor(
        'the routes to be back',
        async () => {
          const peers = (await weir.ask((client) => client.call('peers', {})))?.peers ?? [];
          return peers.some((peer) => peer.routes >= 2 && peer.stale_routes === 0);
        },
        { timeoutMs: 60_000, intervalMs: 100 },
      );
      await sleep(1000);
      await traffic.expectHitless(300);
    });
  });
});
