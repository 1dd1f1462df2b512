import type { KernelBackend } from '../kernel/backend.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import { namespaceIdentity } from './namespace-identity.ts';
import { Reconciler } from './reconciler.ts';
import { type Renew, type RestoreReport, restoreImage } from './restore.ts';
import { confirmedTenants, listTenantDirectories } from './tenant-directories.ts';

/** What became of one tenant. */
export type TenantRestore =
  | { readonly kind: 'restored'; readonly name: string; readonly report: RestoreReport }
  /** Its namespace is not there: `weir run` fills it when it comes. */
  | { readonly kind: 'missing'; readonly name: string; readonly netns: string }
  | { readonly kind: 'failed'; readonly name: string; readonly error: unknown };

export interface TenantRestoreOptions {
  /** Takes out tenants that came with a change that nobody confirmed. */
  readonly clear: boolean;
  readonly renew?: (tenant: string) => Renew;
}

/** Loads what was in force for each tenant, each by itself; see `restoreImage`. */
export function restoreTenants(
  stateDirectory: string,
  open: (netns: string) => KernelBackend,
  options: TenantRestoreOptions,
): readonly TenantRestore[] {
  const confirmed = confirmedTenants(stateDirectory);
  return listTenantDirectories(stateDirectory).flatMap(({ name, netns, path }): TenantRestore[] => {
    const wanted = confirmed?.has(name) ?? true;
    if (!wanted && !options.clear) return [];
    try {
      if (namespaceIdentity(netns) === undefined) return [{ kind: 'missing', name, netns }];
      const report = wanted ? restoreInto(open(netns), path, options.renew?.(name)) : undefined;
      if (!wanted) clearFrom(open(netns), path);
      return report ? [{ kind: 'restored', name, report }] : [];
    } catch (error) {
      return [{ kind: 'failed', name, error }];
    }
  });
}

/** `restoreImage` with a backend that is closed after it. */
export function restoreInto(backend: KernelBackend, directory: string, renew?: Renew): RestoreReport | undefined {
  try {
    return restoreImage(backend, directory, renew);
  } finally {
    backend.close();
  }
}

/** Takes out what the state in a directory tells of, with a backend that is closed after it. Returns what could not be. */
export function clearFrom(backend: KernelBackend, stateDirectory: string): readonly KernelProblem[] {
  try {
    const reconciler = new Reconciler({ backend, stateDirectory, emit: () => undefined, now: () => performance.now() });
    try {
      reconciler.clear();
      return reconciler.status().problems;
    } finally {
      reconciler.close();
    }
  } finally {
    backend.close();
  }
}
