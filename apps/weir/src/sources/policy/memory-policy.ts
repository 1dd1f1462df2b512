import { memoryFiles } from '../yaml/memory-files.ts';
import { printDiagnostic } from '../yaml/print-diagnostic.ts';
import { type LoadedPolicy, loadPolicy } from './load.ts';

/** The beginning of 2026: what time it is in tests. */
export const NOW: number = Date.UTC(2026, 0, 1);

/** Loads `policy.yaml` from memory, for tests. `sets` are named sets of addresses. */
export function loadTexts(texts: { readonly [path: string]: string | Uint8Array }, sets: readonly string[] = []): LoadedPolicy {
  return loadPolicy(['policy.yaml'], memoryFiles(texts), { now: NOW, sets: new Map(sets.map((name) => [name, 'Ip'])) });
}

/** Every diagnostic as it is printed, a line break after each. */
export function printAll(loaded: Pick<LoadedPolicy, 'diagnostics' | 'sources'>): string {
  return loaded.diagnostics.map((d) => `${printDiagnostic(d, loaded.sources)}\n`).join('');
}
