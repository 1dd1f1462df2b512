import { memoryFiles } from '../yaml/memory-files.ts';
import { printDiagnostic } from '../yaml/print-diagnostic.ts';
import { type Loaded, loadConfig } from './load.ts';

/** Loads `weir.yaml` from memory. */
export function loadText(text: string, others: { readonly [path: string]: string | Uint8Array } = {}): Loaded {
  return loadConfig('weir.yaml', memoryFiles({ 'weir.yaml': text, ...others }));
}

/** Every diagnostic as it is printed, a line break after each. */
export function printAll(loaded: Loaded): string {
  return loaded.diagnostics.map((d) => `${printDiagnostic(d, loaded.sources)}\n`).join('');
}
