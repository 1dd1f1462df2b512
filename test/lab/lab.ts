import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { LabError } from './error.ts';
import { Host } from './host.ts';
import { waitFor } from './wait.ts';
import { type TunnelEnd, wireguard } from './wireguard.ts';

export interface HostOptions {
  /** Forward IPv4 and IPv6 between the links. */
  readonly forwarding?: boolean;
  /** Further settings, as in sysctl(8). */
  readonly sysctl?: Readonly<Record<string, string | number>>;
}

export interface LinkEnd {
  readonly host: Host;
  /** Interface name, at most 15 bytes; default is the other host's name. */
  readonly name?: string;
  /** With their length: `192.0.2.1/24`, `2001:db8::1/64`. */
  readonly addresses?: readonly string[];
}

export interface LinkOptions {
  readonly mtu?: number;
}

/** Interface names at either end. */
export interface Link {
  readonly a: string;
  readonly b: string;
}

const live = new Set<Lab>();
let created = 0;

/**
 * Hosts (network namespaces), links between them and processes inside them, all of which `dispose` removes again; so do a signal and the end
 * of the process. Namespaces are called `weir-<pid>-<n>-<name>`, nothing is ever made in the machine's own. Needs root.
 */
export class Lab {
  readonly #prefix: string;
  readonly #hosts = new Map<string, Host>();
  readonly #finally: (() => Promise<void> | void)[] = [];
  readonly #directories: string[] = [];
  readonly #reports: (() => string)[] = [];
  #disposed: Promise<void> | undefined;

  constructor() {
    this.#prefix = `weir-${process.pid}-${++created}`;
    live.add(this);
    if (live.size === 1) watchExit();
  }

  /** A new namespace with loopback up, no duplicate address detection and no router solicitation. */
  async host(name: string, options: HostOptions = {}): Promise<Host> {
    if (this.#disposed !== undefined) throw new LabError('closed', 'the lab has been disposed of');
    if (!/^[a-z][a-z0-9-]{0,14}$/.test(name) || this.#hosts.has(name)) throw new LabError('missing', `not a new host name: ${name}`);
    const host = new Host(name, `${this.#prefix}-${name}`);
    this.#hosts.set(name, host);
    const forwarding = options.forwarding === true ? { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } : {};
    const settings = {
      'net.ipv6.conf.all.accept_dad': 0,
      'net.ipv6.conf.default.accept_dad': 0,
      'net.ipv6.conf.default.router_solicitations': 0,
      ...forwarding,
      ...options.sysctl,
    };
    await runCommand('ip', ['netns', 'add', host.namespace]);
    await host.ip('link', 'set', 'lo', 'up');
    const writes = Object.entries(settings).map(([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`);
    await host.exec('sh', ['-ec', writes.join('\n')]);
    return host;
  }

  /** A veth pair, up, with its addresses. Both ends are made inside their namespaces. */
  async link(a: LinkEnd, b: LinkEnd, options: LinkOptions = {}): Promise<Link> {
    const link: Link = { a: a.name ?? b.host.name, b: b.name ?? a.host.name };
    await a.host.ip('link', 'add', 'name', link.a, 'type', 'veth', 'peer', 'name', link.b, 'netns', b.host.namespace);
    const ends = [
      { end: a, name: link.a },
      { end: b, name: link.b },
    ];
    const mtu = options.mtu === undefined ? [] : ['mtu', String(options.mtu)];
    for (const { end, name } of ends) await end.host.ip('link', 'set', 'dev', name, ...mtu, 'up');
    for (const { end, name } of ends) {
      // Until the carrier is noticed, packets are dropped in silence, the first neighbour solicitation among them.
      await waitFor(`${name} to be up`, async () => (await end.host.ip('-oneline', 'link', 'show', 'dev', name)).includes('state UP'), {
        intervalMs: 2,
      });
      for (const address of end.addresses ?? []) await end.host.addAddress(name, address);
    }
    return link;
  }

  /** A WireGuard tunnel between two hosts that reach each other already. */
  wireguard(a: TunnelEnd, b: TunnelEnd): Promise<void> {
    return wireguard(a, b);
  }

  /** A new directory, removed at the end. */
  directory(name: string): string {
    const path = mkdtempSync(join(tmpdir(), `weir-lab-${name}-`));
    this.#directories.push(path);
    return path;
  }

  /** To be run first by `dispose`, the last one registered first. */
  onDispose(action: () => Promise<void> | void): void {
    this.#finally.push(action);
  }

  /** Adds a section to `report`. */
  addReport(section: () => string): void {
    this.#reports.push(section);
  }

  /** What the processes of every host printed last; for a failed test. */
  report(): string {
    return [...this.#reports.map((section) => section()), ...[...this.#hosts.values()].map((host) => host.report())]
      .filter((text) => text !== '')
      .join('\n');
  }

  /** Ends the processes, removes the namespaces and directories. Idempotent; throws the first error after doing all of it. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** The same at once, for the way out of the runner. */
  disposeNow(): void {
    live.delete(this);
    for (const host of this.#hosts.values()) {
      host.killAll();
      removeNamespace(host.namespace);
    }
    for (const path of this.#directories) rmSync(path, { recursive: true, force: true });
  }

  async #dispose(): Promise<void> {
    const errors: unknown[] = [];
    for (const action of this.#finally.reverse()) {
      try {
        await action();
      } catch (error) {
        errors.push(error);
      }
    }
    for (const result of await Promise.allSettled([...this.#hosts.values()].map((host) => host.close()))) {
      if (result.status === 'rejected') errors.push(result.reason);
    }
    this.disposeNow();
    if (errors.length > 0) throw errors[0];
  }
}

/**
 * Kills what still runs in the namespace (daemons that left their process group), waits until it is gone and removes the namespace.
 * Does nothing where there is no such namespace.
 */
export function removeNamespace(namespace: string): void {
  for (let attempt = 0; attempt < 100; attempt++) {
    const listed = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
    if (listed.status !== 0) return;
    const pids = listed.stdout.split('\n').filter((line) => line !== '');
    if (pids.length === 0) break;
    for (const pid of pids) killIfThere(Number(pid));
  }
  spawnSync('ip', ['netns', 'delete', namespace]);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: it ended between the listing and the kill.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

let watching = false;

function watchExit(): void {
  if (watching) return;
  watching = true;
  process.on('exit', disposeAllNow);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      disposeAllNow();
      process.kill(process.pid, signal);
    });
  }
}

function disposeAllNow(): void {
  for (const lab of [...live]) lab.disposeNow();
}
