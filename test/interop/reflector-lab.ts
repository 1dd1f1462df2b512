import { readFileSync, writeFileSync } from 'node:fs';
import { kernelSets } from '../e2e/kernel-set.ts';
import { example } from '../e2e/routers.ts';
import { Weir } from '../e2e/weir.ts';
import { type Host, type Lab, type LabProcess, waitFor } from '../lab/index.ts';

export type ReflectorKind = 'bird' | 'frr' | 'gobgp';
export const REFLECTORS: Readonly<Record<ReflectorKind, string>> = { bird: '192.0.2.11', frr: '192.0.2.12', gobgp: '192.0.2.13' };
/** Waits cost nothing when they are short. */
export const patient = { timeoutMs: 60_000, intervalMs: 100 };

/** Two networks on one switch, which routes between them: the distributor and its reflectors are in one, agents in the other. */
export class Fabric {
  readonly lab: Lab;
  readonly #switch: Host;
  #ports = 0;

  private constructor(lab: Lab, switchHost: Host) {
    this.lab = lab;
    this.#switch = switchHost;
  }

  static async build(lab: Lab): Promise<Fabric> {
    const host = await lab.host('switch', { forwarding: true });
    await host.ip('link', 'add', 'br0', 'type', 'bridge');
    await host.ip('link', 'set', 'br0', 'up');
    for (const address of ['192.0.2.254/24', '198.51.100.254/24']) await host.addAddress('br0', address);
    return new Fabric(lab, host);
  }

  async host(name: string, address: string): Promise<Host> {
    const host = await this.lab.host(name);
    const port = `port${this.#ports++}`;
    await this.lab.link({ host: this.#switch, name: port }, { host, name: 'eth0', addresses: [`${address}/24`] });
    await this.#switch.ip('link', 'set', port, 'master', 'br0');
    await host.route('default', { via: address.replace(/\d+$/, '254') });
    return host;
  }
}

const FILES = { bird: 'bird.conf', frr: 'frr.conf', gobgp: 'gobgp.toml' } as const;

/** A route reflector with the file that ships. */
export class Reflector {
  readonly kind: ReflectorKind;
  readonly host: Host;
  readonly #directory: string;
  #process: LabProcess | undefined;
  #starts = 0;

  private constructor(kind: ReflectorKind, host: Host, directory: string) {
    this.kind = kind;
    this.host = host;
    this.#directory = directory;
  }

  /** `change` makes another configuration of the file that ships. */
  static async start(lab: Lab, host: Host, kind: ReflectorKind, change = (text: string): string => text): Promise<Reflector> {
    const reflector = new Reflector(kind, host, lab.directory(kind));
    writeFileSync(reflector.#file, change(readFileSync(example(`reflectors/${FILES[kind]}`), 'utf8')));
    if (kind === 'frr') {
      await host.exec('chown', ['-R', 'frr:frr', reflector.#directory]);
      host.spawn('/usr/lib/frr/zebra', [...reflector.#frrArguments('zebra'), '-f', '/dev/null'], { name: 'zebra' });
      await waitFor('zebra', () => reflector.#vtysh('zebra', 'show version'), patient);
    }
    await reflector.start();
    return reflector;
  }

  async start(): Promise<void> {
    const restarted = this.#starts++ > 0 ? ['-r'] : [];
    const [program, args] = {
      bird: ['bird', ['-f', '-R', '-c', this.#file, '-s', this.#socket, '-P', `${this.#directory}/bird.pid`]],
      frr: ['/usr/lib/frr/bgpd', [...this.#frrArguments('bgpd'), '-f', this.#file]],
      gobgp: ['gobgpd', ['-f', this.#file, '--pprof-disable', '--api-hosts', '127.0.0.1:50051', ...restarted]],
    }[this.kind] as [string, string[]];
    this.#process = this.host.spawn(program, args, { name: this.kind });
    await waitFor(`${this.kind} to answer`, () => this.neighbors(), patient);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** Its ordinary end, in the way that is meant for a restart. */
  async stop(): Promise<void> {
    if (this.kind === 'bird') {
      await this.show('graceful restart');
      await this.#process?.exited;
    } else await this.#process?.close(10_000);
  }

  /** What it says of its sessions. */
  neighbors(): Promise<string> {
    return this.show({ bird: 'show protocols', frr: 'show bgp view tables summary', gobgp: 'neighbor' }[this.kind]);
  }

  /** Prefixes with communities and large ones, in order, as its own tool shows them. */
  async holds(): Promise<readonly string[]> {
    const all = await Promise.all(([4, 6] as const).map((family) => this.#held(family)));
    return all.flat().sort();
  }

  async #held(family: 4 | 6): Promise<readonly string[]> {
    if (this.kind === 'bird') return birdRoutes(await this.show(`show route table master${family} all`));
    if (this.kind === 'frr') return frrRoutes(await this.show(`show bgp view tables ipv${family} unicast json detail`));
    return gobgpRoutes(await this.show(`-j global rib -a ipv${family}`));
  }

  /** What its own tool prints. */
  async show(line: string): Promise<string> {
    if (this.kind === 'bird') return (await this.host.exec('birdc', ['-s', this.#socket, line])).stdout;
    if (this.kind === 'gobgp') return (await this.host.exec('gobgp', line.split(' '))).stdout;
    return await this.#vtysh('bgpd', line);
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get #file(): string {
    return `${this.#directory}/${FILES[this.kind]}`;
  }

  get #socket(): string {
    return `${this.#directory}/bird.ctl`;
  }

  async #vtysh(daemon: string, line: string): Promise<string> {
    return (await this.host.exec('vtysh', ['--vty_socket', this.#directory, '-d', daemon, '-c', line])).stdout;
  }

  #frrArguments(daemon: string): readonly string[] {
    const own = ['--vty_socket', this.#directory, '-z', `${this.#directory}/zserv.api`, '-i', `${this.#directory}/${daemon}.pid`];
    return [...own, '-P', '0', '--log', 'stdout', '--log-level', 'warn'];
  }
}

function birdRoutes(text: string): readonly string[] {
  const tuples = (list = ''): string[] =>
    [...list.matchAll(/\(([^)]*)\)/g)].map(([, one = '']) => one.replaceAll(', ', ':').replaceAll(',', ':'));
  return text.split(/\n(?=\S+\/\d)/).flatMap((route) => {
    const prefix = /^(\S+\/\d+)\s/.exec(route)?.[1];
    if (prefix === undefined) return [];
    const standard = tuples(/BGP\.community: (.*)/.exec(route)?.[1]);
    return [[prefix, ...standard, ...tuples(/BGP\.large_community: (.*)/.exec(route)?.[1])].join(' ')];
  });
}

interface FrrPath {
  readonly valid?: boolean;
  readonly community?: { readonly list?: readonly string[] };
  readonly largeCommunity?: { readonly list?: readonly string[] };
}

function frrRoutes(text: string): readonly string[] {
  const { routes = {} } = JSON.parse(text) as { readonly routes?: Readonly<Record<string, readonly FrrPath[]>> };
  return Object.entries(routes).flatMap(([prefix, paths]) =>
    paths
      .filter(({ valid }) => valid === true)
      .map(({ community, largeCommunity }) => [prefix, ...(community?.list ?? []), ...(largeCommunity?.list ?? [])].join(' ')),
  );
}

interface GobgpPath {
  readonly attrs: readonly { readonly type: number; readonly communities?: readonly number[]; readonly value?: unknown }[];
}

function gobgpRoutes(text: string): readonly string[] {
  return Object.entries(JSON.parse(text) as Readonly<Record<string, readonly GobgpPath[]>>).flatMap(([prefix, paths]) =>
    paths.map(({ attrs }) => {
      const standard = attrs.find(({ type }) => type === 8)?.communities ?? [];
      const large = (attrs.find(({ type }) => type === 32)?.value ?? []) as readonly Readonly<
        Record<'ASN' | 'LocalData1' | 'LocalData2', number>
      >[];
      const names = standard.map((value) => `${value >>> 16}:${value & 0xffff}`);
      return [prefix, ...names, ...large.map(({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`)].join(' ');
    }),
  );
}

/** An agent with the file that ships, and with some of its reflectors. */
export class Agent {
  readonly weir: Weir;
  readonly host: Host;
  #monitor: LabProcess | undefined;
  #marks = 1;
  readonly #address: string;

  constructor({ lab }: Fabric, host: Host, address: string, reflectors: readonly ReflectorKind[]) {
    this.host = host;
    this.#address = address;
    this.weir = new Weir(lab, host, this.#config(reflectors));
  }

  /** Reads the file again, with these reflectors. */
  async reconfigure(reflectors: readonly ReflectorKind[]): Promise<void> {
    this.weir.configure(this.#config(reflectors));
    await this.weir.reload();
  }

  /** What its two sets have in the kernel, in order. */
  async members(): Promise<readonly string[]> {
    const all = [...(await kernelSets(this.host, 'weir'))].flatMap(([name, prefixes]) => {
      const set = /^(admins|spammers)_v/.exec(name)?.[1];
      return set === undefined ? [] : [...prefixes].map((prefix) => `${set} ${prefix}`);
    });
    return all.sort();
  }

  /** From now on elements that are taken out of the kernel's sets are noted. */
  async watch(): Promise<void> {
    this.#monitor = this.host.spawn('nft', ['monitor', 'destroy', 'elements'], { name: 'nft monitor' });
    await this.host.nft('table inet probe {\nset seen { type ipv4_addr; }\n}');
    await this.removals();
  }

  /** Members that have been taken out since it was watched: set and prefix. */
  async removals(): Promise<readonly string[]> {
    // The monitor says neither when it listens nor when it has said all: an element of the test's own comes and goes until it has been seen.
    const mark = `192.0.2.${++this.#marks}`;
    await waitFor(
      'nft monitor to have said all',
      async () => {
        await this.host.nft(`add element inet probe seen { ${mark} }\ndelete element inet probe seen { ${mark} }`);
        return this.#monitor?.stdout.includes(`probe seen { ${mark} }`);
      },
      patient,
    );
    const said = this.#monitor?.stdout ?? '';
    return [...said.matchAll(/^delete element inet weir ([a-z]+)_v\S+ \{ (.*) \}/gm)].map(([, set, prefix]) => `${set} ${prefix}`);
  }

  /** What it has heard from a reflector: prefixes with communities and large ones, in order. */
  async heard(reflector: ReflectorKind): Promise<readonly string[]> {
    const answer = await this.weir.ask((client) => client.call('routes', { peer: reflector }));
    return (answer?.routes ?? []).map(({ prefix, communities }) => [prefix, ...communities].join(' ')).sort();
  }

  #config(reflectors: readonly ReflectorKind[]): string {
    return readFileSync(example('reflectors/agent.yaml'), 'utf8')
      .split('\n')
      .filter((line) => !line.startsWith('    - { name: ') || reflectors.some((kind) => line.includes(`name: ${kind},`)))
      .join('\n')
      .replaceAll('198.51.100.21', this.#address)
      .replaceAll('[bird, frr, gobgp]', `[${reflectors.join(', ')}]`)
      .replaceAll('policy: policy.yaml', `policy: ${example('reflectors/policy.yaml')}`)
      .replaceAll('settle: 60s', 'settle: 10s');
  }
}
