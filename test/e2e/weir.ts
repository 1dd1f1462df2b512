import { writeFileSync } from 'node:fs';
import { askDaemon, type ControlClient, type StatusAnswer } from '../../apps/weir/src/api/index.ts';
import { type CommandResult, type Host, type Lab, LabError, type LabProcess, waitFor } from '../lab/index.ts';

const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;

/** The shipped program in one namespace, with a state directory and a control socket of its own. */
export class Weir {
  readonly host: Host;
  readonly stateDirectory: string;
  readonly #directory: string;
  readonly #file: string;
  #process: LabProcess | undefined;

  /** `config` is the text of a file, without `socket` and `state_directory`. */
  constructor(lab: Lab, host: Host, config: string, stateDirectory?: string) {
    this.host = host;
    this.#directory = lab.directory('weir');
    this.stateDirectory = stateDirectory ?? `${this.#directory}/state`;
    this.#file = `${this.#directory}/weir.yaml`;
    this.configure(config);
  }

  get socket(): string {
    return `${this.#directory}/weir.sock`;
  }

  get pid(): number {
    if (this.#process === undefined) throw new LabError('missing', 'weir does not run');
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process?.running === true;
  }

  /** Replaces the file; `reload` makes a running daemon read it. */
  configure(config: string): void {
    writeFileSync(this.#file, config);
  }

  /** Starts the daemon; resolves when its control socket answers. */
  async start(): Promise<void> {
    this.launch();
    await this.answers();
  }

  /** Starts the daemon and does not wait. */
  launch(): void {
    this.#process = this.host.spawn(process.execPath, [program, 'run', ...this.#arguments(), '--socket', this.socket], {
      name: 'weir run',
      env: { WEIR_LOG_LEVEL: 'info', WEIR_LOG_FORMAT: 'text' },
    });
  }

  async answers(): Promise<void> {
    const started = this.#process;
    await waitFor(
      'weir run to answer',
      async () => {
        if (started?.running !== true) return 'ended';
        return (await this.ask((client) => client.call('status', {}))) !== undefined;
      },
      { timeoutMs: 60_000, intervalMs: 10 },
    );
    if (started?.running !== true) throw new LabError('process-exited', started?.report() ?? 'weir does not run');
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** SIGTERM, which leaves the kernel as it is. */
  async stop(): Promise<void> {
    await this.#process?.close(10_000);
  }

  /** `weir restore`, to its end. */
  restore(socket: string = this.socket): Promise<CommandResult> {
    return this.command('restore', ...this.#arguments(), '--socket', socket);
  }

  /** `weir clear`, to its end; it may refuse. */
  clear(...args: readonly string[]): Promise<CommandResult> {
    return this.host.exec(process.execPath, [program, 'clear', ...this.#arguments(), '--socket', this.socket, ...args], {
      allowFailure: true,
    });
  }

  /** Any command of the program inside the namespace. */
  command(...args: readonly string[]): Promise<CommandResult> {
    return this.host.exec(process.execPath, [program, ...args]);
  }

  /** `weir reload`: throws when the daemon refuses the file. */
  async reload(): Promise<void> {
    await this.command('reload', '--socket', this.socket);
  }

  async status(): Promise<StatusAnswer> {
    const answer = await this.ask((client) => client.call('status', {}));
    if (answer === undefined) throw new LabError('missing', 'weir does not answer');
    return answer;
  }

  async established(peers: number): Promise<void> {
    await waitFor(`${peers} sessions of weir`, async () => (await this.status()).bgp.established >= peers);
  }

  /** Undefined when no daemon answers. */
  ask<T>(question: (client: ControlClient) => Promise<T>): Promise<T | undefined> {
    return askDaemon(this.socket, question);
  }

  /** What the daemon of now printed. */
  report(): string {
    return this.#process?.report() ?? '';
  }

  #arguments(): readonly string[] {
    return ['--config', this.#file, '--state-directory', this.stateDirectory];
  }
}
