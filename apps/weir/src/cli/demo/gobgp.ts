import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetworkNamespace } from '@weir/sys';
import type { Announcer, Upstream } from './announcer.ts';
import { programVersion } from './programs.ts';
import { at, CLUSTER_AS, COMMUNITY, CORE_AS } from './topology.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

export interface GobgpPrograms {
  readonly gobgpd: string;
  readonly gobgp: string;
}

/** gobgpd, the engine of Cilium's BGP control plane, as the cluster. */
export async function startGobgp(
  world: World,
  namespace: string,
  programs: GobgpPrograms,
  upstream: Upstream,
  signal: AbortSignal,
): Promise<Announcer> {
  const file = join(world.directory, 'gobgpd.json');
  writeFileSync(file, JSON.stringify(configuration(upstream)));
  const daemon = world.start('gobgpd', namespace, programs.gobgpd, [
    '-f',
    file,
    '-t',
    'json',
    '--pprof-disable',
    '--log-level',
    'warn',
    '--api-hosts',
    '127.0.0.1:50051',
  ]);
  /** What the client prints; undefined when it fails. */
  const gobgp = (...args: readonly string[]): Promise<string | undefined> =>
    new Promise((resolve) => {
      inNetworkNamespace(namespace, () => {
        execFile(programs.gobgp, args, { timeout: 5000 }, (error, stdout) => resolve(error === null ? stdout : undefined));
      });
    });
  await until('gobgpd', signal, 10_000, async () => (await gobgp('global')) !== undefined);
  const change = async (action: 'add' | 'del', ...tail: readonly string[]): Promise<void> => {
    const nextHop6 = action === 'add' ? ['nexthop', at.cluster.v6] : [];
    const done = await Promise.all([
      gobgp('global', 'rib', action, '-a', 'ipv4', `${at.service.v4}/32`, ...tail),
      gobgp('global', 'rib', action, '-a', 'ipv6', `${at.service.v6}/128`, ...nextHop6, ...tail),
    ]);
    if (done.includes(undefined)) throw new Error(`gobgp global rib ${action} failed`);
  };
  return {
    description: `gobgpd ${programVersion(programs.gobgpd)}`,
    ready: async () => /BGP state = ESTABLISHED/i.test((await gobgp('neighbor', upstream.address)) ?? ''),
    announce: () => change('add', 'community', COMMUNITY),
    withdraw: () => change('del'),
    close: async () => {
      daemon.child.kill('SIGTERM');
    },
  };
}

function configuration(upstream: Upstream): unknown {
  const family = (name: string): unknown => ({ config: { 'afi-safi-name': name } });
  return {
    global: { config: { as: CLUSTER_AS, 'router-id': at.cluster.v4, port: 179 } },
    neighbors: [
      {
        config: { 'neighbor-address': upstream.address, 'peer-as': CORE_AS },
        timers: { config: { 'connect-retry': 1, 'hold-time': 30 } },
        ...(upstream.multihop ? { 'ebgp-multihop': { config: { enabled: true, 'multihop-ttl': 2 } } } : {}),
        'afi-safis': [family('ipv4-unicast'), family('ipv6-unicast')],
      },
    ],
  };
}
