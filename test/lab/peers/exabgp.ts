import { existsSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Host } from '../host.ts';
import type { Lab } from '../lab.ts';
import { waitFor } from '../wait.ts';
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

/** ExaBGP 4.2. Commands go to it through a pipe; what it hears is read from the JSON that it prints. */
export async function startExabgp(lab: Lab, host: Host, config: PeerConfig): Promise<Peer> {
  const daemon = new Exabgp(lab, host, config);
  await daemon.start();
  return daemon;
}

interface Heard extends ReceivedRoute {
  readonly neighbor: string;
}

class Exabgp extends PeerDaemon {
  readonly kind = 'exabgp';
  readonly #states = new Map<string, SessionState>();
  readonly #routes = new Map<string, Heard>();
  #output: number | undefined;
  #rest = '';

  async start(): Promise<void> {
    const local = await Promise.all(this.config.neighbors.map((neighbor) => neighbor.localAddress ?? this.#sourceFor(neighbor.address)));
    const path = this.writeConfig('exabgp.conf', this.#configText(local));
    await this.host.exec('sh', ['-c', 'rm -f "$1" && mkfifo "$1"', 'sh', this.#commands]);
    rmSync(this.#printed, { force: true });
    // The pipe is opened for reading and writing, so that it never ends. A background command would lose its stdin.
    writeFileSync(`${this.directory}/process.sh`, `exec 3<&0\ncat <&3 >> ${this.#printed} &\nexec cat <> ${this.#commands}\n`);
    this.#output = undefined;
    this.#rest = '';
    this.#states.clear();
    this.#routes.clear();
    const { listen } = this.config;
    this.spawn('exabgp', [path], {
      'exabgp.daemon.user': 'root',
      'exabgp.daemon.drop': 'false',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.api.respawn': 'false',
      'exabgp.log.destination': 'stdout',
      'exabgp.log.level': 'NOTICE',
      ...(listen === undefined ? {} : { 'exabgp.tcp.bind': listen.join(' '), 'exabgp.tcp.port': '179' }),
    });
    await this.waitReady(() => (existsSync(this.#printed) ? Promise.resolve() : Promise.reject(new Error('its process has not started'))));
  }

  async announceMany(prefixes: readonly string[], options: AnnounceOptions = {}): Promise<void> {
    for (const prefix of prefixes) this.announced.set(prefix, options);
    await this.#tell(prefixes.map((prefix) => `announce ${routeText(prefix, options)}`));
  }

  async withdrawMany(prefixes: readonly string[]): Promise<void> {
    await this.#tell(prefixes.map((prefix) => `withdraw route ${prefix} next-hop ${this.announced.get(prefix)?.nextHop ?? 'self'}`));
    for (const prefix of prefixes) this.announced.delete(prefix);
  }

  async sessionState(neighbor: string): Promise<SessionState> {
    this.neighbor(neighbor);
    this.#read();
    return this.#states.get(neighbor) ?? 'idle';
  }

  async receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]> {
    this.#read();
    return [...this.#routes.values()].filter((route) => familyOf(route.prefix) === family);
  }

  async shutdown(): Promise<void> {
    throw this.unsupported('a shutdown communication');
  }

  async enable(): Promise<void> {
    throw this.unsupported('enabling a neighbour');
  }

  async refresh(neighbor: string): Promise<void> {
    for (const family of this.neighbor(neighbor).families ?? bothFamilies)
      await this.#tell([`neighbor ${neighbor} announce route-refresh ${family}`]);
  }

  /** Gives all that it has printed since it started. */
  async command(line: string): Promise<string> {
    if (line !== '') await this.#tell([line]);
    return readFileSync(this.#printed, 'utf8');
  }

  get #commands(): string {
    return `${this.directory}/commands`;
  }

  get #printed(): string {
    return `${this.directory}/printed.jsonl`;
  }

  async #tell(lines: readonly string[]): Promise<void> {
    await writeFile(this.#commands, `${lines.join('\n')}\n`);
  }

  async #sourceFor(address: string): Promise<string> {
    const find = async (): Promise<string | undefined> => {
      const [route] = JSON.parse(await this.host.ip('-json', 'route', 'get', address)) as readonly { readonly prefsrc?: string }[];
      return route?.prefsrc;
    };
    return await waitFor(`a route from ${this.host.name} to ${address}`, find);
  }

  /** Reads what was printed since the last time. */
  #read(): void {
    if (!existsSync(this.#printed)) return;
    this.#output ??= openSync(this.#printed, 'r');
    const buffer = Buffer.alloc(1 << 20);
    for (;;) {
      const count = readSync(this.#output, buffer, 0, buffer.length, null);
      if (count === 0) return;
      const lines = (this.#rest + buffer.toString('utf8', 0, count)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('{')) this.#take(JSON.parse(line) as ExabgpMessage);
    }
  }

  #take({ type, neighbor }: ExabgpMessage): void {
    const from = neighbor?.address?.peer;
    if (neighbor === undefined || from === undefined) return;
    if (type === 'state') {
      this.#states.set(from, neighbor.state === 'up' ? 'established' : neighbor.state === 'connected' ? 'opensent' : 'idle');
      if (neighbor.state === 'down') for (const [key, route] of this.#routes) if (route.neighbor === from) this.#routes.delete(key);
      return;
    }
    const update = neighbor.message?.update;
    if (update === undefined) return;
    for (const gone of Object.values(update.withdraw ?? {}).flat()) this.#routes.delete(`${from} ${gone.nlri}`);
    const communities = (update.attribute?.community ?? []).map((one) => one.join(':'));
    const large = (update.attribute?.['large-community'] ?? []).map((one) => one.join(':'));
    for (const hops of Object.values(update.announce ?? {})) {
      for (const [nextHop, entries] of Object.entries(hops)) {
        for (const { nlri: prefix } of entries)
          this.#routes.set(`${from} ${prefix}`, { prefix, nextHop, communities, large, neighbor: from });
      }
    }
  }

  #configText(local: readonly string[]): string {
    const { text } = this.config;
    if (text !== undefined) return text.replace(/\brun [^;]*;/, `run /bin/sh ${this.directory}/process.sh;`);
    if (this.config.extra !== undefined) return [...this.config.extra, ...this.#blocks(local)].join('\n');
    return this.#blocks(local).join('\n');
  }

  #blocks(local: readonly string[]): readonly string[] {
    return [
      'process lab {',
      `  run /bin/sh ${this.directory}/process.sh;`,
      '  encoder json;',
      '}',
      ...this.config.neighbors.flatMap((neighbor, index) => this.#neighborLines(neighbor, local[index] ?? '')),
      '',
    ];
  }

  #staticRoutes(family: SessionFamily): string {
    const routes = [...this.announced]
      .filter(([prefix]) => familyOf(prefix) === family)
      .map(([prefix, options]) => routeText(prefix, options));
    return routes.length === 0 ? '' : `  static { ${routes.map((route) => `${route};`).join(' ')} }`;
  }

  #neighborLines(neighbor: NeighborConfig, local: string): readonly string[] {
    const { address, as, holdTime = 90, families = bothFamilies, addPath } = neighbor;
    if (neighbor.reflectorClient === true) throw this.unsupported('route reflection');
    if (neighbor.maximumPrefixes !== undefined) throw this.unsupported('a prefix limit');
    if (neighbor.gracefulRestart === 'helper') throw this.unsupported('helping a neighbour that restarts');
    const when = (condition: unknown, line: string): string[] => (condition === undefined || condition === false ? [] : [line]);
    const paths = { send: 'send', receive: 'receive', both: 'send/receive' } as const;
    return [
      `neighbor ${address} {`,
      `  router-id ${this.config.routerId};`,
      `  local-address ${local};`,
      `  local-as ${this.config.as};`,
      `  peer-as ${as};`,
      `  hold-time ${holdTime};`,
      ...when(neighbor.passive, '  passive true;'),
      ...when(neighbor.md5, `  md5-password "${neighbor.md5}";`),
      ...when(neighbor.ttlSecurity, `  outgoing-ttl 255; incoming-ttl ${256 - (neighbor.ttlSecurity ?? 1)};`),
      ...when(neighbor.multihop, `  outgoing-ttl ${neighbor.multihop};`),
      `  family { ${families.map((family) => `${family};`).join(' ')} }`,
      `  capability { route-refresh enable; graceful-restart ${neighbor.gracefulRestart ?? 'disable'}; add-path ${addPath === undefined ? 'disable' : paths[addPath]}; extended-message ${neighbor.extendedMessages === true ? 'enable' : 'disable'}; }`,
      ...(addPath === undefined ? [] : [`  add-path { ${families.map((family) => `${family};`).join(' ')} }`]),
      '  api { processes [ lab ]; neighbor-changes; receive { parsed; update; } }',
      // What was announced before a restart is there before the session.
      ...families.map((family) => this.#staticRoutes(family)),
      ...(neighbor.extra ?? []).map((line) => `  ${line}`),
      '}',
    ];
  }
}

/** What follows `route` in a configuration and in a command. */
function routeText(prefix: string, options: AnnounceOptions): string {
  const { communities = [], large = [], routeTargets = [], nextHop = 'self', med, localPref } = options;
  return [
    `route ${prefix} next-hop ${nextHop}`,
    ...(communities.length === 0 ? [] : [`community [ ${communities.join(' ')} ]`]),
    ...(large.length === 0 ? [] : [`large-community [ ${large.join(' ')} ]`]),
    ...(routeTargets.length === 0 ? [] : [`extended-community [ ${routeTargets.map((text) => `target:${text}`).join(' ')} ]`]),
    ...(med === undefined ? [] : [`med ${med}`]),
    ...(localPref === undefined ? [] : [`local-preference ${localPref}`]),
  ].join(' ');
}

interface ExabgpMessage {
  readonly type?: string;
  readonly neighbor?: {
    readonly address?: { readonly peer?: string };
    readonly state?: string;
    readonly message?: {
      readonly update?: {
        readonly attribute?: { readonly community?: readonly number[][]; readonly 'large-community'?: readonly number[][] };
        readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly { readonly nlri: string }[]>>>>;
        readonly withdraw?: Readonly<Record<string, readonly { readonly nlri: string }[]>>;
      };
    };
  };
}
