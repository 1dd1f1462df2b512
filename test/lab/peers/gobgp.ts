import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../host.ts';
import type { Lab } from '../lab.ts';
import type { LabProcess } from '../process.ts';
import { waitFor } from '../wait.ts';
import { PeerDaemon } from './daemon.ts';
import { encodeMrt } from './mrt.ts';
import {
  type AddressFamily,
  type AnnounceOptions,
  bothFamilies,
  familyOf,
  type NeighborConfig,
  type Peer,
  type PeerConfig,
  type ReceivedRoute,
  type SessionState,
} from './peer.ts';

let nextPort = 50_051;

/** GoBGP: the engine inside Cilium. Its API listens on a port of the namespace's loopback. */
export async function startGobgp(lab: Lab, host: Host, config: PeerConfig): Promise<Peer> {
  const daemon = new Gobgp(lab, host, config);
  await daemon.start();
  return daemon;
}

class Gobgp extends PeerDaemon {
  readonly kind = 'gobgp';
  readonly #port: string = String(nextPort++);

  async start(): Promise<void> {
    const groups = this.announcedGroups();
    // It has forgotten its routes. With a session before it has them again, End-of-RIB would say that there are none.
    const commands = this.config.extra ?? [];
    const disabled = groups.length + commands.length > 0;
    const path = this.writeConfig('gobgpd.conf', this.config.text ?? JSON.stringify(this.#configObject(disabled), null, 1));
    const format = this.config.text === undefined ? 'json' : 'toml';
    this.spawn('gobgpd', ['-f', path, '-t', format, '--api-hosts', `127.0.0.1:${this.#port}`, '--pprof-disable', '--log-plain']);
    await this.waitReady(() => this.#gobgp('global'));
    for (const { prefixes, options } of groups) await this.announceMany(prefixes, options);
    for (const line of commands) await this.command(line);
    if (disabled) for (const { address } of this.config.neighbors) await this.enable(address);
  }

  async announceMany(prefixes: readonly string[], options: AnnounceOptions = {}): Promise<void> {
    for (const prefix of prefixes) this.announced.set(prefix, options);
    if (prefixes.length > 16) {
      await this.#inject(prefixes, options);
      return;
    }
    for (const prefix of prefixes) await this.#gobgp('global', 'rib', 'add', prefix, ...pathArguments(prefix, options));
  }

  async withdrawMany(prefixes: readonly string[]): Promise<void> {
    for (const prefix of prefixes) {
      this.announced.delete(prefix);
      await this.#gobgp('global', 'rib', 'del', prefix, '-a', shortFamily(familyOf(prefix)));
    }
  }

  async sessionState(neighbor: string): Promise<SessionState> {
    const shown = JSON.parse(await this.#gobgp('-j', 'neighbor', neighbor)) as { readonly state?: { readonly session_state?: number } };
    return states[shown.state?.session_state ?? 0] ?? 'idle';
  }

  async receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]> {
    const table = JSON.parse(await this.#gobgp('-j', 'global', 'rib', '-a', shortFamily(family))) as Readonly<
      Record<string, readonly GobgpPath[]>
    >;
    return Object.entries(table).flatMap(([prefix, paths]) =>
      paths
        .filter((path) => path['source-id'] !== undefined || path['neighbor-ip'] !== undefined)
        .filter((path) => path['neighbor-ip'] !== '<nil>' && path['neighbor-ip'] !== 'invalid IP')
        .map((path) => readPath(prefix, path)),
    );
  }

  async shutdown(neighbor: string, message: string): Promise<void> {
    // `disable` loses the reason.
    await this.#gobgp('neighbor', neighbor, 'shutdown', '--reason', message);
  }

  async enable(neighbor: string): Promise<void> {
    await this.#gobgp('neighbor', neighbor, 'enable');
  }

  async refresh(neighbor: string): Promise<void> {
    await this.#gobgp('neighbor', neighbor, 'softresetin');
  }

  /**
   * Gives a routing table to the client through a pipe, which is held open until the daemon has it all: at the end of its input the client
   * exits at once, and what it had not sent by then would be lost.
   */
  async #inject(prefixes: readonly string[], options: AnnounceOptions): Promise<void> {
    const pipe = `${this.directory}/routes.mrt`;
    await this.host.exec('sh', ['-c', 'rm -f "$1" && mkfifo "$1"', 'sh', pipe]);
    const client = this.#gobgp('mrt', 'inject', 'global', pipe);
    const writing = await open(pipe, 'w');
    try {
      await writing.writeFile(encodeMrt(prefixes, options, this.config.routerId));
      for (const family of bothFamilies) {
        const expected = [...this.announced.keys()].filter((prefix) => familyOf(prefix) === family).length;
        const destinations = async (): Promise<number> =>
          Number(/Destination: (\d+)/.exec(await this.#gobgp('global', 'rib', 'summary', '-a', shortFamily(family)))?.[1] ?? 0);
        await waitFor(`gobgp to have ${expected} prefixes`, async () => (await destinations()) >= expected, {
          timeoutMs: 180_000,
          // Each question is a process, and the daemon is busy with what it was given.
          intervalMs: prefixes.length > 10_000 ? 500 : 100,
        });
      }
      await sleep(200);
    } finally {
      await writing.close();
    }
    await client;
  }

  command(line: string): Promise<string> {
    return this.#gobgp(...line.split(' '));
  }

  override follow(line: string): LabProcess {
    return this.host.spawn('gobgp', ['-p', this.#port, ...line.split(' ')]);
  }

  async #gobgp(...args: readonly string[]): Promise<string> {
    return (await this.host.exec('gobgp', ['-p', this.#port, ...args], { timeoutMs: 120_000 })).stdout;
  }

  #configObject(disabled: boolean): object {
    const { as, routerId, neighbors, listen } = this.config;
    return {
      global: { config: { as, 'router-id': routerId, ...(listen === undefined ? {} : { 'local-address-list': listen }) } },
      neighbors: neighbors.map((neighbor) => this.#neighborObject(neighbor, disabled)),
    };
  }

  #neighborObject(neighbor: NeighborConfig, disabled: boolean): object {
    if (neighbor.extendedMessages === true) throw this.unsupported('extended messages');
    if (neighbor.extra !== undefined) throw this.unsupported('extra configuration lines');
    const { holdTime = 90, connectRetry = 1, ttlSecurity, multihop, gracefulRestart, addPath, maximumPrefixes } = neighbor;
    return {
      config: {
        'neighbor-address': neighbor.address,
        'peer-as': neighbor.as,
        'admin-down': disabled,
        ...(neighbor.md5 === undefined ? {} : { 'auth-password': neighbor.md5 }),
      },
      timers: {
        config: {
          'hold-time': holdTime,
          'keepalive-interval': Math.max(1, holdTime / 3),
          'connect-retry': connectRetry,
          'idle-hold-time-after-reset': 1,
        },
      },
      transport: {
        config: {
          'passive-mode': neighbor.passive ?? false,
          ...(neighbor.localAddress === undefined ? {} : { 'local-address': neighbor.localAddress }),
        },
      },
      ...(ttlSecurity === undefined ? {} : { 'ttl-security': { config: { enabled: true, 'ttl-min': 256 - ttlSecurity } } }),
      ...(multihop === undefined ? {} : { 'ebgp-multihop': { config: { enabled: true, 'multihop-ttl': multihop } } }),
      ...(gracefulRestart === undefined ? {} : { 'graceful-restart': { config: gracefulConfig(gracefulRestart) } }),
      ...(neighbor.reflectorClient === true
        ? { 'route-reflector': { config: { 'route-reflector-client': true, 'route-reflector-cluster-id': this.config.routerId } } }
        : {}),
      'afi-safis': (neighbor.families ?? bothFamilies).map((family) => ({
        config: { 'afi-safi-name': family.replace(' ', '-').replace(/flow$/, 'flowspec') },
        ...(typeof gracefulRestart !== 'number' ? {} : { 'mp-graceful-restart': { config: { enabled: true } } }),
        ...(addPath === undefined
          ? {}
          : { 'add-paths': { config: { receive: addPath !== 'send', 'send-max': addPath === 'receive' ? 0 : 8 } } }),
        ...(maximumPrefixes === undefined
          ? {}
          : { 'prefix-limit': { config: { 'max-prefixes': maximumPrefixes, 'shutdown-threshold-pct': 100 } } }),
      })),
    };
  }
}

const states: readonly SessionState[] = ['idle', 'idle', 'connect', 'active', 'opensent', 'openconfirm', 'established'];

function gracefulConfig(gracefulRestart: number | 'helper'): object {
  return gracefulRestart === 'helper' ? { enabled: true, 'helper-only': true } : { enabled: true, 'restart-time': gracefulRestart };
}

interface GobgpPath {
  readonly 'source-id'?: string;
  readonly 'neighbor-ip'?: string;
  readonly attrs: readonly {
    readonly type: number;
    readonly nexthop?: string;
    readonly communities?: readonly number[];
    readonly value?: unknown;
  }[];
}

function readPath(prefix: string, path: GobgpPath): ReceivedRoute {
  const of = (type: number) => path.attrs.find((attribute) => attribute.type === type);
  const large = (of(32)?.value ?? []) as readonly { readonly ASN: number; readonly LocalData1: number; readonly LocalData2: number }[];
  return {
    prefix,
    nextHop: of(3)?.nexthop ?? of(14)?.nexthop ?? '',
    communities: (of(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
    large: large.map((value) => `${value.ASN}:${value.LocalData1}:${value.LocalData2}`),
  };
}

function shortFamily(family: AddressFamily): string {
  return family === 'ipv4 unicast' ? 'ipv4' : 'ipv6';
}

function pathArguments(prefix: string, options: AnnounceOptions): readonly string[] {
  const { communities = [], large = [], routeTargets = [], nextHop, med, localPref } = options;
  return [
    ...(communities.length === 0 ? [] : ['community', communities.join(',')]),
    ...(large.length === 0 ? [] : ['large-community', large.join(',')]),
    ...(routeTargets.length === 0 ? [] : ['rt', ...routeTargets]),
    ...(nextHop === undefined ? [] : ['nexthop', nextHop]),
    ...(med === undefined ? [] : ['med', String(med)]),
    ...(localPref === undefined ? [] : ['local-pref', String(localPref)]),
    '-a',
    shortFamily(familyOf(prefix)),
  ];
}
