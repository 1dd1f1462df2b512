import { AgentClient } from './agent-client.ts';
import { type CommandOptions, type CommandResult, runCommand } from './command.ts';
import { LabProcess, type ProcessOptions } from './process.ts';
import {
  type ConnectOptions,
  type ConnectOutcome,
  type ConnectStream,
  type HeldConnection,
  Sockets,
  type StreamOptions,
  type TcpServer,
  type UdpSocket,
} from './sockets.ts';

/** One object of `nft -j`: `{ table: {...} }`, `{ set: {...} }` and so on. */
export type NftObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** One network namespace and what runs in it. Made by `Lab.host`, closed by `Lab.dispose`. */
export class Host {
  readonly name: string;
  /** As `ip netns` knows it. */
  readonly namespace: string;
  /** To be opened for setns(2). */
  readonly path: string;
  readonly #processes: LabProcess[] = [];
  #sockets: Promise<Sockets> | undefined;

  constructor(name: string, namespace: string) {
    this.name = name;
    this.namespace = namespace;
    this.path = `/var/run/netns/${namespace}`;
  }

  /** Runs a command inside the namespace to its end. */
  exec(command: string, args: readonly string[] = [], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand('nsenter', [`--net=${this.path}`, command, ...args], options);
  }

  /** Starts a process inside the namespace; it is killed when the lab is disposed of. */
  spawn(command: string, args: readonly string[] = [], options: ProcessOptions = {}): LabProcess {
    const started = new LabProcess('nsenter', [`--net=${this.path}`, command, ...args], {
      ...options,
      name: `${this.name}: ${options.name ?? command}`,
    });
    this.#processes.push(started);
    return started;
  }

  /** `ip -n NAMESPACE ...`; returns stdout. */
  async ip(...args: readonly string[]): Promise<string> {
    return (await runCommand('ip', ['-n', this.namespace, ...args])).stdout;
  }

  /** Adds an address (with its length) to a device; usable at once, also IPv6. */
  async addAddress(device: string, address: string): Promise<void> {
    await this.ip('address', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
  }

  /** `to` is a prefix or `default`; replaces a route that is there. */
  async route(to: string, by: { readonly via?: string; readonly dev?: string }): Promise<void> {
    const family = `${to}${by.via ?? ''}`.includes(':') ? '-6' : '-4';
    const via = by.via === undefined ? [] : ['via', by.via];
    const dev = by.dev === undefined ? [] : ['dev', by.dev];
    await this.ip(family, 'route', 'replace', to, ...via, ...dev);
  }

  /** `key` as in sysctl(8): `net.ipv4.ip_forward`. */
  async sysctl(key: string, value: string | number): Promise<void> {
    await this.exec('sh', ['-c', 'printf %s "$2" > "$1"', 'sh', `/proc/sys/${key.replaceAll('.', '/')}`, String(value)]);
  }

  /** Loads an nft script (`nft -f -`). */
  async nft(script: string): Promise<void> {
    await this.exec('nft', ['-f', '-'], { input: script });
  }

  /** What `nft list ...` prints; default the whole ruleset. */
  async nftList(...what: readonly string[]): Promise<string> {
    return (await this.exec('nft', ['list', ...(what.length === 0 ? ['ruleset'] : what)])).stdout;
  }

  /** The same as objects, without the metainfo. */
  async nftJson(...what: readonly string[]): Promise<readonly NftObject[]> {
    const { stdout } = await this.exec('nft', ['-j', 'list', ...(what.length === 0 ? ['ruleset'] : what)]);
    const { nftables } = JSON.parse(stdout) as { nftables: readonly NftObject[] };
    return nftables.filter((object) => !('metainfo' in object));
  }

  /** An echo server; port 0 picks one. */
  async tcpServer(address: string, port: number): Promise<TcpServer> {
    return await (await this.#agent()).tcpServer(address, port);
  }

  /** Opens a connection and resets it. Under one second `timeoutMs` means that no SYN was repeated. */
  async tcpConnect(address: string, port: number, timeoutMs: number = 800, options: ConnectOptions = {}): Promise<ConnectOutcome> {
    return await (await this.#agent()).tcpConnect(address, port, timeoutMs, options);
  }

  /** Opens a connection and keeps it; undefined when it could not be opened in time. */
  async tcpHold(address: string, port: number, timeoutMs: number = 800, options: ConnectOptions = {}): Promise<HeldConnection | undefined> {
    return await (await this.#agent()).tcpHold(address, port, timeoutMs, options);
  }

  /** Many connections a second, opened and reset inside the namespace. */
  async connectStream(options: StreamOptions): Promise<ConnectStream> {
    return await (await this.#agent()).connectStream(options);
  }

  /** A bound UDP socket; with `echo` it answers what it receives. Port 0 picks one. */
  async udpSocket(address: string, port: number, options: { readonly echo?: boolean } = {}): Promise<UdpSocket> {
    return await (await this.#agent()).udpSocket(address, port, options.echo ?? false);
  }

  /** Ends every process started here, newest first. Idempotent. */
  async close(): Promise<void> {
    const processes = this.#processes.splice(0).reverse();
    await Promise.all(processes.map((one) => one.close()));
  }

  /** Synchronous: for the way out of the runner. */
  killAll(): void {
    for (const one of this.#processes.splice(0)) one.killGroup('SIGKILL');
  }

  /** What every process printed last. */
  report(): string {
    return this.#processes.map((one) => one.report()).join('\n');
  }

  #agent(): Promise<Sockets> {
    this.#sockets ??= AgentClient.start((command, args) => this.spawn(command, args, { name: 'socket agent' })).then(
      (client) => new Sockets(client),
    );
    return this.#sockets;
  }
}
