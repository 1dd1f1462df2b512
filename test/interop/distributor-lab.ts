import { readFileSync } from 'node:fs';
import { kernelSet } from '../e2e/kernel-set.ts';
import { Weir } from '../e2e/weir.ts';
import {
  type Host,
  type Lab,
  type LabProcess,
  type Peer,
  type ReceivedRoute,
  type StartPeer,
  startBird,
  startExabgp,
  startFrr,
  startGobgp,
  startOpenbgpd,
  waitFor,
} from '../lab/index.ts';

/** Where the distributor of examples/distributor is. */
export const DISTRIBUTOR = '192.0.2.1';

export function distributorExample(name: string): string {
  return readFileSync(new URL(`../../examples/distributor/${name}`, import.meta.url), 'utf8');
}

/** A client of the distributor, with the configuration of the examples. */
export interface Client {
  readonly name: string;
  /** Until its session is up. */
  up(): Promise<void>;
  /** Prefixes that it has, in order, each with its communities. */
  held(): Promise<readonly string[]>;
  /** What it says has gone since it began, in its own words; undefined where it cannot say. */
  losses?(): Promise<readonly string[]>;
  /** Asks to be told everything again; not where it has no command for that (GoBGP looks at what it has kept). */
  refresh?(): Promise<void>;
  /** UPDATE messages that it has had. */
  updates?(): Promise<number>;
}

interface Kind {
  readonly name: string;
  readonly address: string;
  readonly start: StartPeer;
  readonly text: string;
  /** How it says what has gone; what it has to be told for that. */
  readonly tells?: (peer: Peer) => Promise<NonNullable<Client['losses']>>;
  readonly updates?: (peer: Peer) => Promise<number>;
}

const BIRD = `${distributorExample('bird.conf')}\nlog stderr all;\n`;

/** In the order in which they are started. The second BIRD is the relay, which may have the spammers alone. */
const KINDS: readonly Kind[] = [
  { name: 'bird', address: '198.51.100.11', start: startBird, text: BIRD, tells: birdTells, updates: birdUpdates },
  { name: 'relay', address: '198.51.100.26', start: startBird, text: BIRD.replaceAll('198.51.100.11', '198.51.100.26') },
  { name: 'frr', address: '198.51.100.12', start: startFrr, text: distributorExample('frr.conf'), tells: frrTells, updates: frrUpdates },
  {
    name: 'gobgp',
    address: '198.51.100.13',
    start: startGobgp,
    text: distributorExample('gobgp.toml'),
    tells: gobgpTells,
  },
  {
    name: 'openbgpd',
    address: '198.51.100.14',
    start: startOpenbgpd,
    text: `log updates\n${withoutPf(distributorExample('openbgpd.conf'))}`,
    tells: openbgpdTells,
    updates: openbgpdUpdates,
  },
  { name: 'exabgp', address: '198.51.100.15', start: startExabgp, text: distributorExample('exabgp.conf') },
];
const AGENT = '198.51.100.16';

/** The portable OpenBGPD has no pf. */
export function withoutPf(text: string): string {
  return text.replace(/ set pftable "\w+"/g, '');
}

/** A host behind a link of its own to the distributor's, with an address that is routed. */
export async function clientHost(lab: Lab, server: Host, name: string, address: string): Promise<Host> {
  const host = await lab.host(name);
  const last = address.split('.')[3] ?? '';
  const [here, there] = [`10.0.${last}.1`, `10.0.${last}.2`];
  await lab.link({ host: server, name: `to${last}`, addresses: [`${here}/30`] }, { host, name: 'eth0', addresses: [`${there}/30`] });
  await host.addAddress('lo', `${address}/32`);
  await host.route(`${DISTRIBUTOR}/32`, { via: here });
  await server.route(`${address}/32`, { via: there });
  return host;
}

/** The distributor, and one client of each kind. */
export async function startFleet(lab: Lab): Promise<{ readonly weir: Weir; readonly clients: readonly Client[] }> {
  const server = await lab.host('distributor');
  await server.addAddress('lo', `${DISTRIBUTOR}/32`);
  const weir = new Weir(lab, server, distributorExample('distributor.yaml'));
  await weir.start();
  const clients: Client[] = [];
  for (const kind of KINDS) clients.push(await startClient(lab, await clientHost(lab, server, kind.name, kind.address), kind));
  clients.push(await startAgent(lab, await clientHost(lab, server, 'agent', AGENT)));
  for (const client of clients) await client.up();
  return { weir, clients };
}

async function startClient(lab: Lab, host: Host, { name, address, start, text, tells, updates }: Kind): Promise<Client> {
  const neighbors = [{ address: DISTRIBUTOR, as: 64512 }];
  const peer = await start(lab, host, { as: 64513, routerId: address, zebra: false, neighbors, text });
  const losses = await tells?.(peer);
  return {
    name,
    up: () => peer.waitEstablished(DISTRIBUTOR, 90_000),
    held: async () => [...(await peer.receivedRoutes('ipv4 unicast')), ...(await peer.receivedRoutes('ipv6 unicast'))].map(shown).sort(),
    ...(losses ? { losses } : {}),
    ...(updates ? { refresh: () => peer.refresh(DISTRIBUTOR), updates: () => updates(peer) } : {}),
  };
}

async function startAgent(lab: Lab, host: Host): Promise<Client> {
  const policy = `${lab.directory('policy')}/policy.yaml`;
  await host.exec('sh', ['-c', 'cat > "$1"', 'sh', policy], { input: distributorExample('policy.yaml') });
  const config = distributorExample('agent.yaml').replace('startup_hold: 7d', 'startup_hold: 7d, settle: 2s');
  const agent = new Weir(lab, host, config.replace('policy: policy.yaml', `policy: ${policy}`));
  await agent.start();
  const monitor = host.spawn('nft', ['monitor', 'destroy', 'elements']);
  return {
    name: 'agent',
    up: () => agent.established(1),
    held: async () => {
      const tables = new Map<string, string[]>();
      for (const [set, community] of [
        ['admins', '65000:1'],
        ['spammers', '65000:2'],
      ] as const)
        for (const part of ['v4', 'v4_net', 'v6', 'v6_net'])
          for (const prefix of await kernelSet(host, 'weir', `${set}_${part}`))
            tables.set(prefix, [...(tables.get(prefix) ?? []), community]);
      return [...tables].map(([prefix, communities]) => shown({ prefix, communities, large: [] })).sort();
    },
    losses: async () => matches(monitor, /^delete element .*/gm),
  };
}

function shown({ prefix, communities, large }: Pick<ReceivedRoute, 'prefix' | 'communities' | 'large'>): string {
  return [prefix, ...[...communities].sort(), ...large].join(' ');
}

function matches(process: LabProcess, pattern: RegExp): readonly string[] {
  return [...`${process.stdout}\n${process.stderr}`.matchAll(pattern)].map(([line]) => line);
}

/** Waits until a client holds exactly these. */
export async function holds(client: Client, wanted: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  await waitFor(
    `${client.name} to hold ${wanted.join(', ')}`,
    async () => {
      seen = await client.held();
      return JSON.stringify(seen) === JSON.stringify([...wanted].sort());
    },
    { timeoutMs: 90_000, intervalMs: 50 },
  ).catch((error: unknown) => {
    throw new Error(`${client.name} holds ${JSON.stringify(seen)}`, { cause: error });
  });
}

async function birdTells(peer: Peer): Promise<NonNullable<Client['losses']>> {
  await peer.command('debug distributor { routes }');
  return async () => [...peer.printed().matchAll(/^.*distributor.*> (?:removed|withdrawn).*$/gm)].map(([line]) => line);
}

async function birdUpdates(peer: Peer): Promise<number> {
  const all = [...(await peer.command('show protocols all distributor')).matchAll(/Import updates:\s+(\d+)/g)];
  return all.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** FRR logs what a neighbour withdraws; what it forgets by itself shows in when a route was last another one. */
async function frrTells(peer: Peer): Promise<NonNullable<Client['losses']>> {
  await peer.command('debug bgp updates in');
  return async () => [...peer.printed().matchAll(/^.*UPDATE about .* -- withdrawn.*$/gm)].map(([line]) => line);
}

async function frrUpdates(peer: Peer): Promise<number> {
  const shownNeighbor = JSON.parse(await peer.command(`show bgp neighbors ${DISTRIBUTOR} json`)) as Readonly<
    Record<string, { readonly messageStats?: { readonly updatesRecv?: number } }>
  >;
  return shownNeighbor[DISTRIBUTOR]?.messageStats?.updatesRecv ?? 0;
}

async function gobgpTells(peer: Peer): Promise<NonNullable<Client['losses']>> {
  const monitor = peer.follow('monitor global rib');
  return async () => matches(monitor, /\[DELROUTE\].*$/gm);
}

async function openbgpdTells(peer: Peer): Promise<NonNullable<Client['losses']>> {
  return async () => [...peer.printed().matchAll(/^.*Rib Loc-RIB: .* withdraw .*$/gm)].map(([line]) => line);
}

async function openbgpdUpdates(peer: Peer): Promise<number> {
  const shownNeighbor = JSON.parse(await peer.command(`-j show neighbor ${DISTRIBUTOR}`)) as {
    readonly neighbors?: readonly { readonly stats?: { readonly update?: { readonly received?: { readonly updates?: number } } } }[];
  };
  return shownNeighbor.neighbors?.[0]?.stats?.update?.received?.updates ?? 0;
}
