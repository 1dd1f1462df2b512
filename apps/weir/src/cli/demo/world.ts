import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inNetworkNamespace } from '@weir/sys';
import { CliError, EXIT } from '../exit.ts';

const PREFIX = 'weir-demo-';
/** Bytes of a process's log that are shown when it fails. */
const TAIL = 4000;

/** A process of the demo. */
export interface Running {
  readonly name: string;
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
}

/**
 * Everything that the demo makes outside its own memory: network namespaces, processes inside them, one directory. `close` takes all of it away, at once
 * and from any state; so does the end of the process.
 */
export class World {
  readonly directory: string;
  readonly #prefix = `${PREFIX}${process.pid}-`;
  readonly #namespaces: string[] = [];
  readonly #running = new Set<Running>();
  readonly #onExit = (): void => this.close();
  #closed = false;

  constructor() {
    sweep();
    this.directory = mkdtempSync(join(tmpdir(), PREFIX));
    process.on('exit', this.#onExit);
  }

  /** A new namespace with loopback up; returns its name. */
  namespace(name: string): string {
    const full = `${this.#prefix}${name}`;
    run('ip', ['netns', 'add', full]);
    this.#namespaces.push(full);
    // Without duplicate address detection, so that IPv6 works from the first packet.
    for (const scope of ['all', 'default']) this.sysctl(full, `net/ipv6/conf/${scope}/accept_dad`, 0);
    this.ip(full, ['link set lo up']);
    return full;
  }

  /** Commands of ip(8), one a line, inside a namespace. */
  ip(namespace: string, commands: readonly string[]): void {
    run('ip', ['-n', namespace, '-batch', '-'], commands.map((line) => `${line}\n`).join(''));
  }

  /** `key` is a path below /proc/sys. */
  sysctl(namespace: string, key: string, value: string | number): void {
    inNetworkNamespace(namespace, () => writeFileSync(`/proc/sys/${key}`, String(value)));
  }

  /** Starts a program inside a namespace. What it prints goes to a file that `log` reads. */
  start(name: string, namespace: string, command: string, args: readonly string[]): Running {
    const log = openSync(this.#logPath(name), 'a');
    try {
      const child = inNetworkNamespace(namespace, () => spawn(command, args, { stdio: ['ignore', log, log] }));
      const exited = new Promise<void>((resolve) => {
        child.once('error', () => resolve());
        child.once('exit', () => resolve());
      });
      const running = { name, child, exited };
      this.#running.add(running);
      void exited.then(() => this.#running.delete(running));
      return running;
    } finally {
      closeSync(log);
    }
  }

  /** What a process printed last. */
  log(name: string): string {
    const text = readFileSync(this.#logPath(name), 'utf8');
    return text.length > TAIL ? `...${text.slice(-TAIL)}` : text;
  }

  /** Does nothing the second time. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.off('exit', this.#onExit);
    for (const { child } of this.#running) child.kill('SIGKILL');
    for (const namespace of this.#namespaces) removeNamespace(namespace);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #logPath(name: string): string {
    return join(this.directory, `${name}.log`);
  }
}

/** Runs a command to its end. CliError with what it printed when it fails. */
function run(command: string, args: readonly string[], input = ''): string {
  const done = spawnSync(command, args, { input, encoding: 'utf8' });
  if (done.error) throw new CliError(EXIT.unsupported, `${command} cannot be run: ${done.error.message}`);
  if (done.status !== 0) throw new CliError(EXIT.unsupported, `${[command, ...args].join(' ')}: ${done.stderr.trim()}`);
  return done.stdout;
}

/** Processes of an earlier demo that was killed hold its namespace; they end with it. */
function removeNamespace(namespace: string): void {
  const listed = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  for (const pid of listed.stdout?.split('\n') ?? []) if (pid !== '') kill(Number(pid));
  spawnSync('ip', ['netns', 'delete', namespace]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: it has ended meanwhile.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Removes what a demo left behind that could not clean up, because it was killed. */
function sweep(): void {
  for (const name of namespaceNames()) {
    const pid = /^weir-demo-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !alive(Number(pid))) removeNamespace(name);
  }
}

function namespaceNames(): readonly string[] {
  try {
    return readdirSync('/var/run/netns');
  } catch (error) {
    if (error instanceof Error) return [];
    throw error;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
