import { setTimeout as sleep } from 'node:timers/promises';
import type { LatencySummary } from '../../api/index.ts';
import { humanDuration } from '../render/units.ts';
import type { Announcer } from './announcer.ts';
import { connect, hold } from './connections.ts';
import { type DemoDaemon, KERNEL_SETS } from './daemon.ts';
import type { ElementWatch } from './element-watch.ts';
import type { Timeline } from './timeline.ts';
import { at, COMMUNITY, type Hosts, SERVICE_PORTS } from './topology.ts';

/** Milliseconds without an answer after which a connection counts as closed: under the second after which the kernel repeats a SYN. */
const SILENCE = 400;
/** Between two connections of a stream. */
const PACE = 5;
const LIMIT = 10_000;
const ROUNDS = 20;

/** What was measured in this run, in milliseconds. */
export interface Measured {
  /** From the order to announce until the kernel had the elements of both families, by the kernel's notification. */
  readonly announce_to_kernel_ms: number;
  /** From the order to announce until the first connection was there, of either family. */
  readonly announce_to_open_ms: { readonly ipv4: number; readonly ipv6: number };
  readonly withdraw_to_kernel_ms: number;
  /** Both changes again and again, so that nothing is done for the first time: medians of so many rounds. */
  readonly repeated: { readonly rounds: number; readonly announce_to_kernel_ms: number; readonly withdraw_to_kernel_ms: number };
  /** Weir's own part of these rounds: from a message on its socket to the end of the commit, by its own clock. */
  readonly wire_to_kernel: LatencySummary;
  /** New connections while the daemon was killed and started again, and how many of them failed. */
  readonly restart: { readonly connections: number; readonly failed: number; readonly down_ms: number };
}

export interface Scene {
  readonly hosts: Hosts;
  readonly announcer: Announcer;
  readonly daemon: DemoDaemon;
  readonly watch: ElementWatch;
  readonly timeline: Timeline;
  readonly signal: AbortSignal;
}

/** Opens and closes the service, with real connections all the while. */
export async function play(scene: Scene): Promise<Measured> {
  const { announcer, daemon, timeline } = scene;
  await timeline.heading('Nothing is announced');
  await checkPorts(scene, []);

  await timeline.heading(`The cluster announces ${at.service.v4}/32 and ${at.service.v6}/128 with community ${COMMUNITY}`);
  const opened = await open(scene);
  await timeline.check(`the kernel has both elements ${humanDuration(opened.kernel)} after the announcement`, true);
  for (const [family, ms] of Object.entries(opened.connected))
    await timeline.check(`first connection over ${family} ${humanDuration(ms)} after the announcement`, true);
  await checkPorts(scene, [80, 443]);

  await timeline.heading(`Withdrawn and announced ${ROUNDS} times more`);
  const repeated = await repeat(scene);
  await timeline.check(
    `median until the kernel knows: ${humanDuration(repeated.withdraw_to_kernel_ms)} after a withdrawal, ${humanDuration(repeated.announce_to_kernel_ms)} after an announcement`,
    true,
  );

  const latency = (await daemon.status()).latency.wire_to_kernel;
  await timeline.say(
    `Weir's part, from the message on its socket to the end of the commit: median ${humanDuration(latency.p50_ms)} of ${latency.count}`,
  );

  await timeline.heading('Weir is killed (SIGKILL) and started again');
  const restart = await restartUnderLoad(scene);
  await timeline.check(
    `${restart.connections} new connections meanwhile, ${restart.failed} failed; no daemon for ${humanDuration(restart.down_ms)}`,
    restart.failed === 0 && restart.connections > 0,
  );

  await timeline.heading('The cluster withdraws both');
  const held = await hold(scene.hosts.internet, at.service.v4, 443, SILENCE);
  const withdrawn = await untilKernel(scene, false, () => announcer.withdraw());
  await timeline.check(`the kernel has neither element ${humanDuration(withdrawn)} after the withdrawal`, true);
  await checkPorts(scene, []);
  await timeline.check('an established connection goes on (on_withdraw: keep)', held !== undefined && (await held.echo(SILENCE)));
  held?.close();

  return {
    announce_to_kernel_ms: opened.kernel,
    announce_to_open_ms: { ipv4: opened.connected.IPv4, ipv6: opened.connected.IPv6 },
    withdraw_to_kernel_ms: withdrawn,
    repeated,
    wire_to_kernel: latency,
    restart,
  };
}

/** One connection to each port and family; `open` are the ports that should be. */
async function checkPorts({ hosts, timeline }: Scene, open: readonly number[]): Promise<void> {
  for (const address of [at.service.v4, at.service.v6]) {
    const outcomes = await Promise.all(SERVICE_PORTS.map((port) => connect(hosts.internet, address, port, SILENCE)));
    const shown = SERVICE_PORTS.map((port, i) => `${port} ${outcomes[i] ?? ''}`).join(', ');
    const right = SERVICE_PORTS.every((port, i) => (outcomes[i] === 'open') === open.includes(port));
    await timeline.check(`${address}: ${shown}`, right);
  }
}

interface Opened {
  readonly kernel: number;
  readonly connected: { readonly IPv4: number; readonly IPv6: number };
}

async function open(scene: Scene): Promise<Opened> {
  const { hosts, announcer, daemon, signal } = scene;
  const ordered = performance.now();
  const first = async (address: string): Promise<number> => {
    // Attempts overlap: one that comes too early is lost in the firewall and says nothing for a second.
    let found: number | undefined;
    const attempts: Promise<void>[] = [];
    while (found === undefined && performance.now() - ordered < LIMIT) {
      attempts.push(
        connect(hosts.internet, address, 80, SILENCE).then((outcome) => {
          if (outcome === 'open') found ??= performance.now() - ordered;
        }),
      );
      await sleep(PACE, undefined, { signal });
    }
    await Promise.all(attempts);
    if (found === undefined) throw new Error(`${address} is not open ${LIMIT / 1000} s after the announcement\n${daemon.log()}`);
    return found;
  };
  const [v4, v6, kernel] = await Promise.all([
    first(at.service.v4),
    first(at.service.v6),
    untilKernel(scene, true, () => announcer.announce()),
  ]);
  return { kernel, connected: { IPv4: v4, IPv6: v6 } };
}

/** Milliseconds from the order until the kernel told of the elements of both families. */
async function untilKernel({ watch, daemon }: Scene, present: boolean, order: () => Promise<void>): Promise<number> {
  const told = watch.next(KERNEL_SETS, present, LIMIT);
  const ordered = performance.now();
  await order();
  const changes = await told;
  if (!changes) throw new Error(`no ${present ? 'new' : 'removed'} elements in the kernel after ${LIMIT / 1000} s\n${daemon.log()}`);
  return Math.max(...changes.map((change) => change.at)) - ordered;
}

async function repeat(scene: Scene): Promise<Measured['repeated']> {
  const announced: number[] = [];
  const withdrawn: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    withdrawn.push(await untilKernel(scene, false, () => scene.announcer.withdraw()));
    announced.push(await untilKernel(scene, true, () => scene.announcer.announce()));
  }
  return { rounds: ROUNDS, announce_to_kernel_ms: median(announced), withdraw_to_kernel_ms: median(withdrawn) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function restartUnderLoad({ hosts, daemon, signal }: Scene): Promise<Measured['restart']> {
  let connections = 0;
  let failed = 0;
  let running = true;
  const stream = async (address: string): Promise<void> => {
    const attempts: Promise<void>[] = [];
    while (running) {
      connections++;
      attempts.push(
        connect(hosts.internet, address, 443, SILENCE).then((outcome) => {
          if (outcome === 'closed') failed++;
        }),
      );
      await sleep(PACE, undefined, { signal });
    }
    await Promise.all(attempts);
  };
  const streams = [stream(at.service.v4), stream(at.service.v6)];
  const restart = async (): Promise<number> => {
    try {
      await sleep(100, undefined, { signal });
      await daemon.kill();
      const killed = performance.now();
      await daemon.start();
      const down = performance.now() - killed;
      await daemon.established();
      // FRR takes a second to tell a new neighbour its routes; until then the members are those that were found in the kernel.
      await daemon.heardAgain(KERNEL_SETS.length);
      return down;
    } finally {
      running = false;
    }
  };
  const [down] = await Promise.all([restart(), ...streams]);
  return { connections, failed, down_ms: down };
}
