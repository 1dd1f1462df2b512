import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadConfig } from './load.ts';
import { printAll } from './memory-files.ts';

const folder = fileURLToPath(new URL('../../../../../examples/', import.meta.url));
// Other folders hold files of other programs.
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /^((weir|tenants)\/)?[^/]+\.yaml$|^(?:ebpf|cumulus|exabgp-nftables|blackholes)\/weir\.yaml$|^(?:reflectors|distributor)\/(?:distributor|(?:mail-)?agent)\.yaml$/.test(
    name,
  ),
);

test('there are examples', () => expect(files.length).toBeGreaterThan(2));

for (const name of files) {
  test(`examples/${name} has neither errors nor warnings`, () => {
    const loaded = loadConfig(folder + name);
    expect(printAll(loaded)).toBe('');
    expect(loaded.config).toBeDefined();
  });
}
