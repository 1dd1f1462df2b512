import { cpSync, type Dirent, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory, readIfThere, removeFile, writeWhole } from '../files/index.ts';
import { holdImage } from './image-file.ts';

const TENANTS = 'tenants';
/** The namespace that a tenant's state is about. */
const NETNS = 'netns';
/** Names of the tenants that a boot is to restore while a change waits for confirmation. */
const CONFIRMED = 'confirmed';
const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const OPTIONS = { mode: 0o600, survives: 'machine' } as const;

/** The state of one tenant, as it is kept. */
export interface TenantDirectory {
  readonly name: string;
  readonly netns: string;
  readonly path: string;
}

/** Where the state of a tenant is kept: its image, ledger and set files. */
function tenantDirectory(stateDirectory: string, name: string): string {
  return join(stateDirectory, TENANTS, name);
}

/** Makes it, and writes down which namespace it is about. */
export function makeTenantDirectory(stateDirectory: string, name: string, netns: string): string {
  const path = tenantDirectory(stateDirectory, name);
  for (const directory of [stateDirectory, join(stateDirectory, TENANTS), path]) makeDirectory(directory, 0o700);
  const text = `${netns}\n`;
  if (readIfThere(join(path, NETNS))?.toString() !== text) writeWhole(join(path, NETNS), text, OPTIONS);
  return path;
}

/** Every tenant that has state. */
export function listTenantDirectories(stateDirectory: string): readonly TenantDirectory[] {
  const parent = join(stateDirectory, TENANTS);
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(parent, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    if (!entry.isDirectory() || !NAME.test(entry.name)) return [];
    return findTenantDirectory(stateDirectory, entry.name) ?? [];
  });
}

/** The state of one tenant; undefined when it has none. */
export function findTenantDirectory(stateDirectory: string, name: string): TenantDirectory | undefined {
  const path = tenantDirectory(stateDirectory, name);
  const netns = readIfThere(join(path, NETNS))?.toString().trim();
  return netns ? { name, netns, path } : undefined;
}

/** Gives the state of a tenant to one that takes its place. */
export function copyTenantDirectory(stateDirectory: string, name: string, heir: string): void {
  cpSync(tenantDirectory(stateDirectory, name), tenantDirectory(stateDirectory, heir), { recursive: true });
}

/** Forgets a tenant whose rules and members are out of the kernel; not while a boot may have to bring it back. */
export function removeTenantDirectory(stateDirectory: string, name: string): void {
  if (confirmedTenants(stateDirectory)?.has(name)) return;
  rmSync(tenantDirectory(stateDirectory, name), { recursive: true, force: true });
}

/** Keeps what a boot restores as it is until a change is confirmed; or no longer. That of every tenant, and that there are no others. */
export function holdImages(stateDirectory: string, hold: boolean): void {
  holdImage(stateDirectory, hold);
  const tenants = listTenantDirectories(stateDirectory);
  for (const { path } of tenants) holdImage(path, hold);
  const file = join(stateDirectory, TENANTS, CONFIRMED);
  if (!hold) removeFile(file);
  else {
    makeDirectory(join(stateDirectory, TENANTS), 0o700);
    writeWhole(file, tenants.map(({ name }) => `${name}\n`).join(''), OPTIONS);
  }
}

/** The tenants that a boot is to restore; undefined: all. */
export function confirmedTenants(stateDirectory: string): ReadonlySet<string> | undefined {
  const text = readIfThere(join(stateDirectory, TENANTS, CONFIRMED))?.toString();
  return text === undefined ? undefined : new Set(text.split('\n').filter((name) => name !== ''));
}
