import { writeFileSync } from 'node:fs';
import type { PeerSummary } from '../../apps/weir/src/api/answers.ts';
import { kernelSet } from '../e2e/kernel-set.ts';
import { Weir } from '../e2e/weir.ts';
import { type Host, type Lab, type NeighborConfig, type Peer, type StartPeer, waitFor } from '../lab/index.ts';

/** The two ends of the link between the daemon and its neighbour. */
export const at = {
  weir: { v4: '192.0.2.1', v6: '2001:db8::1' },
  peer: { v4: '192.0.2.2', v6: '2001:db8::2' },
} as const;

/** One session of the daemon, as its configuration has it. */
export interface SessionOptions {
  readonly name?: string;
  readonly address?: string;
  /** Further keys, as YAML in braces has them: `passive: true`. */
  readonly keys?: readonly string[];
  readonly password?: string;
}

export interface DaemonOptions {
  readonly as?: number;
  readonly peerAs?: number;
  /** Default one session over IPv4 with both families. */
  readonly sessions?: readonly SessionOptions[];
  /** Accepts connections too. */
  readonly listen?: boolean;
  /** A set `mail` for 64512:25 beside `web` (64512:80) and `big` (64512:100). */
  readonly mail?: boolean;
}

/** A link with the daemon's namespace on one side, with the sets of a table of the user's. */
export async function buildLink(lab: Lab): Promise<{ readonly core: Host; readonly other: Host }> {
  const core = await lab.host('core', { forwarding: true });
  const other = await lab.host('other', { forwarding: true });
  await lab.link(
    { host: core, name: 'eth0', addresses: [`${at.weir.v4}/26`, `${at.weir.v6}/64`] },
    { host: other, name: 'eth0', addresses: [`${at.peer.v4}/26`, `${at.peer.v6}/64`] },
  );
  await core.nft(`table inet fw {
    set web4 { type ipv4_addr; flags interval; }
    set web6 { type ipv6_addr; flags interval; }
    set mail4 { type ipv4_addr; flags interval; }
    set mail6 { type ipv6_addr; flags interval; }
    set big4 { type ipv4_addr; size 131072; }
  }`);
  return { core, other };
}

/** The text of a configuration; passwords become files of the lab. */
export function configuration(lab: Lab, options: DaemonOptions = {}): string {
  const { as = 64512, peerAs = 64513, sessions = [{}], listen = false, mail = false } = options;
  const names = sessions.map(({ name = 'peer' }) => name).join(', ');
  const peers = sessions.map(({ name = 'peer', address = at.peer.v4, keys = [], password }) => {
    const file = password === undefined ? undefined : `${lab.directory(`password-${name}`)}/password`;
    if (file !== undefined) writeFileSync(file, `${password}\n`, { mode: 0o600 });
    const all = [
      `name: ${name}`,
      `address: "${address}"`,
      `as: ${peerAs}`,
      ...keys,
      ...(file === undefined ? [] : [`password_file: ${file}`]),
    ];
    return `    - { ${all.join(', ')} }\n`;
  });
  const set = (name: string, community: string, guard: string, loss: string, nft: string): string => `  ${name}:
    kind: allow
    communities: ["${community}"]
    guard: { peers: [${names}], ${guard} }
    on_session_loss: ${loss}
    nft: { table: fw, ${nft} }
`;
  const hosts = 'prefixes: [203.0.113.0/24, "2001:db8::/32"]';
  return `bgp:
  as: ${as}
  router_id: ${at.weir.v4}
${listen ? `  listen: [${at.weir.v4}, "[${at.weir.v6}]:179"]\n` : ''}  peers:
${peers.join('')}sets:
${set('web', '64512:80', hosts, 'hold 2m', 'ipv4: web4, ipv6: web6')}${mail ? set('mail', '64512:25', hosts, 'hold 2m', 'ipv4: mail4, ipv6: mail6') : ''}${set('big', '64512:100', 'prefixes: [10.0.0.0/8]', 'withdraw', 'ipv4: big4')}convergence: { settle: 500ms, settle_without_restart: 500ms }
`;
}

/** The daemon and one neighbour, both running. */
export interface Pair {
  readonly lab: Lab;
  readonly core: Host;
  readonly other: Host;
  readonly weir: Weir;
  readonly peer: Peer;
}

export async function startPair(
  lab: Lab,
  { start, listen }: { readonly start: StartPeer; readonly listen: readonly string[] | undefined },
  options: DaemonOptions = {},
  neighbors: readonly Partial<NeighborConfig>[] = [{}],
): Promise<Pair> {
  const { core, other } = await buildLink(lab);
  const { as = 64512, peerAs = 64513 } = options;
  const peer = await start(lab, other, {
    as: peerAs,
    routerId: at.peer.v4,
    ...(listen === undefined ? {} : { listen }),
    neighbors: neighbors.map((one) => ({ address: at.weir.v4, as, ...one })),
  });
  const weir = new Weir(lab, core, configuration(lab, options));
  await weir.start();
  await weir.established(options.sessions?.length ?? 1);
  return { lab, core, other, weir, peer };
}

export async function peers(weir: Weir): Promise<readonly PeerSummary[]> {
  return (await weir.ask((client) => client.call('peers', {})))?.peers ?? [];
}

/** Waits until the kernel has exactly these members. */
export async function installed(host: Host, set: string, members: readonly string[], timeoutMs: number = 20_000): Promise<void> {
  const wanted = JSON.stringify([...members].sort());
  let seen = '';
  await waitFor(
    `${set}: ${wanted}`,
    async () => {
      seen = JSON.stringify([...(await kernelSet(host, 'fw', set))].sort());
      return seen === wanted;
    },
    { timeoutMs },
  ).catch((error: unknown) => {
    throw new Error(`${set} has ${seen}`, { cause: error });
  });
}
