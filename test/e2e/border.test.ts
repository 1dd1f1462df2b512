import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Host, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { addresses as at, community } from './addresses.ts';
import { type Border, buildBorder, type Daemons, loadFirewall, serve, startDaemons } from './border.ts';
import { example } from './routers.ts';
import { Weir } from './weir.ts';

const firewalls = [
  { config: 'weir/core.yaml', name: "sets of the user's table, one session", sessions: 1, userTable: true },
  { config: 'weir/core-two-sessions.yaml', name: "sets of the user's table, a session for each family", sessions: 2, userTable: true },
  { config: 'weir/owned.yaml', name: 'a table that Weir owns', sessions: 1, userTable: false },
];

const services = [
  { family: 'v4', address: at.service.v4, other: at.other.v4 },
  { family: 'v6', address: at.service.v6, other: at.other.v6 },
] as const;

/** gobgpd, FRR, FRR and Weir with the shipped files, and every session up. */
async function start(firewall: (typeof firewalls)[number]): Promise<{ border: Border; daemons: Daemons; weir: Weir }> {
  const lab = labForTest();
  const border = await buildBorder(lab, { tunnel: 'wireguard' });
  await serve(border);
  // Without a firewall the way is open: what closes it later is the firewall.
  for (const { address } of services) expect(await border.internet.tcpConnect(address, 22)).toBe('connected');
  if (firewall.userTable) await loadFirewall(border);
  const daemons = await startDaemons(lab, border);
  const weir = new Weir(lab, border.core, readFileSync(example(firewall.config), 'utf8'));
  await weir.start();
  await weir.established(firewall.sessions);
  await waitFor('edge and core', () => daemons.edge.established(at.wg.core.v4));
  await waitFor('edge and cluster', () => daemons.edge.established(at.cluster.v4));
  return { border, daemons, weir };
}

/** Asks until the outcome is what is wanted: routes take a moment through two routers. */
async function becomes(internet: Host, address: string, port: number, open: boolean): Promise<void> {
  await waitFor(
    `${address} port ${port} to be ${open ? 'open' : 'closed'}`,
    async () => ((await internet.tcpConnect(address, port, 300)) === 'connected') === open,
    { timeoutMs: 40_000 },
  );
}

describe.each(firewalls)('cluster, edge, core, Weir: $name', (firewall) => {
  test('a service is open while it is announced, on its ports alone', async () => {
    const { border, daemons, weir } = await start(firewall);
    const { internet } = border;
    for (const { address, other } of services)
      for (const port of [22, 80, 443])
        for (const one of [address, other]) expect([one, port, await internet.tcpConnect(one, port, 300)]).toEqual([one, port, 'timeout']);

    for (const { address } of services) await daemons.cluster.announce(address, [community]);
    for (const { other } of services) await daemons.cluster.announce(other, ['64512:81']);
    for (const { address, other } of services) {
      await becomes(internet, address, 80, true);
      expect(await internet.tcpConnect(address, 443)).toBe('connected');
      expect(await internet.tcpConnect(address, 22, 300)).toBe('timeout');
      expect(await internet.tcpConnect(other, 80, 300)).toBe('timeout');
    }
    const held = await internet.tcpHold(at.service.v4, 443);
    expect(await held?.echo('before')).toBe('echo');

    // IPv4 is withdrawn; IPv6 is announced again without the community, which is a withdrawal too.
    await daemons.cluster.withdraw(at.service.v4);
    await daemons.cluster.announce(at.service.v6, []);
    for (const { address } of services) {
      await becomes(internet, address, 80, false);
      expect(await internet.tcpConnect(address, 443, 300)).toBe('timeout');
    }
    // on_withdraw: keep
    expect(await held?.echo('after')).toBe('echo');

    await daemons.cluster.announce(at.service.v4, [community]);
    await becomes(internet, at.service.v4, 443, true);
    expect((await weir.status()).kernel.failed_commits).toBe(0);
  });
});
