import { existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listPrograms, PinDirectory } from '@weir/ebpf/kernel';
import { CompileMemo } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { compileKernelPlan } from '../../apps/weir/src/compile/nft/targets.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import { Reconciler } from '../../apps/weir/src/reconcile/reconciler.ts';
import { loadConfig } from '../../apps/weir/src/sources/config/index.ts';
import { type Host, Lab, runCommand, type UdpSocket } from '../lab/index.ts';

const [INSIDE, OUTSIDE] = ['198.51.100.1', '198.51.100.2'];
const PORT = 5000;
/** Filled by routes. */
const SETS = `sets:
  web: { kind: allow, communities: ["64512:80"], guard: { peers: [core], prefixes: [198.51.100.0/24, 203.0.113.0/24] }, on_session_loss: hold forever }
`;
const BGP = 'bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.2, as: 64512 }] }\n';

/** A host whose rules ask programs, and one outside that sends it datagrams; a BPF file system and a state directory of their own. */
export class MatchBed {
  readonly inside: Host;
  readonly directory: string;
  readonly mounted: string;
  readonly #lab: Lab;
  readonly #server: UdpSocket;
  readonly #client: UdpSocket;
  #open: Reconciler[] = [];
  /** What is kept of the last compilation, as in the daemon. */
  readonly #memos = new WeakMap<Reconciler, CompileMemo>();
  #asks: () => boolean = () => true;
  /** Milliseconds, for the reconcilers. */
  now: () => number = () => performance.now();

  private constructor(lab: Lab, inside: Host, sockets: { readonly server: UdpSocket; readonly client: UdpSocket }, mounted: string) {
    this.#lab = lab;
    this.inside = inside;
    this.#server = sockets.server;
    this.#client = sockets.client;
    this.directory = mkdtempSync(join(tmpdir(), 'weir-matches-'));
    this.mounted = mounted;
  }

  static async create(): Promise<MatchBed> {
    const lab = new Lab();
    const [inside, outside] = [await lab.host('inside'), await lab.host('outside')];
    await lab.link({ host: inside, addresses: [`${INSIDE}/24`] }, { host: outside, addresses: [`${OUTSIDE}/24`] });
    const [server, client] = [await inside.udpSocket(INSIDE, PORT), await outside.udpSocket(OUTSIDE, 0)];
    const mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
    await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
    return new MatchBed(lab, inside, { server, client }, mounted);
  }

  /** Where programs are pinned. */
  get pins(): string {
    return join(this.mounted, 'weir');
  }

  /** As a daemon that starts; `withoutPrograms`: on a kernel whose rules cannot ask any. */
  start(withoutPrograms = false): Reconciler {
    const { inside, directory } = this;
    const backend = new NftBackend({ netns: inside.path, withoutPrograms });
    this.#asks = () => backend.asksPrograms;
    const reconciler = new Reconciler({ backend, stateDirectory: directory, emit: () => undefined, now: () => this.now() });
    this.#open.push(reconciler);
    return reconciler;
  }

  /** As one that ends. */
  end(reconciler: Reconciler): void {
    reconciler.close();
    this.#open = this.#open.filter((one) => one !== reconciler);
  }

  /** UDP to the port is only let in by the rule. The problems that it has. */
  configure(reconciler: Reconciler, rule: string, pins?: string): readonly string[] {
    return this.configureRules(reconciler, `  - { name: mine, protocol: udp, action: allow, ${rule} }`, pins);
  }

  /** The problems that the rules have. `lists`: of the policy file. */
  configureRules(reconciler: Reconciler, rules: string, pins: string = this.pins, lists = ''): readonly string[] {
    writeFileSync(join(this.directory, 'policy.yaml'), `default_action: deny\n${lists}rules:\n${rules}\n`);
    const path = join(this.directory, 'weir.yaml');
    writeFileSync(path, `${BGP}${SETS}ebpf: { pin_directory: ${pins} }\npolicy: policy.yaml\n`);
    const { config, diagnostics } = loadConfig(path);
    if (!config)
      throw new Error(
        diagnostics
          .map(({ severity, message }) => `${severity}: ${message}`)
          .slice(0, 10)
          .join('\n'),
      );
    const memo = this.#memos.get(reconciler) ?? new CompileMemo();
    this.#memos.set(reconciler, memo);
    reconciler.configure(compileKernelPlan(config, Date.now(), memo, this.#asks()));
    return reconciler.status().problems.map(({ message }) => message);
  }

  /** The pins of programs, by name. */
  pinned(): readonly string[] {
    const root = join(this.pins, 'matches');
    if (!existsSync(root)) return [];
    return readdirSync(root).flatMap((table) =>
      readdirSync(join(root, table), { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [] : [one.name])),
    );
  }

  /** The pins of lists that programs look into. */
  lists(): readonly string[] {
    const root = join(this.pins, 'matches');
    if (!existsSync(root)) return [];
    return readdirSync(root).flatMap((table) => {
      const path = join(root, table, 'lists');
      return existsSync(path) ? readdirSync(path) : [];
    });
  }

  unpinLists(): void {
    for (const one of this.#listPins()) one.remove();
  }

  /** As if a process had ended in the middle of what it wrote, and more. */
  spoilLists(): void {
    for (const directory of this.#listPins())
      for (const name of directory.list().pinned) {
        const map = directory.map(name);
        map?.update(new Uint8Array(4), new Uint8Array(map.valueSize).fill(0xa5));
        map?.close();
      }
  }

  unpinAll(): void {
    PinDirectory.open(join(this.pins, 'matches')).remove();
  }

  #listPins(): readonly PinDirectory[] {
    const root = join(this.pins, 'matches');
    return readdirSync(root).map((table) => PinDirectory.open(join(root, table, 'lists')));
  }

  /** Whether a datagram gets in. */
  async gets(text: string): Promise<boolean> {
    await this.#client.send(INSIDE, PORT, text);
    return (await this.#server.receive(200)) !== undefined;
  }

  /** Sends one and does not wait. */
  async send(text: string): Promise<void> {
    await this.#client.send(INSIDE, PORT, text);
  }

  /** What came in since. */
  async heard(): Promise<readonly string[]> {
    const heard: string[] = [];
    for (let one = await this.#server.receive(300); one; one = await this.#server.receive(300)) heard.push(one.text);
    return heard;
  }

  /** The table with the handles of its rules, without what they count. */
  async table(): Promise<string> {
    const { stdout } = await this.inside.exec('nft', ['-a', 'list', 'table', 'inet', 'weir']);
    return stdout.replaceAll(/packets \d+ bytes \d+/g, '');
  }

  /** Ids of programs whose names are those of what is pinned. */
  loaded(): readonly number[] {
    const names = new Set(this.pinned().map((name) => `weir_${name.slice(0, 10)}`));
    return listPrograms()
      .filter(({ name }) => names.has(name))
      .map(({ id }) => id);
  }

  async dispose(): Promise<void> {
    for (const one of this.#open) one.close();
    await this.#lab.dispose();
    await runCommand('umount', [this.mounted]);
    rmdirSync(this.mounted);
    rmSync(this.directory, { recursive: true });
  }
}
