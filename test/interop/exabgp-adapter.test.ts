import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { kernelSet } from '../e2e/kernel-set.ts';
import { Weir } from '../e2e/weir.ts';
import { type Host, type Lab, type NeighborConfig, type Peer, startFrr, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { installed } from './daemon-lab.ts';
import { Asked, at, Exabgp, linkHosts, type NeighborOptions, writeConfig } from './exabgp-adapter-lab.ts';

const V4 = '203.0.113.10/32';
const NET4 = '203.0.113.64/26';
const V6 = '2001:db8:80::10/128';
const web = { communities: ['64512:80'] };
const six = { ...web, nextHop: at.router.v6 };

function startRouter(lab: Lab, edge: Host, neighbors: readonly Partial<NeighborConfig>[] = [{}]): Promise<Peer> {
  const settled = neighbors.map((one): NeighborConfig => ({ address: at.exabgp.v4, as: 64512, gracefulRestart: 'helper', ...one }));
  return startFrr(lab, edge, { as: 64513, routerId: at.router.v4, zebra: false, neighbors: settled });
}

describe('weir exabgp owns the kernel', () => {
  test('what the router announces is in the sets; withdrawals, implicit withdrawals, guards and lengths', async () => {
    const lab = labForTest();
    const { core, edge } = await linkHosts(lab);
    const { file, socket } = writeConfig(lab);
    const router = await startRouter(lab, edge);
    const exabgp = new Exabgp(lab, core, { neighbors: [{ address: at.router.v4 }], args: ['-c', file] });
    exabgp.start();
    const weir = new Asked(socket);
    await weir.established(1);
    await router.announce(V4, web);
    await router.announce(NET4, web);
    await router.announce('203.0.113.11/32', { communities: ['64512:81'] });
    await router.announce('198.51.100.1/32', web);
    await router.announce(V6, six);
    await installed(core, 'web4', [V4, NET4]);
    await installed(core, 'web6', [V6]);
    const [peer] = await weir.peers();
    expect(peer).toMatchObject({ name: 'router', address: at.router.v4, via: 'exabgp', state: 'Established', local_as: 64512 });
    const refused = await weir.ask((client) => client.call('refused', { set: 'web' }));
    expect(refused?.recent[0]).toMatchObject({ prefix: '198.51.100.1/32', peer: 'router' });
    const members = await weir.ask((client) => client.call('members', { set: 'web' }));
    expect(members?.members.find(({ prefix }) => prefix === V4)?.why[0]).toMatchObject({
      kind: 'route',
      peer: 'router',
      communities: ['64512:80'],
      as_path: [64513],
    });
    // Announced again without the community, and withdrawn.
    await router.announce(V4, { communities: ['64512:443'] });
    await router.withdraw(V6);
    await installed(core, 'web4', [NET4]);
    await installed(core, 'web6', []);
    const { exabgp: feed } = await weir.status();
    expect(feed).toMatchObject({ processes: 1, bad_lines: 0, unknown_neighbours: 0, refused_commands: 0 });
    expect(exabgp.pids).toHaveLength(1);
  });

  test.each([
    { loss: 'hold 2m', kept: true },
    { loss: 'withdraw', kept: false },
  ])('a lost session with on_session_loss: $loss; a member stays while another session asks for it', async ({ loss, kept }) => {
    const lab = labForTest();
    const { core, edge } = await linkHosts(lab);
    const peers = [
      { name: 'four', address: at.router.v4 },
      { name: 'six', address: at.router.v6 },
    ];
    const { file, socket } = writeConfig(lab, { peers, loss });
    const both: readonly NeighborOptions[] = [
      { address: at.router.v4 },
      { address: at.router.v6, families: ['ipv4 unicast', 'ipv6 unicast'] },
    ];
    const router = await startRouter(lab, edge, [{}, { address: at.exabgp.v6 }]);
    const exabgp = new Exabgp(lab, core, { neighbors: both, args: ['-c', file] });
    exabgp.start();
    const weir = new Asked(socket);
    await weir.established(2);
    await router.announce(V4, web);
    await router.announce(V6, six);
    await installed(core, 'web4', [V4]);
    await installed(core, 'web6', [V6]);
    // FRR sends IPv6 over both sessions, and IPv4 over the one that runs over it.
    await waitFor('routes of both', async () => (await weir.peers()).map(({ routes }) => routes).join() === '2,1');
    await router.shutdown(at.exabgp.v4, 'maintenance');
    await weir.established(1);
    await installed(core, 'web4', kept ? [V4] : []);
    await sleep(500);
    await installed(core, 'web6', [V6]);
    await router.shutdown(at.exabgp.v6, 'maintenance');
    await weir.established(0);
    await sleep(500);
    await installed(core, 'web6', kept ? [V6] : []);
    const [four] = await weir.peers();
    expect(four?.last_error).toMatch(/notification|reset|closed/i);
    await router.enable(at.exabgp.v4);
    await weir.established(1);
    await installed(core, 'web4', [V4]);
  });
});

/** The kernel's elements, looked at all the time: how often each set was seen without what it should have. */
async function watching<T>(
  core: Host,
  set: string,
  member: string,
  work: () => Promise<T>,
): Promise<{ readonly looks: number; readonly missing: number }> {
  const seen = { looks: 0, missing: 0 };
  let done = false;
  const look = async (): Promise<void> => {
    while (!done) {
      seen.looks++;
      if (!(await kernelSet(core, 'fw', set)).has(member)) seen.missing++;
      await sleep(20);
    }
  };
  const looking = look();
  try {
    await work();
  } finally {
    done = true;
    await looking;
  }
  return seen;
}

describe('restarts', () => {
  test('the process is killed: ExaBGP starts it again, it asks for the routes, and nothing was missing', async () => {
    const lab = labForTest();
    const { core, edge } = await linkHosts(lab);
    const { file, socket } = writeConfig(lab);
    const router = await startRouter(lab, edge);
    await router.announce(V4, web);
    await router.announce(NET4, web);
    const exabgp = new Exabgp(lab, core, { neighbors: [{ address: at.router.v4 }], args: ['-c', file] });
    exabgp.start();
    const weir = new Asked(socket);
    await installed(core, 'web4', [V4, NET4]);
    // FRR answers once it has sent End-of-RIB.
    await waitFor('convergence', async () => (await weir.peers())[0]?.converged, { timeoutMs: 60_000 });
    const seen = await watching(core, 'web4', V4, async () => {
      // Gone while nobody listens: found out by what is not announced again.
      process.kill(exabgp.pids[0]!, 'SIGKILL');
      await router.withdraw(NET4);
      await waitFor('another process', async () => exabgp.pids.length === 2);
      await weir.established(1);
      await installed(core, 'web4', [V4], 30_000);
    });
    expect(seen.missing).toBe(0);
    await waitFor('its convergence', async () => (await weir.peers())[0]?.converged, { timeoutMs: 60_000 });
    const [peer] = await weir.peers();
    expect({ routes: peer?.routes, error: peer?.last_error }).toEqual({ routes: 1, error: undefined });
  });

  test('a router that does not answer a route refresh: the session is ended once, and nothing was missing', async () => {
    const lab = labForTest();
    const { core, edge } = await linkHosts(lab);
    const { file, socket } = writeConfig(lab);
    // FRR 8.4 answers only where it has sent End-of-RIB, which it does where both restart gracefully.
    const router = await startRouter(lab, edge, [{}]);
    await router.announce(V4, web);
    const exabgp = new Exabgp(lab, core, { neighbors: [{ address: at.router.v4, gracefulRestart: false }], args: ['-c', file] });
    exabgp.start();
    const weir = new Asked(socket);
    await installed(core, 'web4', [V4]);
    const seen = await watching(core, 'web4', V4, async () => {
      process.kill(exabgp.pids[0]!, 'SIGKILL');
      await waitFor('another process', async () => exabgp.pids.length === 2);
      await weir.established(1);
      await waitFor('its routes', async () => (await weir.peers())[0]?.routes === 1, { timeoutMs: 60_000 });
    });
    expect(seen.missing).toBe(0);
    expect((await weir.peers())[0]?.last_error).toMatch(/Administrative Reset/);
  });

  test('ExaBGP is stopped and started: held members stay, those of a set that withdraws go', async () => {
    const lab = labForTest();
    const { core, edge } = await linkHosts(lab);
    await core.nft('table inet fw { set gone4 { type ipv4_addr; flags interval; }; }');
    const { file, socket, directory } = writeConfig(lab);
    const more = `  gone:\n    kind: allow\n    communities: ["64512:80"]\n    guard: { peers: [router], prefixes: [203.0.113.0/24] }\n    on_session_loss: withdraw\n    nft: { table: fw, ipv4: gone4 }\n`;
    await core.exec('sh', [
      '-c',
      `awk -v more="$1" '/^convergence/ { printf "%s", more } { print }' "$2" > "$2.new" && mv "$2.new" "$2"`,
      'sh',
      more,
      file,
    ]);
    const router = await startRouter(lab, edge);
    await router.announce(V4, web);
    const exabgp = new Exabgp(lab, core, { neighbors: [{ address: at.router.v4 }], args: ['-c', file] });
    exabgp.start();
    const weir = new Asked(socket);
    await installed(core, 'web4', [V4]);
    await installed(core, 'gone4', [V4]);
    const seen = await watching(core, 'web4', V4, async () => {
      await exabgp.stop();
      expect(exabgp.running).toBe(false);
      await installed(core, 'gone4', []);
      expect(await weir.ask((client) => client.call('peers', {}))).toBeUndefined();
      exabgp.start();
      await weir.established(1);
      await installed(core, 'gone4', [V4]);
    });
    expect(seen.missing).toBe(0);
    expect(directory).not.toBe('');
  });

  test('a configuration with mistakes does not take ExaBGP down', async () => {
    const lab = labForTest();
    const { core, edge } = await linkHosts(lab);
    const { file } = writeConfig(lab, { more: 'nonsense: true\n' });
    const router = await startRouter(lab, edge);
    const exabgp = new Exabgp(lab, core, { neighbors: [{ address: at.router.v4 }], args: ['-c', file] });
    exabgp.start();
    await router.waitEstablished(at.exabgp.v4);
    await waitFor('the mistake', async () => exabgp.said.includes('nonsense'), { timeoutMs: 60_000 });
    await sleep(3000);
    expect({ running: exabgp.running, processes: exabgp.pids.length }).toEqual({ running: true, processes: 1 });
  });
});

describe('weir exabgp hands over', () => {
  /** `weir run` and an ExaBGP whose process has no privileges. */
  async function attached(lab: Lab): Promise<{ core: Host; weir: Weir; exabgp: Exabgp; router: Peer; asked: Asked }> {
    const { core, edge } = await linkHosts(lab);
    const directory = lab.directory('feed');
    const socket = `${directory}/exabgp.sock`;
    const { text } = writeConfig(lab, { more: `exabgp: { socket: ${socket}, user: nobody }\n`, daemon: true });
    await core.exec('chmod', ['755', directory]);
    const weir = new Weir(lab, core, text);
    await weir.start();
    const router = await startRouter(lab, edge);
    await router.announce(V4, web);
    const exabgp = new Exabgp(lab, core, { neighbors: [{ address: at.router.v4 }], args: ['--socket', socket], user: 'nobody' });
    exabgp.start();
    return { core, weir, exabgp, router, asked: new Asked(weir.socket) };
  }

  test('as an unprivileged user, to a daemon that is stopped and started: nothing is missing', async () => {
    const lab = labForTest();
    const { core, weir, exabgp, router, asked } = await attached(lab);
    await installed(core, 'web4', [V4], 60_000);
    const seen = await watching(core, 'web4', V4, async () => {
      await weir.stop();
      await router.announce(NET4, web);
      await sleep(500);
      await weir.start();
      await asked.established(1);
      await installed(core, 'web4', [V4, NET4], 60_000);
    });
    expect(seen.missing).toBe(0);
    expect({ running: exabgp.running, processes: exabgp.pids.length }).toEqual({ running: true, processes: 1 });
    // The process is killed: the session is lost for the daemon, and found again.
    await waitFor('convergence', async () => (await asked.peers())[0]?.converged, { timeoutMs: 60_000 });
    process.kill(exabgp.pids[0]!, 'SIGKILL');
    await waitFor('another process', async () => exabgp.pids.length === 2);
    await waitFor('its routes', async () => (await asked.peers())[0]?.routes === 2 && (await asked.peers())[0]?.stale_routes === 0, {
      timeoutMs: 60_000,
    });
    await installed(core, 'web4', [V4, NET4]);
    expect((await asked.peers())[0]?.last_error).toMatch(/the process that handed it over is gone/);
  });

  test('ExaBGP ends: its sessions are lost, and held', async () => {
    const lab = labForTest();
    const { core, exabgp, asked } = await attached(lab);
    await installed(core, 'web4', [V4], 60_000);
    await exabgp.stop();
    await asked.established(0);
    await installed(core, 'web4', [V4]);
    expect((await asked.peers())[0]).toMatchObject({ stale_routes: 1, last_error: expect.stringMatching(/shutting down|ending/) });
    expect((await asked.status()).exabgp).toMatchObject({ processes: 0, bad_lines: 0 });
  });
});
