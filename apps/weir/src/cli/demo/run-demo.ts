import { execFile } from 'node:child_process';
import type { DemoOptions } from '../entrypoints.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { palette } from '../render/paint.ts';
import type { Announcer } from './announcer.ts';
import { EchoServers } from './connections.ts';
import { DemoDaemon, SET } from './daemon.ts';
import { ElementWatch } from './element-watch.ts';
import { startFrr } from './frr.ts';
import { startGobgp } from './gobgp.ts';
import { startOwnAnnouncer } from './own-announcer.ts';
import { insideUserNamespace, inUserNamespace, mayMakeNamespaces } from './privileges.ts';
import { findProgram, programVersion } from './programs.ts';
import { type Measured, play } from './scenario.ts';
import { Timeline } from './timeline.ts';
import { at, buildTopology, type Hosts, SERVICE_PORTS } from './topology.ts';
import { until } from './until.ts';
import { World } from './world.ts';

/** Version of the JSON answer. */
const FORMAT_VERSION = 1;

/** Runs the demo. Everything that it made is gone when this returns or throws. */
export async function runDemo(options: DemoOptions, io: Io): Promise<ExitCode> {
  if (!mayMakeNamespaces()) {
    if (insideUserNamespace(io.env)) throw new CliError(EXIT.unsupported, 'no privilege over network namespaces in the user namespace');
    return await inUserNamespace(io.signal, io.env['PATH']);
  }
  const stop = stopper(io);
  try {
    return await inWorld(options, io, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    stop.release();
  }
}

/** Aborts on the user's interrupt, on SIGTERM and SIGHUP, and in a user namespace when the process that made it is gone. */
function stopper(io: Io): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const signals = ['SIGTERM', 'SIGHUP'] as const;
  io.signal.addEventListener('abort', stop);
  for (const name of signals) process.on(name, stop);
  const lifeline = insideUserNamespace(io.env) ? io.stdin : undefined;
  lifeline?.once('end', stop).resume();
  return {
    signal: controller.signal,
    release: () => {
      io.signal.removeEventListener('abort', stop);
      for (const name of signals) process.off(name, stop);
      lifeline?.destroy();
    },
  };
}

async function inWorld(options: DemoOptions, io: Io, signal: AbortSignal): Promise<ExitCode> {
  const json = options.output === 'json';
  const paint = palette(options.color, io.outIsTerminal, io.env);
  const timeline = new Timeline(json ? undefined : io, paint);
  const world = new World();
  const servers = new EchoServers();
  let watch: ElementWatch | undefined;
  let announcer: Announcer | undefined;
  try {
    await timeline.heading(
      insideUserNamespace(io.env) ? 'Four hosts in namespaces of an ordinary user' : 'Four hosts in network namespaces',
    );
    const hosts = buildTopology(world);
    for (const address of [at.service.v4, at.service.v6])
      for (const port of SERVICE_PORTS) await servers.listen(hosts.cluster, address, port);
    await timeline.say('internet -- core (firewall) -- edge -- cluster; servers on 22, 80 and 443');
    const routing = await startRouting(options, io, world, hosts, signal);
    announcer = routing.announcer;
    for (const line of routing.said) await timeline.say(line);
    const daemon = new DemoDaemon(world, hosts.core, routing.source, signal);
    await daemon.start();
    await daemon.established();
    await until('the session of the cluster', signal, 15_000, routing.announcer.ready);
    await timeline.say('weir run: BGP session up, table inet weir in place');
    watch = new ElementWatch(hosts.core);
    const measured = await play({ hosts, announcer, daemon, watch, timeline, signal });
    await announcer.announce();
    await views(daemon, measured, timeline, json, io);
    return timeline.failed ? EXIT.error : EXIT.ok;
  } finally {
    watch?.close();
    servers.close();
    await announcer?.close();
    world.close();
  }
}

interface Routing {
  readonly announcer: Announcer;
  readonly source: 'cluster' | 'core';
  readonly said: readonly string[];
}

/** The real daemons where they are installed, Weir's own speaker where they are not. */
async function startRouting(options: DemoOptions, io: Io, world: World, hosts: Hosts, signal: AbortSignal): Promise<Routing> {
  const path = io.env['PATH'];
  const find = (name: string): string | undefined => (options.peers === 'own' ? undefined : findProgram(name, path));
  const bgpd = find('bgpd');
  const gobgpd = find('gobgpd');
  const gobgp = find('gobgp');
  const upstream = bgpd === undefined ? { address: at.core.v4, multihop: true } : { address: at.edge.v4, multihop: false };
  const announcer =
    gobgpd !== undefined && gobgp !== undefined
      ? await startGobgp(world, hosts.cluster, { gobgpd, gobgp }, upstream, signal)
      : startOwnAnnouncer(hosts.cluster, upstream);
  const cluster = `cluster: ${announcer.description}`;
  if (bgpd === undefined) return { announcer, source: 'cluster', said: [`${cluster}, with a session to Weir`] };
  await startFrr(world, hosts, bgpd, signal);
  const frr = `FRR ${programVersion(bgpd)}`;
  return {
    announcer,
    source: 'core',
    said: [`${cluster} (eBGP)`, `edge: ${frr} (iBGP)`, `core: ${frr}, which reflects to Weir on 127.0.0.1`],
  };
}

/** What `weir status` and `weir sets` show of it, printed by the program itself. */
async function views(daemon: DemoDaemon, measured: Measured, timeline: Timeline, json: boolean, io: Io): Promise<void> {
  if (json) {
    const [status, sets] = await Promise.all([view(daemon, 'status', '-o', 'json'), view(daemon, 'sets', '-o', 'json')]);
    const answer = { format_version: FORMAT_VERSION, ok: !timeline.failed, timeline: timeline.entries, measured };
    await io.out(`${JSON.stringify({ ...answer, status: JSON.parse(status), sets: JSON.parse(sets) })}\n`);
    return;
  }
  await timeline.heading('Announced once more, and what the daemon shows');
  for (const args of [['status'], ['peers'], ['sets'], ['sets', SET]]) {
    await io.out(`\n$ weir ${args.join(' ')}\n${await view(daemon, ...args)}`);
  }
  const seconds = (timeline.elapsedMs / 1000).toFixed(1);
  await io.out(
    `\n${timeline.failed ? 'Something is not as it should be: see the lines with ✗.' : 'Everything as it should be.'} ${seconds} s; all of it is removed now.\n`,
  );
}

function view(daemon: DemoDaemon, ...args: readonly string[]): Promise<string> {
  const [command, all] = daemon.command(...args);
  return new Promise((resolve, reject) => {
    execFile(command, all, { timeout: 10_000 }, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
}
