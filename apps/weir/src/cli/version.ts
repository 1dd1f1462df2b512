import { readFileSync } from 'node:fs';

/** The version of the package this code belongs to. */
export function version(): string {
  const candidates = ['../package.json', '../../package.json'];
  for (const candidate of candidates) {
    try {
      const text = readFileSync(new URL(candidate, import.meta.url), 'utf8');
      const manifest = JSON.parse(text) as { readonly name?: string; readonly version?: string };
      if (manifest.name === 'weir' && manifest.version !== undefined) return manifest.version;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  return 'unknown';
}
