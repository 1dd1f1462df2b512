import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../apps/weir/src/model/config.ts';
import type { KernelEvent, KernelPort } from '../../apps/weir/src/model/kernel-port.ts';
import { openKernelPort } from '../../apps/weir/src/reconcile/index.ts';
import { loadConfig } from '../../apps/weir/src/sources/config/index.ts';
import { type Host, Lab } from '../lab/index.ts';

/** Kernel workers in a network namespace of their own, with what they tell and a state directory. */
export class KernelPortBed {
  readonly host: Host;
  readonly directory: string;
  readonly events: KernelEvent[] = [];
  readonly #lab: Lab;
  readonly #ports: KernelPort[] = [];

  private constructor(lab: Lab, host: Host) {
    this.#lab = lab;
    this.host = host;
    this.directory = mkdtempSync(join(tmpdir(), 'weir-port-'));
  }

  static async create(): Promise<KernelPortBed> {
    const lab = new Lab();
    return new KernelPortBed(lab, await lab.host('fw'));
  }

  /** The configuration, and after a line of `---` its policy. Throws where it has mistakes. */
  config(text: string): Config {
    const [main = '', policy = ''] = text.split('\n---\n');
    writeFileSync(join(this.directory, 'policy.yaml'), policy);
    const path = join(this.directory, 'weir.yaml');
    writeFileSync(path, main);
    const { config, diagnostics } = loadConfig(path);
    const mistakes = diagnostics.filter(({ severity }) => severity === 'error');
    if (!config || mistakes.length > 0) throw new Error(mistakes.map(({ message }) => message).join('; '));
    return { ...config, stateDirectory: this.directory, netns: this.host.path };
  }

  async open(): Promise<KernelPort> {
    const { host, directory, events } = this;
    const port = await openKernelPort({ netns: host.path, stateDirectory: directory, events: (event) => events.push(event) });
    this.#ports.push(port);
    return port;
  }

  /** Another namespace beside. */
  another(name: string): Promise<Host> {
    return this.#lab.host(name);
  }

  /** The workers leave what they have installed. */
  async closePorts(): Promise<void> {
    for (const port of this.#ports.splice(0)) await port.close({ clear: false });
  }

  async close(): Promise<void> {
    await this.closePorts();
    await this.#lab.dispose();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
