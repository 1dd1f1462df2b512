import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { kernelSet } from '../e2e/kernel-set.ts';
import { SpeakerPeer } from '../e2e/speaker-peer.ts';
import { Weir } from '../e2e/weir.ts';
import { type StartPeer, startBird, startExabgp, startFrr, startGobgp, startOpenbgpd, waitFor } from '../lab/index.ts';
import { PeerDaemon } from '../lab/peers/daemon.ts';
import { labForTest } from '../lab/vitest.ts';
import { at, buildLink, configuration, installed, type Pair, peers, startPair } from './daemon-lab.ts';

const V4 = '203.0.113.10/32';
const V6 = '2001:db8:80::10/128';
const web = { communities: ['64512:80'] };
const six = { nextHop: at.peer.v6 };

/** What one daemon does not do, each with the reason; everything else is tested. */
export interface Subject {
  readonly name: string;
  readonly start: StartPeer;
  readonly without: Readonly<Partial<Record<'shutdown' | 'shows' | 'extendedMessages' | 'refresh' | 'reflects', string>>>;
  /** Addresses that it is told to listen on. */
  readonly listen?: readonly string[];
  /** It stays away for half a minute after a NOTIFICATION, unless it is told to come back. */
  readonly sulks?: boolean;
  /** Where its own side shows the text that Weir ended the session with. */
  readonly shownText?: (pair: Pair, directory: string) => Promise<string>;
}

export const subjects: readonly Subject[] = [
  {
    name: 'FRR',
    start: startFrr,
    without: {},
    shownText: async ({ other }, directory) =>
      (await other.exec('vtysh', ['--vty_socket', directory, '-d', 'bgpd', '-c', `show bgp neighbors ${at.weir.v4} json`])).stdout,
  },
  {
    name: 'GoBGP',
    start: startGobgp,
    without: { extendedMessages: 'GoBGP 3.10 has no extended messages', shows: 'GoBGP 3.10 has no command that shows it' },
  },
  {
    name: 'BIRD',
    start: startBird,
    without: {},
    shownText: async ({ other }, directory) => (await other.exec('birdc', ['-s', `${directory}/bird.ctl`, 'show protocols all'])).stdout,
  },
  {
    name: 'OpenBGPD',
    start: startOpenbgpd,
    without: {
      extendedMessages: 'OpenBGPD 7.7 has no extended messages',
      refresh: 'OpenBGPD 7.7 counts a request and sends nothing, to FRR neither',
    },
    sulks: true,
    shownText: async ({ other }, directory) =>
      (await other.exec('bgpctl', ['-s', `${directory}/bgpd.sock`, 'show', 'neighbor', at.weir.v4])).stdout,
  },
  {
    name: 'ExaBGP',
    start: startExabgp,
    without: {
      shutdown: 'ExaBGP 4.2 sends no text',
      shows: 'ExaBGP 4.2 has no command that shows it',
      refresh: 'ExaBGP 4.2 ends the session when it is asked, by FRR too',
      reflects: 'ExaBGP 4.2 passes no routes on; it announces several paths of its own',
    },
    listen: [at.peer.v4, at.peer.v6],
  },
];

async function announceBoth(pair: Pair, options: { readonly communities?: readonly string[] }): Promise<void> {
  await pair.peer.announce(V4, options);
  await pair.peer.announce(V6, { ...options, ...six });
}

/** Weir with these of them, in every way. */
export function testWith(...names: readonly string[]): void {
  const chosen = subjects.filter(({ name }) => names.includes(name));
  describe.each(chosen)('the daemon and $name', ({ start, without, listen, sulks, shownText }) => {
    test('both families over one session: announce, replace, withdraw, End-of-RIB, refresh at a reload, shutdown', async () => {
      // Where it does not send its routes again, Weir has to keep those that no set wants.
      const kept = without.refresh === undefined ? {} : { sessions: [{ keys: ['keep_all: true'] }] };
      const pair = await startPair(labForTest(), { start, listen }, kept, [{ passive: true, gracefulRestart: 60 }]);
      const { lab, core, weir, peer } = pair;
      await announceBoth(pair, web);
      await installed(core, 'web4', [V4]);
      await installed(core, 'web6', [V6]);
      await announceBoth(pair, {});
      await installed(core, 'web4', []);
      await installed(core, 'web6', []);
      await announceBoth(pair, { communities: ['64512:80', '64512:25'] });
      await installed(core, 'web4', [V4]);
      await installed(core, 'web6', [V6]);
      await waitFor('convergence', async () => (await peers(weir))[0]?.converged);
      // With graceful restart agreed on nothing but End-of-RIB ends the learning.
      expect((await peers(weir))[0]?.capabilities.filter((one) => one.startsWith('graceful-restart'))).toHaveLength(1);
      expect((await peers(weir))[0]?.phases).toEqual({ 'ipv4 unicast': 'converged', 'ipv6 unicast': 'converged' });
      // A route that no set wanted is asked for again; the session goes on.
      await peer.announce('203.0.113.25/32', { communities: ['64512:25'] });
      const before = (await peers(weir))[0];
      weir.configure(configuration(lab, { ...kept, mail: true }));
      await weir.reload();
      await installed(core, 'mail4', [V4, '203.0.113.25/32']);
      await installed(core, 'mail6', [V6]);
      expect((await peers(weir))[0]).toMatchObject({ state: 'Established', since: before?.since });
      await peer.withdraw(V4);
      await peer.withdraw(V6);
      await installed(core, 'web4', []);
      await installed(core, 'mail4', ['203.0.113.25/32']);
      await installed(core, 'web6', []);
      expect((await peers(weir))[0]?.errors).toBe(0);

      if (without.shutdown === undefined) {
        await peer.shutdown(at.weir.v4, 'maintenance at noon');
        await waitFor('the reason', async () => (await peers(weir))[0]?.last_error?.includes('maintenance at noon'));
        await peer.enable(at.weir.v4);
        await weir.established(1);
      }
      if (shownText && peer instanceof PeerDaemon) {
        await weir.stop();
        await waitFor('our reason', async () => (await shownText(pair, peer.directory)).includes('weir is ending'));
      }
    });

    test('it connects: TCP MD5, TTL security, AS numbers of four octets', async () => {
      const md5 = 'between-us';
      const lab = labForTest();
      const options = {
        as: 4_200_000_001,
        peerAs: 4_200_000_002,
        listen: true,
        sessions: [{ keys: ['passive: true', 'ttl_security: 1'], password: md5 }],
      };
      const pair = await startPair(lab, { start, listen }, options, [{ md5, ttlSecurity: 1, localAddress: at.peer.v4 }]);
      await announceBoth(pair, web);
      await installed(pair.core, 'web4', [V4]);
      await installed(pair.core, 'web6', [V6]);
      const routes = (await pair.weir.ask((client) => client.call('routes', {})))?.routes ?? [];
      expect(routes.map((route) => route.as_path)).toEqual([[4_200_000_002], [4_200_000_002]]);
      // Another password is no session.
      await pair.weir.stop();
      pair.weir.configure(configuration(lab, { ...options, sessions: [{ ...options.sessions[0], password: 'another' }] }));
      await pair.weir.start();
      if (sulks) await pair.peer.enable(at.weir.v4);
      const refused = async (): Promise<number> => {
        const [names = '', values = ''] = (await pair.core.exec('grep', ['^TcpExt:', '/proc/net/netstat'])).stdout.split('\n');
        return Number(values.split(' ')[names.split(' ').indexOf('TCPMD5Failure')]);
      };
      await waitFor('the kernel to refuse it', async () => (await refused()) > 0, { timeoutMs: 60_000 });
      expect((await pair.weir.status()).bgp.established).toBe(0);
    });

    test('a session for each family', async () => {
      const sessions = [
        { name: 'four', address: at.peer.v4, keys: ['families: [ipv4 unicast]'] },
        { name: 'six', address: at.peer.v6, keys: ['families: [ipv6 unicast]'] },
      ];
      const pair = await startPair(labForTest(), { start, listen }, { sessions }, [
        { families: ['ipv4 unicast'], passive: true, localAddress: at.peer.v4 },
        { address: at.weir.v6, families: ['ipv6 unicast'], passive: true, localAddress: at.peer.v6 },
      ]);
      await announceBoth(pair, web);
      await installed(pair.core, 'web4', [V4]);
      await installed(pair.core, 'web6', [V6]);
      expect((await peers(pair.weir)).map((peer) => [peer.name, peer.families, peer.routes])).toEqual([
        ['four', ['ipv4 unicast'], 1],
        ['six', ['ipv6 unicast'], 1],
      ]);
      await pair.peer.withdraw(V6);
      await installed(pair.core, 'web6', []);
      await installed(pair.core, 'web4', [V4]);
    });

    test('graceful restart: it is killed and comes back; Weir is killed and comes back', async () => {
      const pair = await startPair(labForTest(), { start, listen }, {}, [{ passive: true, gracefulRestart: 60 }]);
      const { core, weir, peer } = pair;
      const members = [V4, '203.0.113.11/32'].sort();
      await peer.announce(V4, web);
      await peer.announce('203.0.113.11/32', web);
      await installed(core, 'web4', members);
      await waitFor('convergence', async () => (await peers(weir))[0]?.converged);
      let watching = true;
      const gaps: string[][] = [];
      onTestFinished(() => {
        watching = false;
      });
      const watch = (async () => {
        while (watching) {
          const seen = [...(await kernelSet(core, 'fw', 'web4'))].sort();
          if (seen.join() !== members.join()) gaps.push(seen);
          await sleep(20);
        }
      })();
      await peer.kill9();
      await waitFor('weir to notice', async () => (await weir.status()).bgp.established === 0);
      expect((await peers(weir))[0]).toMatchObject({ routes: 2, stale_routes: 2 });
      await peer.restart();
      await weir.established(1);
      await waitFor('both routes again', async () => {
        const one = (await peers(weir))[0];
        return one?.converged === true && one.routes === 2 && one.stale_routes === 0;
      });
      await weir.kill();
      await weir.start();
      await weir.established(1);
      await waitFor('both routes again', async () => {
        const one = (await peers(weir))[0];
        return one?.converged === true && one.routes === 2;
      });
      expect((await weir.status()).kernel).toMatchObject({ elements_sent: 0 });
      watching = false;
      await watch;
      expect(gaps).toEqual([]);
    });

    test('several paths of one prefix (add-path)', async () => {
      const lab = labForTest();
      const { core, other } = await buildLink(lab);
      const neighbor = { address: at.weir.v4, as: 64512, passive: true, addPath: 'send' as const };
      const weir = new Weir(lab, core, configuration(lab, { sessions: [{ keys: ['add_path: true'] }] }));
      const paths = async (): Promise<number> => ((await weir.ask((client) => client.call('routes', { prefix: V4 })))?.routes ?? []).length;
      let takeOne: () => Promise<void>;
      if (without.reflects === undefined) {
        const feeders = await lab.host('feeders');
        await lab.link(
          { host: other, name: 'eth1', addresses: ['192.0.2.193/26'] },
          { host: feeders, name: 'eth0', addresses: ['192.0.2.194/26', '192.0.2.195/26'] },
        );
        const speakers = (['192.0.2.194', '192.0.2.195'] as const).map(
          (address, i) => new SpeakerPeer({ namespace: feeders.path, address, as: 64601 + i, weir: { address: '192.0.2.193', as: 64513 } }),
        );
        for (const speaker of speakers) {
          lab.onDispose(() => speaker.stop());
          speaker.start();
          speaker.announce([V4], ['64512:80']);
        }
        const feeding = speakers.map((_, i) => ({
          address: `192.0.2.${194 + i}`,
          as: 64601 + i,
          localAddress: '192.0.2.193',
          families: ['ipv4 unicast'] as const,
        }));
        await start(lab, other, { as: 64513, routerId: at.peer.v4, neighbors: [neighbor, ...feeding] });
        for (const speaker of speakers) await speaker.up();
        takeOne = async () => speakers.pop()?.withdraw([V4]);
      } else {
        const exabgp = await start(lab, other, { as: 64513, routerId: at.peer.v4, neighbors: [neighbor], ...(listen ? { listen } : {}) });
        if (!(exabgp instanceof PeerDaemon)) throw new Error('not a driver');
        const tell = async (line: string): Promise<unknown> => other.exec('sh', ['-c', `echo '${line}' > ${exabgp.directory}/commands`]);
        const ids = [1, 2];
        const route = (id: number): string => `route ${V4} next-hop self path-information 0.0.0.${id}`;
        await weir.start();
        await weir.established(1);
        for (const id of ids) await tell(`announce ${route(id)} community [ 64512:80 ]`);
        takeOne = async () => void (await tell(`withdraw ${route(ids.pop() ?? 0)}`));
      }
      if (!weir.running) await weir.start();
      await weir.established(1);
      await waitFor('two paths', async () => (await paths()) === 2);
      await installed(core, 'web4', [V4]);
      await takeOne();
      await waitFor('one path', async () => (await paths()) === 1);
      await installed(core, 'web4', [V4]);
      await takeOne();
      await waitFor('no path', async () => (await paths()) === 0);
      await installed(core, 'web4', []);
    });

    test('100,000 routes, with extended messages where it has them', { timeout: 240_000 }, async () => {
      const extended = without.extendedMessages === undefined ? { extendedMessages: true } : {};
      const pair = await startPair(labForTest(), { start, listen }, {}, [{ passive: true, ...extended }]);
      const { core, weir, peer } = pair;
      expect((await peers(weir))[0]?.capabilities.includes('extended-message')).toBe(without.extendedMessages === undefined);
      const prefixes = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 15}.${(i >> 7) & 255}.${(i & 127) * 2}/32`);
      await peer.announceMany(prefixes, { communities: ['64512:100'] });
      const set = async () => (await weir.status()).sets.find((one) => one.name === 'big');
      await waitFor('all routes', async () => (await set())?.targets[0]?.installed === prefixes.length, {
        timeoutMs: 180_000,
        intervalMs: 100,
      });
      expect((await kernelSet(core, 'fw', 'big4')).size).toBe(prefixes.length);
      expect((await peers(weir))[0]).toMatchObject({ state: 'Established', routes: prefixes.length, errors: 0 });
      await peer.kill9();
      await waitFor('the set to be empty', async () => (await kernelSet(core, 'fw', 'big4')).size === 0);
    });

    test('more prefixes than it may announce: warn, block, restart', async () => {
      const lab = labForTest();
      const limited = (action: string): string =>
        configuration(lab, { sessions: [{ keys: [`max_prefixes: { limit: 5, action: ${action}, restart_after: 5s }`] }] });
      const pair = await startPair(lab, { start, listen }, {}, [{ passive: true }]);
      const { core, weir, peer } = pair;
      const all = Array.from({ length: 8 }, (_, i) => `203.0.113.${i}/32`);
      await peer.announceMany(all, web);
      await installed(core, 'web4', all);
      const again = async (action: string): Promise<void> => {
        await weir.stop();
        weir.configure(limited(action));
        await weir.start();
        if (sulks) await peer.enable(at.weir.v4);
      };
      await again('warn');
      await weir.established(1);
      await waitFor('all routes', async () => (await peers(weir))[0]?.routes === 8);
      const events = (await weir.ask((client) => client.call('events', {})))?.events ?? [];
      expect(events.filter((event) => event.kind === 'max-prefixes').length).toBeGreaterThan(0);
      await again('block');
      await weir.established(1);
      await waitFor('three that are blocked', async () => (await peers(weir))[0]?.not_kept.blocked === 3);
      await waitFor('the set', async () => (await kernelSet(core, 'fw', 'web4')).size === 5);
      await again('restart');
      await waitFor('the end of the session', async () => /prefix/i.test((await peers(weir))[0]?.last_error ?? ''));
      if (shownText && peer instanceof PeerDaemon) {
        const { directory } = peer;
        // Weir knows why it ended the session before its neighbour has read so.
        await waitFor('our reason', async () => /max\w*[ -](number of )?prefix/i.test(await shownText(pair, directory)));
      }
      for (const prefix of all.slice(4)) await peer.withdraw(prefix);
      if (sulks) await peer.enable(at.weir.v4);
      await weir.established(1);
      await installed(core, 'web4', all.slice(0, 4));
    });
  });
}
