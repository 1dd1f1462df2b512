import { createHash } from 'node:crypto';
import { LabError } from '../error.ts';
import type { Host } from '../host.ts';
import type { Lab } from '../lab.ts';
import { PeerDaemon } from './daemon.ts';
import {
  type AddressFamily,
  type AnnounceOptions,
  bothFamilies,
  familyOf,
  type NeighborConfig,
  type Peer,
  type PeerConfig,
  type ReceivedRoute,
  type SessionFamily,
  type SessionState,
} from './peer.ts';

/** FRR's bgpd, with zebra unless it is told otherwise. */
export async function startFrr(lab: Lab, host: Host, config: PeerConfig): Promise<Peer> {
  const daemon = new Frr(lab, host, config);
  await daemon.start();
  return daemon;
}

class Frr extends PeerDaemon {
  readonly kind = 'frr';

  async start(): Promise<void> {
    const path = this.writeConfig('frr.conf', this.config.text ?? this.#configText());
    // The daemons drop to their own user, and its group owns the vty sockets.
    await this.host.exec('chown', ['-R', 'frr:frr', this.directory]);
    const common = ['--vty_socket', this.directory, '-z', `${this.directory}/zserv.api`, '-P', '0', '--log', 'stdout'];
    if (this.config.zebra !== false) {
      this.spawn('/usr/lib/frr/zebra', [...common, '-i', `${this.directory}/zebra.pid`, '-f', '/dev/null']);
      await this.waitReady(() => this.#vtysh('-d', 'zebra', '-c', 'show version'));
    }
    const listen = (this.config.listen ?? []).flatMap((address) => ['-l', address]);
    const zebra = this.config.zebra === false ? ['-Z'] : [];
    this.spawn('/usr/lib/frr/bgpd', [...common, ...listen, ...zebra, '-i', `${this.directory}/bgpd.pid`, '-f', path]);
    await this.waitReady(() => this.#vtysh('-d', 'bgpd', '-c', 'show bgp summary'));
  }

  async announceMany(prefixes: readonly string[], options: AnnounceOptions = {}): Promise<void> {
    for (const prefix of prefixes) this.announced.set(prefix, options);
    const networks = bothFamilies.flatMap((family) =>
      inFamily(
        family,
        prefixes.filter((prefix) => familyOf(prefix) === family).map((prefix) => network(prefix, options)),
      ),
    );
    await this.#configure([...routeMap(options), `router bgp ${this.config.as}`, ...networks]);
  }

  async withdrawMany(prefixes: readonly string[]): Promise<void> {
    for (const prefix of prefixes) this.announced.delete(prefix);
    const networks = bothFamilies.flatMap((family) =>
      inFamily(
        family,
        prefixes.filter((prefix) => familyOf(prefix) === family).map((prefix) => `no network ${prefix}`),
      ),
    );
    await this.#configure([`router bgp ${this.config.as}`, ...networks]);
  }

  async sessionState(neighbor: string): Promise<SessionState> {
    const shown = (await this.#json(`show bgp neighbors ${neighbor} json`)) as Record<string, { readonly bgpState?: string }>;
    return (shown[neighbor]?.bgpState ?? 'idle').toLowerCase() as SessionState;
  }

  async receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]> {
    // The first entry of each list describes the prefix, the others are its paths.
    const table = (await this.#json(`show bgp ${family} json detail`)) as {
      readonly routes?: Readonly<Record<string, readonly FrrPath[]>>;
    };
    return Object.entries(table.routes ?? {}).flatMap(([prefix, entries]) =>
      entries
        .filter((path) => path.nexthops !== undefined && path.sourced !== true)
        .map((path) => ({
          prefix,
          nextHop: path.nexthops?.[0]?.ip ?? '',
          communities: path.community?.list ?? [],
          large: path.largeCommunity?.list ?? [],
        })),
    );
  }

  async shutdown(neighbor: string, message: string): Promise<void> {
    await this.#configure([`router bgp ${this.config.as}`, `neighbor ${neighbor} shutdown message ${message}`]);
  }

  async enable(neighbor: string): Promise<void> {
    await this.#configure([`router bgp ${this.config.as}`, `no neighbor ${neighbor} shutdown`]);
  }

  async refresh(neighbor: string): Promise<void> {
    for (const family of this.neighbor(neighbor).families ?? bothFamilies)
      await this.#vtysh('-c', `clear bgp ${family} ${neighbor} soft in`);
  }

  command(line: string): Promise<string> {
    return this.#vtysh('-d', 'bgpd', '-c', line);
  }

  async #vtysh(...args: readonly string[]): Promise<string> {
    return (await this.host.exec('vtysh', ['--vty_socket', this.directory, ...args], { timeoutMs: 120_000 })).stdout;
  }

  async #json(command: string): Promise<unknown> {
    return JSON.parse(await this.#vtysh('-d', 'bgpd', '-c', command));
  }

  /** Applies configuration lines; a line that bgpd refuses is an error. */
  async #configure(lines: readonly string[]): Promise<void> {
    const path = `${this.directory}/change.conf`;
    await this.host.exec('sh', ['-c', 'cat > "$1"', 'sh', path], { input: `${lines.join('\n')}\n` });
    const printed = await this.#vtysh('-d', 'bgpd', '-f', path);
    if (/^%|line \d+:/m.test(printed)) throw new LabError('command-failed', `frr: ${printed}`);
  }

  #configText(): string {
    const { as, routerId, neighbors, extra = [] } = this.config;
    const maps = new Map([...this.announced.values()].map((options) => [mapName(options), routeMap(options)]));
    const graceful = neighbors.map((neighbor) => neighbor.gracefulRestart).find((value) => typeof value === 'number');
    return [
      'frr defaults traditional',
      ...[...maps.values()].flat(),
      `router bgp ${as}`,
      ` bgp router-id ${routerId}`,
      ' no bgp ebgp-requires-policy',
      ' no bgp default ipv4-unicast',
      ' no bgp network import-check',
      ...(graceful === undefined
        ? []
        : [' bgp graceful-restart', ` bgp graceful-restart restart-time ${graceful}`, ' bgp graceful-restart preserve-fw-state']),
      ...neighbors.flatMap((neighbor) => this.#neighborLines(neighbor)),
      ...bothFamilies.flatMap((family) =>
        inFamily(family, [
          ...neighbors.flatMap((neighbor) => familyLines(neighbor, family)),
          ...[...this.announced].filter(([prefix]) => familyOf(prefix) === family).map(([prefix, options]) => network(prefix, options)),
        ]),
      ),
      ...(['ipv4 flow', 'ipv6 flow'] as const).flatMap((family) =>
        inFamily(
          `${family}spec`,
          neighbors.flatMap((neighbor) => familyLines(neighbor, family)),
        ),
      ),
      ...extra.map((line) => ` ${line}`),
      'exit',
      '',
    ].join('\n');
  }

  #neighborLines(neighbor: NeighborConfig): readonly string[] {
    const { address, as, holdTime = 90, connectRetry = 1 } = neighbor;
    // FRR 8.4 always offers extended messages.
    if (neighbor.extendedMessages === false) throw this.unsupported('a switch for extended messages');
    const when = (condition: unknown, line: string): string[] => (condition === undefined || condition === false ? [] : [line]);
    return [
      `remote-as ${as}`,
      `timers ${Math.max(1, Math.floor(holdTime / 3))} ${holdTime}`,
      `timers connect ${connectRetry}`,
      'advertisement-interval 0',
      ...when(neighbor.localAddress, `update-source ${updateSource(neighbor.localAddress ?? '')}`),
      ...when(neighbor.passive, 'passive'),
      ...when(neighbor.md5, `password ${neighbor.md5}`),
      ...when(neighbor.ttlSecurity, `ttl-security hops ${neighbor.ttlSecurity}`),
      ...when(neighbor.multihop, `ebgp-multihop ${neighbor.multihop}`),
      gracefulLine(neighbor),
      ...(neighbor.extra ?? []),
    ].map((line) => ` neighbor ${address} ${line}`);
  }
}

/**
 * Zebra does not tell bgpd the loopback's own addresses. With `update-source 127.0.0.1` bgpd then resets every session for want of an
 * interface ("nexthop_set failed"); with the interface's name it accepts them (and does not connect itself).
 */
function updateSource(address: string): string {
  return address === '::1' || address.startsWith('127.') ? 'lo' : address;
}

/** Without a word FRR 8.4 offers the capability as a helper, and long-lived graceful restart with it. */
function gracefulLine({ gracefulRestart }: NeighborConfig): string {
  if (gracefulRestart === undefined) return 'graceful-restart-disable';
  return gracefulRestart === 'helper' ? 'graceful-restart-helper' : 'graceful-restart';
}

interface FrrPath {
  readonly sourced?: boolean;
  readonly nexthops?: readonly { readonly ip?: string }[];
  readonly community?: { readonly list?: readonly string[] };
  readonly largeCommunity?: { readonly list?: readonly string[] };
}

function familyLines(neighbor: NeighborConfig, family: SessionFamily): readonly string[] {
  const families = neighbor.families ?? bothFamilies;
  if (!families.includes(family)) return [];
  return [
    'activate',
    ...(neighbor.reflectorClient === true ? ['route-reflector-client'] : []),
    ...(neighbor.nextHopSelf === true ? ['next-hop-self force'] : []),
    ...(neighbor.addPath === 'send' || neighbor.addPath === 'both' ? ['addpath-tx-all-paths'] : []),
    ...(!family.endsWith('flow') && (neighbor.addPath === undefined || neighbor.addPath === 'send') ? ['disable-addpath-rx'] : []),
    ...(neighbor.maximumPrefixes === undefined ? [] : [`maximum-prefix ${neighbor.maximumPrefixes}`]),
  ].map((line) => `neighbor ${neighbor.address} ${line}`);
}

function inFamily(family: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [` address-family ${family}`, ...lines.map((line) => `  ${line}`), ' exit-address-family'];
}

function mapName(options: AnnounceOptions): string {
  return `M${createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 12)}`;
}

function network(prefix: string, options: AnnounceOptions): string {
  return `network ${prefix} route-map ${mapName(options)}`;
}

function routeMap(options: AnnounceOptions): readonly string[] {
  const { communities = [], large = [], routeTargets = [], nextHop, med, localPref } = options;
  return [
    `route-map ${mapName(options)} permit 10`,
    ...(communities.length === 0 ? [] : [` set community ${communities.join(' ')}`]),
    ...(large.length === 0 ? [] : [` set large-community ${large.join(' ')}`]),
    ...(routeTargets.length === 0 ? [] : [` set extcommunity rt ${routeTargets.join(' ')}`]),
    ...(nextHop === undefined ? [] : [nextHop.includes(':') ? ` set ipv6 next-hop global ${nextHop}` : ` set ip next-hop ${nextHop}`]),
    ...(med === undefined ? [] : [` set metric ${med}`]),
    ...(localPref === undefined ? [] : [` set local-preference ${localPref}`]),
    'exit',
  ];
}
