import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { askDaemon, type ControlClient, type PeerSummary, type StatusAnswer } from '../../apps/weir/src/api/index.ts';
import { type Host, type Lab, LabError, type LabProcess, waitFor } from '../lab/index.ts';

const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;

/** The two ends of the link between the router and the host with ExaBGP. */
export const at = {
  exabgp: { v4: '192.0.2.1', v6: '2001:db8::1' },
  router: { v4: '192.0.2.2', v6: '2001:db8::2' },
} as const;

/** A host for ExaBGP with the sets of a user, and one for a router, with a link between them; `web4` says how the set of IPv4 addresses is kept. */
export async function linkHosts(lab: Lab, web4: string = 'flags interval'): Promise<{ readonly core: Host; readonly edge: Host }> {
  const core = await lab.host('core');
  const edge = await lab.host('edge');
  await lab.link(
    { host: core, name: 'eth0', addresses: [`${at.exabgp.v4}/24`, `${at.exabgp.v6}/64`] },
    { host: edge, name: 'eth0', addresses: [`${at.router.v4}/24`, `${at.router.v6}/64`] },
  );
  await core.nft(`table inet fw { set web4 { type ipv4_addr; ${web4}; }; set web6 { type ipv6_addr; flags interval; }; }`);
  return { core, edge };
}

/** One neighbour of ExaBGP's. */
export interface NeighborOptions {
  readonly address: string;
  readonly families?: readonly string[];
  /** Default on: without it FRR 8.4 does not answer a route refresh. */
  readonly gracefulRestart?: boolean;
  /** Seconds; default 90. */
  readonly holdTime?: number;
  /** Inside `receive`; default `parsed; update; refresh;`. */
  readonly receive?: string;
}

export interface ExabgpOptions {
  readonly neighbors: readonly NeighborOptions[];
  /** Arguments of `weir exabgp`, behind its name. */
  readonly args: readonly string[];
  /** Runs the process as this user, without any privilege. */
  readonly user?: string;
}

/** ExaBGP with `weir exabgp` as its process. */
export class Exabgp {
  readonly host: Host;
  readonly directory: string;
  readonly #options: ExabgpOptions;
  #process: LabProcess | undefined;

  constructor(lab: Lab, host: Host, options: ExabgpOptions) {
    this.host = host;
    this.directory = lab.directory('exabgp');
    this.#options = options;
    lab.addReport(() => `--- what weir exabgp said\n${this.said}`);
  }

  start(): void {
    writeFileSync(`${this.directory}/exabgp.conf`, this.#config());
    const { user, args } = this.#options;
    const drop = user === undefined ? '' : `setpriv --reuid ${user} --regid nogroup --clear-groups --inh-caps=-all --bounding-set=-all `;
    const run = `${drop}${process.execPath} ${program} exabgp ${args.join(' ')}`;
    writeFileSync(`${this.directory}/process.sh`, `echo $$ >> ${this.directory}/pids\nexec ${run} 2>> ${this.directory}/stderr\n`);
    this.#process = this.host.spawn('exabgp', [`${this.directory}/exabgp.conf`], {
      name: 'exabgp',
      env: {
        'exabgp.daemon.user': 'root',
        'exabgp.daemon.drop': 'false',
        'exabgp.api.cli': 'false',
        'exabgp.log.destination': 'stdout',
        'exabgp.log.level': 'NOTICE',
      },
    });
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  /** SIGTERM to ExaBGP, which tells its process. */
  async stop(): Promise<void> {
    await this.#process?.close(15_000);
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** Of every process that ExaBGP has started, oldest first. */
  get pids(): readonly number[] {
    const file = `${this.directory}/pids`;
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
  }

  /** On stderr, by all of them. */
  get said(): string {
    const file = `${this.directory}/stderr`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  #config(): string {
    return [
      'process weir {',
      `  run /bin/sh ${this.directory}/process.sh;`,
      '  encoder json;',
      '}',
      ...this.#options.neighbors.flatMap(
        ({ address, families = ['ipv4 unicast', 'ipv6 unicast'], gracefulRestart = true, receive, holdTime = 90 }) => [
          `neighbor ${address} {`,
          `  router-id ${at.exabgp.v4};`,
          `  local-address ${address.includes(':') ? at.exabgp.v6 : at.exabgp.v4};`,
          '  local-as 64512;',
          '  peer-as 64513;',
          `  hold-time ${holdTime};`,
          `  family { ${families.map((family) => `${family};`).join(' ')} }`,
          `  capability { route-refresh enable; graceful-restart ${gracefulRestart ? '120' : 'disable'}; }`,
          `  api { processes [ weir ]; neighbor-changes; ${receive?.includes('consolidate') ? 'negotiated; ' : ''}receive { ${receive ?? 'parsed; update; refresh;'} } }`,
          '}',
        ],
      ),
      '',
    ].join('\n');
  }
}

/** The daemon behind a control socket. */
export class Asked {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  ask<T>(question: (client: ControlClient) => Promise<T>): Promise<T | undefined> {
    return askDaemon(this.#socket, question);
  }

  async status(): Promise<StatusAnswer> {
    const answer = await this.ask((client) => client.call('status', {}));
    if (answer === undefined) throw new LabError('missing', 'weir does not answer');
    return answer;
  }

  async peers(): Promise<readonly PeerSummary[]> {
    return (await this.ask((client) => client.call('peers', {})))?.peers ?? [];
  }

  async established(count: number): Promise<void> {
    await waitFor(`${count} sessions`, async () => (await this.peers()).filter(({ state }) => state === 'Established').length === count, {
      timeoutMs: 60_000,
    });
  }
}

/** A directory with a configuration: peers with `via: exabgp`, and a set `web` for 64512:80. */
export function writeConfig(
  lab: Lab,
  options: {
    readonly peers?: readonly { readonly name: string; readonly address: string; readonly keys?: string }[];
    readonly loss?: string;
    readonly more?: string;
    /** Without the keys that `weir run` is given as options. */
    readonly daemon?: boolean;
  } = {},
): { readonly file: string; readonly directory: string; readonly socket: string; readonly text: string } {
  const directory = lab.directory('weir');
  mkdirSync(directory, { recursive: true });
  const { peers = [{ name: 'router', address: at.router.v4 }], loss = 'hold 2m', more = '', daemon = false } = options;
  const text = `bgp:
  as: 64512
  router_id: ${at.exabgp.v4}
  peers:
${peers.map(({ name, address, keys = '' }) => `    - { name: ${name}, address: "${address}", as: 64513, via: exabgp${keys} }`).join('\n')}
sets:
  web:
    kind: allow
    communities: ["64512:80"]
    guard: { peers: [${peers.map(({ name }) => name).join(', ')}], prefixes: [203.0.113.0/24, 10.0.0.0/8, "2001:db8:80::/48"] }
    on_session_loss: ${loss}
    nft: { table: fw, ipv4: web4, ipv6: web6 }
convergence: { settle: 1s, settle_without_restart: 1s }
${daemon ? '' : `socket: ${directory}/weir.sock\nstate_directory: ${directory}/state\n`}${more}`;
  writeFileSync(`${directory}/weir.yaml`, text);
  return { text, file: `${directory}/weir.yaml`, directory, socket: `${directory}/weir.sock` };
}
