import { copyFileSync } from 'node:fs';
import { type Host, type Lab, type LabProcess, waitFor } from '../lab/index.ts';

const examples = new URL('../../examples/', import.meta.url).pathname;

/** The path of a file that ships. */
export function example(name: string): string {
  return `${examples}${name}`;
}

/** FRR in one namespace: zebra, which installs what bgpd learns, and bgpd with a configuration file that ships. */
export class FrrRouter {
  readonly host: Host;
  readonly #directory: string;
  #bgpd: LabProcess | undefined;

  private constructor(lab: Lab, host: Host) {
    this.host = host;
    this.#directory = lab.directory(`frr-${host.name}`);
  }

  static async start(lab: Lab, host: Host, config: string): Promise<FrrRouter> {
    const router = new FrrRouter(lab, host);
    copyFileSync(example(config), `${router.#directory}/bgpd.conf`);
    // The daemons change to a user of their own.
    await host.exec('chown', ['-R', 'frr:frr', router.#directory]);
    router.#spawn('zebra', '/dev/null');
    await router.#answers('zebra');
    await router.startBgpd();
    return router;
  }

  async startBgpd(): Promise<void> {
    this.#bgpd = this.#spawn('bgpd', `${this.#directory}/bgpd.conf`);
    await this.#answers('bgpd');
  }

  /** SIGKILL: neighbours see their connections closed, and no NOTIFICATION. */
  async killBgpd(): Promise<void> {
    await this.#bgpd?.kill();
  }

  /** The ordinary end: with graceful restart configured no NOTIFICATION either. */
  async stopBgpd(): Promise<void> {
    await this.#bgpd?.close(10_000);
  }

  /** What vtysh prints; a line that the daemon refuses is an error. */
  async show(command: string): Promise<string> {
    const { stdout } = await this.host.exec('vtysh', ['--vty_socket', this.#directory, '-d', 'bgpd', '-c', command]);
    if (stdout.startsWith('%')) throw new Error(`${command}: ${stdout}`);
    return stdout;
  }

  async established(neighbor: string): Promise<boolean> {
    const shown = JSON.parse(await this.show(`show bgp neighbors ${neighbor} json`)) as Record<string, { bgpState?: string }>;
    return shown[neighbor]?.bgpState === 'Established';
  }

  /** Closes the session for good, or lets it come up again. */
  async shutdown(neighbor: string, down: boolean): Promise<void> {
    const lines = ['configure terminal', 'router bgp 64512', `${down ? '' : 'no '}neighbor ${neighbor} shutdown`];
    await this.host.exec('vtysh', ['--vty_socket', this.#directory, '-d', 'bgpd', ...lines.flatMap((line) => ['-c', line])]);
  }

  #spawn(daemon: string, config: string): LabProcess {
    const own = ['--vty_socket', this.#directory, '-z', `${this.#directory}/zserv.api`, '-i', `${this.#directory}/${daemon}.pid`];
    return this.host.spawn(`/usr/lib/frr/${daemon}`, [...own, '-P', '0', '--log', 'stdout', '--log-level', 'warn', '-f', config], {
      name: daemon,
    });
  }

  async #answers(daemon: string): Promise<void> {
    const command = ['--vty_socket', this.#directory, '-d', daemon, '-c', 'show version'];
    await waitFor(`${daemon} in ${this.host.name}`, async () => (await this.host.exec('vtysh', command)).code === 0, { intervalMs: 30 });
  }
}

/** gobgpd with the configuration that ships: the cluster. */
export class GobgpCluster {
  readonly host: Host;
  readonly #process: LabProcess;

  private constructor(host: Host) {
    this.host = host;
    this.#process = host.spawn('gobgpd', [
      '-f',
      example('gobgp/cluster.toml'),
      '--pprof-disable',
      '--log-level',
      'warn',
      '--api-hosts',
      '127.0.0.1:50051',
    ]);
  }

  static async start(host: Host): Promise<GobgpCluster> {
    const cluster = new GobgpCluster(host);
    await waitFor('gobgpd', async () => (await cluster.#gobgp('global')).code === 0, { intervalMs: 30 });
    return cluster;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Replaces what was announced for the address. IPv6 travels over the IPv4 session, so its next hop is stated. */
  async announce(address: string, communities: readonly string[]): Promise<void> {
    const with6 = address.includes(':') ? ['nexthop', '2001:db8:e::2'] : [];
    const tagged = communities.length === 0 ? [] : ['community', communities.join(',')];
    await this.#gobgp('global', 'rib', 'add', '-a', ...prefixOf(address), ...with6, ...tagged);
  }

  async withdraw(address: string): Promise<void> {
    await this.#gobgp('global', 'rib', 'del', '-a', ...prefixOf(address));
  }

  #gobgp(...args: readonly string[]): ReturnType<Host['exec']> {
    return this.host.exec('gobgp', args);
  }
}

function prefixOf(address: string): [family: string, prefix: string] {
  return address.includes(':') ? ['ipv6', `${address}/128`] : ['ipv4', `${address}/32`];
}
