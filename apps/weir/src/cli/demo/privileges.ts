import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { findProgram } from './programs.ts';

const CAP_SYS_ADMIN = 21n;
const INSIDE = 'WEIR_DEMO_INSIDE';

/** Whether this process runs in the user namespace that `inUserNamespace` made. */
export function insideUserNamespace(env: { readonly [name: string]: string | undefined }): boolean {
  return env[INSIDE] === '1';
}

/** Whether this process may make network namespaces. */
export function mayMakeNamespaces(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/**
 * Runs this command again in user, mount, network and process namespaces of its own, where an ordinary user is root over what is made there. /run is an
 * empty one, for the names of network namespaces. All of it goes with its first process; that one ends when its standard input does, which is ours.
 */
export async function inUserNamespace(signal: AbortSignal, path: string | undefined): Promise<ExitCode> {
  const unshare = findProgram('unshare', path);
  if (unshare === undefined)
    throw new CliError(EXIT.unsupported, 'the demo makes network namespaces: run it as root, or install unshare (util-linux)');
  const flags = ['--user', '--map-root-user', '--mount', '--net', '--pid', '--fork', '--kill-child'];
  const prepare = 'mount -t tmpfs tmpfs /run && mkdir -p /run/netns && exec "$@"';
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(unshare, [...flags, 'sh', '-c', prepare, 'sh', ...self], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, [INSIDE]: '1' },
  });
  const stop = (): void => void child.stdin.end();
  signal.addEventListener('abort', stop);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (code === null) throw new CliError(EXIT.error, 'the demo was killed');
    const known = Object.values(EXIT).find((one) => one === code);
    return known ?? EXIT.error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
