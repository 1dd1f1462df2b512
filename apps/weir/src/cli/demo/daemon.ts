import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon, type ControlClient, type StatusAnswer } from '../../api/index.ts';
import { at, CLUSTER_AS, COMMUNITY, CORE_AS } from './topology.ts';
import { until } from './until.ts';
import type { Running, World } from './world.ts';

/** The set of the demo; its hosts are in these kernel sets of the table that Weir owns. */
export const SET = 'web';
export const KERNEL_SETS: readonly string[] = ['web_v4', 'web_v6'];

/** Whom Weir hears the services from. */
export type Source = 'cluster' | 'core';

/** `weir run` as a process of its own in the core's namespace, with a configuration that makes it own the firewall. */
export class DemoDaemon {
  readonly socket: string;
  readonly file: string;
  readonly text: string;
  readonly #world: World;
  readonly #namespace: string;
  readonly #signal: AbortSignal;
  #running: Running | undefined;

  constructor(world: World, namespace: string, source: Source, signal: AbortSignal) {
    this.#world = world;
    this.#namespace = namespace;
    this.#signal = signal;
    this.socket = join(world.directory, 'weir.sock');
    this.file = join(world.directory, 'weir.yaml');
    this.text = configuration(source, world.directory);
    writeFileSync(this.file, this.text);
  }

  /** Resolves when the control socket answers. */
  async start(): Promise<void> {
    const running = this.#world.start('weir', this.#namespace, process.execPath, [
      ...process.execArgv,
      process.argv[1] ?? '',
      'run',
      '--config',
      this.file,
      '--log-format',
      'text',
    ]);
    this.#running = running;
    await until('weir run', this.#signal, 15_000, async () => {
      if (running.child.exitCode !== null || running.child.signalCode !== null) throw new Error(`weir run ended\n${this.log()}`);
      return (await this.ask((client) => client.call('status', {}))) !== undefined;
    });
  }

  /** SIGKILL: nothing is put in order. */
  async kill(): Promise<void> {
    this.#running?.child.kill('SIGKILL');
    await this.#running?.exited;
  }

  /** Resolves when the session is up. */
  async established(): Promise<void> {
    await until('the BGP session of Weir', this.#signal, 15_000, async () => {
      const answer = await this.ask((client) => client.call('peers', {}));
      return answer?.peers.some((peer) => peer.state.toLowerCase() === 'established') === true;
    });
  }

  /** Resolves when every member is there because of a route that was heard from the daemon of now, and not because it was there before. */
  async heardAgain(members: number): Promise<void> {
    await until('the routes to be heard again', this.#signal, 15_000, async () => {
      const sets = (await this.ask((client) => client.call('sets', {})))?.sets ?? [];
      return sets.some((set) => set.name === SET && set.members === members && set.stale === 0);
    });
  }

  async status(): Promise<StatusAnswer> {
    const answer = await this.ask((client) => client.call('status', {}));
    if (!answer) throw new Error(`weir run does not answer\n${this.log()}`);
    return answer;
  }

  log(): string {
    return this.#world.log('weir');
  }

  /** Undefined when no daemon answers. */
  ask<T>(question: (client: ControlClient) => Promise<T>): Promise<T | undefined> {
    return askDaemon(this.socket, question);
  }

  /** Of the runs of this daemon the program itself, with any arguments: for views. */
  command(...args: readonly string[]): readonly [command: string, args: readonly string[]] {
    return [process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args, '--socket', this.socket]];
  }
}

/** Directly from the cluster over two hops, or from FRR on the same machine. */
function configuration(source: Source, directory: string): string {
  const peer =
    source === 'core'
      ? `{ name: core, address: 127.0.0.1, as: ${CORE_AS}, hold_time: 30 }`
      : `{ name: cluster, address: ${at.cluster.v4}, as: ${CLUSTER_AS}, multihop: 2, hold_time: 30 }`;
  return `bgp:
  as: ${CORE_AS}
  router_id: 192.0.2.1
  peers:
    - ${peer}
sets:
  ${SET}:
    kind: allow
    communities: ["${COMMUNITY}"]
    guard: { peers: [${source}], prefixes: [${at.services.v4}, "${at.services.v6}"] }
    on_session_loss: hold 2m
firewall:
  borders:
    - name: internet
      from: internet
      to: edge
      allow:
        - { set: ${SET}, ports: [80, 443] }
state_directory: ${directory}/state
socket: ${directory}/weir.sock
`;
}
