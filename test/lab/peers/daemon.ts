import { writeFileSync } from 'node:fs';
import { LabError } from '../error.ts';
import type { Host } from '../host.ts';
import type { Lab } from '../lab.ts';
import type { LabProcess } from '../process.ts';
import { waitFor } from '../wait.ts';
import type { AddressFamily, AnnounceOptions, NeighborConfig, Peer, PeerConfig, PeerKind, ReceivedRoute, SessionState } from './peer.ts';

/** What the drivers share: a directory of their own, the processes, what is announced, and its repetition after a restart. */
export abstract class PeerDaemon implements Peer {
  abstract readonly kind: PeerKind;
  readonly host: Host;
  readonly config: PeerConfig;
  /** Sockets, pid files and configuration. */
  readonly directory: string;
  /** Kept in order: what `restart` announces again. */
  protected readonly announced = new Map<string, AnnounceOptions>();
  #processes: LabProcess[] = [];
  #config = '';

  constructor(lab: Lab, host: Host, config: PeerConfig) {
    this.host = host;
    this.config = config;
    this.directory = lab.directory(host.name);
    lab.addReport(() => `--- ${host.name}: configuration\n${this.#config}`);
  }

  /** Writes the configuration, starts the processes and waits until the daemon answers. */
  abstract start(): Promise<void>;
  abstract announceMany(prefixes: readonly string[], options?: AnnounceOptions): Promise<void>;
  abstract withdrawMany(prefixes: readonly string[]): Promise<void>;
  abstract sessionState(neighbor: string): Promise<SessionState>;
  abstract receivedRoutes(family: AddressFamily): Promise<readonly ReceivedRoute[]>;
  abstract shutdown(neighbor: string, message: string): Promise<void>;
  abstract enable(neighbor: string): Promise<void>;
  abstract refresh(neighbor: string): Promise<void>;
  abstract command(line: string): Promise<string>;

  follow(_line: string): LabProcess {
    throw this.unsupported('a command that goes on');
  }

  async announce(prefix: string, options: AnnounceOptions = {}): Promise<void> {
    await this.announceMany([prefix], options);
  }

  async withdraw(prefix: string): Promise<void> {
    await this.withdrawMany([prefix]);
  }

  async waitEstablished(neighbor: string, timeoutMs: number = 60_000): Promise<void> {
    await waitFor(
      `${this.kind} on ${this.host.name}: session with ${neighbor}`,
      async () => (await this.sessionState(neighbor)) === 'established',
      {
        timeoutMs,
        intervalMs: 50,
      },
    );
  }

  async kill9(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((one) => one.kill()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((one) => one.close(5_000)));
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  printed(): string {
    return this.#processes.map(({ stdout, stderr }) => `${stdout}\n${stderr}`).join('\n');
  }

  configText(): string {
    return this.#config;
  }

  get running(): boolean {
    return this.#processes.length > 0 && this.#processes.every((one) => one.running);
  }

  protected spawn(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): LabProcess {
    const started = this.host.spawn(command, args, { name: this.kind, env, cwd: this.directory });
    this.#processes.push(started);
    return started;
  }

  /** Waits until `check` succeeds; fails at once when a process has ended. */
  protected async waitReady(check: () => Promise<unknown>): Promise<void> {
    await waitFor(
      `${this.kind} on ${this.host.name} to answer`,
      async () => {
        const dead = this.#processes.find((one) => !one.running);
        if (dead !== undefined) return dead;
        await check();
        return true;
      },
      { timeoutMs: 60_000, intervalMs: 30 },
    );
    const dead = this.#processes.find((one) => !one.running);
    if (dead !== undefined) throw new LabError('process-exited', `${dead.report()}\n${this.#config}`);
  }

  protected writeConfig(name: string, text: string): string {
    const path = `${this.directory}/${name}`;
    writeFileSync(path, text, { mode: 0o600 });
    this.#config = text;
    return path;
  }

  /** What is announced, by attributes: for a daemon that forgets it when it ends. */
  protected announcedGroups(): readonly { readonly options: AnnounceOptions; readonly prefixes: readonly string[] }[] {
    const groups = new Map<string, { options: AnnounceOptions; prefixes: string[] }>();
    for (const [prefix, options] of this.announced) {
      const key = JSON.stringify(options);
      const group = groups.get(key) ?? { options, prefixes: [] };
      group.prefixes.push(prefix);
      groups.set(key, group);
    }
    return [...groups.values()];
  }

  protected neighbor(address: string): NeighborConfig {
    const found = this.config.neighbors.find((one) => one.address === address);
    if (found === undefined) throw new LabError('missing', `${this.kind} on ${this.host.name} has no neighbour ${address}`);
    return found;
  }

  protected unsupported(what: string): LabError {
    return new LabError('unsupported', `${this.kind} does not have ${what}`);
  }
}
