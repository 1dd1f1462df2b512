import { existsSync, writeFileSync } from 'node:fs';
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

/** In its directory: flow rules that it announces, as `route flow4 { ... };`. It reads them at `configure`. */
const FLOW_ROUTES = ['flow4.routes', 'flow6.routes'] as const;

/** BIRD 2. What it announces are static routes in a file that it rereads. */
export async function startBird(lab: Lab, host: Host, config: PeerConfig): Promise<Peer> {
  const daemon = new Bird(lab, host, config);
  await daemon.start();
  return daemon;
}

class Bird extends PeerDaemon {
  readonly kind = 'bird';
  #starts = 0;

  async start(): Promise<void> {
    for (const path of FLOW_ROUTES.map((name) => `${this.directory}/${name}`)) if (!existsSync(path)) writeFileSync(path, '\n');
    const path = this.writeConfig('bird.conf', this.config.text ?? this.#configText());
    this.#writeRoutes();
    const graceful = this.config.neighbors.some((neighbor) => typeof neighbor.gracefulRestart === 'number');
    const recover = graceful && this.#starts++ > 0 ? ['-R'] : [];
    this.spawn('bird', ['-f', '-c', path, '-s', this.#socket, '-P', `${this.directory}/bird.pid`, ...recover]);
    await this.waitReady(() => this.#birdc('show status'));
  }

  async announceMany(prefixes: readonly string[], options: AnnounceOptions = {}): Promise<void> {
    for (const prefix of prefixes) this.announced.set(prefix, options);
    await this.#reread();
  }

  async withdrawMany(prefixes: readonly string[]): Promise<void> {
    for (const prefix of prefixes) this.announced.delete(prefix);
    await this.#reread();
  }

  async sessionState(neighbor: string): Promise<SessionState> {
    const state =
      /BGP state:\s+(\w+)/.exec(await this.#birdc(`show protocols all ${this.#protocol(neighbor)}`))?.[1]?.toLowerCase() ?? 'idle';
    return state === 'down' || state === 'close' ? 'idle' : (state as SessionState);
  }

  async receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]> {
    return parseRoutes(
      await this.#birdc(`show route table ${family === 'ipv4 unicast' ? 'master4' : 'master6'} where source = RTS_BGP all`),
    );
  }

  async shutdown(neighbor: string, message: string): Promise<void> {
    await this.#birdc(`disable ${this.#protocol(neighbor)} "${message}"`);
  }

  async enable(neighbor: string): Promise<void> {
    await this.#birdc(`enable ${this.#protocol(neighbor)}`);
  }

  async refresh(neighbor: string): Promise<void> {
    await this.#birdc(`reload in ${this.#protocol(neighbor)}`);
  }

  command(line: string): Promise<string> {
    return this.#birdc(line);
  }

  get #socket(): string {
    return `${this.directory}/bird.ctl`;
  }

  #protocol(neighbor: string): string {
    const index = this.config.neighbors.indexOf(this.neighbor(neighbor));
    return [...(this.config.text ?? '').matchAll(/^protocol bgp (\S+)/gm)][index]?.[1] ?? `peer${index}`;
  }

  async #birdc(command: string): Promise<string> {
    return (await this.host.exec('birdc', ['-s', this.#socket, command])).stdout;
  }

  async #reread(): Promise<void> {
    this.#writeRoutes();
    const printed = await this.#birdc('configure');
    if (!/^Reconfigur/m.test(printed)) throw new LabError('command-failed', `bird: ${printed}`);
  }

  #writeRoutes(): void {
    for (const family of bothFamilies) {
      const lines = [...this.announced]
        .filter(([prefix]) => familyOf(prefix) === family)
        .map(([prefix, options]) => `route ${prefix} blackhole${attributes(options)};`);
      writeFileSync(`${this.directory}/${family.slice(0, 4)}.routes`, `${lines.join('\n')}\n`);
    }
  }

  #configText(): string {
    const { routerId, neighbors, listen, extra = [] } = this.config;
    if (listen !== undefined) throw this.unsupported('a list of listening addresses (strict bind follows localAddress)');
    return [
      'log stderr { info, warning, error, fatal, bug, remote, auth };',
      `router id ${routerId};`,
      'protocol device {}',
      'flow4 table flowtab4;',
      'flow6 table flowtab6;',
      // An include stands on a line of its own.
      ...['ipv4', 'ipv6', 'flow4', 'flow6'].flatMap((short) => [
        `protocol static static_${short} {`,
        `  ${short}${tableOf(short)};`,
        `include "${this.directory}/${short}.routes";`,
        '}',
      ]),
      ...neighbors.flatMap((neighbor, index) => this.#neighborLines(neighbor, index)),
      ...extra,
      '',
    ].join('\n');
  }

  #neighborLines(neighbor: NeighborConfig, index: number): readonly string[] {
    const { address, as, holdTime = 90, connectRetry = 1, ttlSecurity, multihop } = neighbor;
    const when = (condition: unknown, line: string): string[] => (condition === undefined || condition === false ? [] : [line]);
    const hops = multihop ?? (ttlSecurity !== undefined && ttlSecurity > 1 ? ttlSecurity : undefined);
    return [
      `protocol bgp peer${index} {`,
      `  local ${neighbor.localAddress ?? ''} as ${this.config.as};`,
      `  neighbor ${address} as ${as};`,
      `  hold time ${holdTime};`,
      `  connect retry time ${connectRetry};`,
      '  connect delay time 1;',
      '  error wait time 1, 2;',
      `  ${gracefulStatement(neighbor)}`,
      hops === undefined ? (as === this.config.as ? '' : '  direct;') : `  multihop ${hops};`,
      ...when(ttlSecurity, '  ttl security on;'),
      ...when(neighbor.passive, '  passive on;'),
      ...when(neighbor.md5, `  password "${neighbor.md5}";`),
      ...when(neighbor.extendedMessages, '  enable extended messages on;'),
      ...when(neighbor.reflectorClient, '  rr client;'),
      ...(neighbor.families ?? bothFamilies).map((family) => `  ${channelName(family)} { ${channelOptions(neighbor, family)} };`),
      ...(neighbor.extra ?? []).map((line) => `  ${line}`),
      '}',
    ];
  }
}

function gracefulStatement({ gracefulRestart }: NeighborConfig): string {
  if (gracefulRestart === undefined) return 'graceful restart off; long lived graceful restart off;';
  return gracefulRestart === 'helper' ? 'graceful restart aware;' : `graceful restart on; graceful restart time ${gracefulRestart};`;
}

/** `ipv4`, `flow4`. */
function channelName(family: SessionFamily): string {
  return family.endsWith('flow') ? `flow${family.slice(3, 4)}` : family.slice(0, 4);
}

/** There are tables by default for unicast alone. */
function tableOf(channel: string): string {
  return channel.startsWith('flow') ? ` { table flowtab${channel.slice(4)}; }` : '';
}

function channelOptions(neighbor: NeighborConfig, family: SessionFamily): string {
  const paths = { send: 'tx', receive: 'rx', both: 'on' } as const;
  return [
    ...(family.endsWith('flow') ? [`table flowtab${family.slice(3, 4)};`] : []),
    'import all; export all;',
    ...(neighbor.nextHopSelf === true ? ['next hop self;'] : []),
    ...(neighbor.addPath === undefined ? [] : [`add paths ${paths[neighbor.addPath]};`]),
    ...(neighbor.maximumPrefixes === undefined ? [] : [`import limit ${neighbor.maximumPrefixes} action disable;`]),
  ].join(' ');
}

function attributes(options: AnnounceOptions): string {
  const { communities = [], large = [], routeTargets = [], nextHop, med, localPref } = options;
  const pair = (text: string): string => `(${text.replaceAll(':', ',')})`;
  const statements = [
    ...communities.map((text) => `bgp_community.add(${pair(text)});`),
    ...large.map((text) => `bgp_large_community.add(${pair(text)});`),
    ...routeTargets.map((text) => `bgp_ext_community.add((rt,${text.replace(':', ',')}));`),
    ...(nextHop === undefined ? [] : [`bgp_next_hop = ${nextHop};`]),
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
    ...(localPref === undefined ? [] : [`bgp_local_pref = ${localPref};`]),
  ];
  return statements.length === 0 ? '' : ` { ${statements.join(' ')} }`;
}

/** `show route all`: a line with the prefix (blank for a further path of the same), then its attributes, indented by a tab. */
function parseRoutes(text: string): readonly ReceivedRoute[] {
  const routes: { prefix: string; nextHop: string; communities: string[]; large: string[] }[] = [];
  for (const line of text.split('\n')) {
    const head = /^(\S+\/\d+|\s{4,})\s*(?:unicast|blackhole|unreachable) \[/.exec(line);
    if (head !== null) {
      const prefix = head[1]?.trim() || (routes.at(-1)?.prefix ?? '');
      routes.push({ prefix, nextHop: '', communities: [], large: [] });
    }
    const route = routes.at(-1);
    const attribute = /^\tBGP\.(\w+): (.*)$/.exec(line);
    if (route === undefined || attribute === null) continue;
    const [, name, value = ''] = attribute;
    if (name === 'next_hop') route.nextHop = value.split(' ')[0] ?? '';
    if (name === 'community') route.communities = tuples(value);
    if (name === 'large_community') route.large = tuples(value);
  }
  return routes;
}

/** `(64512,80) (64512, 1, 2)` */
function tuples(text: string): string[] {
  return [...text.matchAll(/\(([^)]*)\)/g)].map((match) => (match[1] ?? '').replaceAll(' ', '').replaceAll(',', ':'));
}
