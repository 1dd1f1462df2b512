import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../run/finding.ts';
import { parseVersion, satisfies, type Version } from './semver-range.ts';

/** The oldest Node that everything here must run on. */
const oldestNode: Version = [20, 19, 0];

/** Packages whose install script may be skipped (`npm ci --ignore-scripts` works), with the reason. */
const scriptsNotNeeded: Readonly<Record<string, string>> = {
  koffi: 'builds from source only where no prebuilt platform package fits',
  esbuild: 'only checks that the platform package was installed',
  fsevents: 'macOS only, optional',
};

interface LockedPackage {
  readonly version?: string;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What `lock` (a parsed package-lock.json) holds that Node 20.19 cannot run, that needs an install script, or that is not pinned by a hash. */
export function checkLock(lock: { readonly packages: Readonly<Record<string, LockedPackage>> }): readonly Finding[] {
  const findings: Finding[] = [];
  const file = 'package-lock.json';
  for (const [path, locked] of Object.entries(lock.packages)) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const node = locked.engines?.['node'];
    if (node !== undefined && !satisfies(oldestNode, node)) {
      findings.push({ file, message: `${path || 'the root'} ${locked.version ?? ''} excludes Node ${oldestNode.join('.')}: ${node}` });
    }
    if (!path.includes('node_modules/') || locked.link === true) continue;
    if (locked.hasInstallScript === true && !(name in scriptsNotNeeded)) {
      findings.push({ file, message: `${name} has an install script; say in check-engines.ts why it is not needed, or drop it` });
    }
    // A lock that names no address means the registry that npm is configured with; the hash decides what is accepted.
    const elsewhere = locked.resolved !== undefined && !locked.resolved.startsWith('https://registry.npmjs.org/');
    if (locked.integrity === undefined || elsewhere) findings.push({ file, message: `${name} is not pinned to the registry by a hash` });
  }
  return findings;
}

/** Dependencies that are not an exact version. */
export function checkManifest(file: string, manifest: Manifest): readonly Finding[] {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return Object.entries(all)
    .filter(([, version]) => parseVersion(version) === undefined)
    .map(([name, version]) => ({ file, message: `${name} is not an exact version: ${version}` }));
}

export function checkEngines(root: string): readonly Finding[] {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const { workspaces } = read('package.json') as { workspaces: readonly string[] };
  const manifests = ['package.json', ...workspaces.map((workspace) => `${workspace}/package.json`)];
  return [
    ...checkLock(read('package-lock.json') as Parameters<typeof checkLock>[0]),
    ...manifests.flatMap((file) => checkManifest(file, read(file) as Manifest)),
  ];
}
