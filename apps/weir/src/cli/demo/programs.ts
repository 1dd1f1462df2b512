import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';

/** FRR keeps its daemons apart, and comes first: another BGP daemon's bgpd may be on the PATH. */
const FRR = ['/usr/lib/frr', '/usr/libexec/frr'];
const DAEMONS = ['/usr/local/sbin', '/usr/sbin'];

/** The path of a program, or undefined when it is not installed. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  for (const folder of [...FRR, ...(path ?? '').split(':'), ...DAEMONS]) {
    if (folder === '') continue;
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return `${folder}/${name}`;
    } catch (error) {
      // Not there, or not to be run by us: look further.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

/** The first version number that a program prints for `--version`; empty when it prints none. */
export function programVersion(path: string): string {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 5000 });
  return /\d+(\.\d+)+/.exec(stdout ?? '')?.[0] ?? '';
}
