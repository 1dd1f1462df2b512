import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix } from '@weir/wire/inet';
import { expect, onTestFinished, test } from 'vitest';
import { Networks } from '../../apps/weir/src/daemon/networks/networks.ts';
import { loadText } from '../../apps/weir/src/sources/config/memory-files.ts';
import { runCommand } from '../lab/index.ts';

const TEXT = `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute:
  tables: { admins: { communities: ["65000:1"] } }
  clients: [{ name: hosts, from: 198.51.100.0/24 }]
`;

/** A file system of 256 KiB; unmounted when the test is over. */
async function smallDisk(): Promise<string> {
  const mounted = mkdtempSync(join(tmpdir(), 'weir-full-'));
  await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mounted]);
  onTestFinished(async () => {
    await runCommand('umount', [mounted]);
    rmdirSync(mounted);
  });
  return mounted;
}

test('tables on a disk that is full change nothing, and change again when there is room', async () => {
  const disk = await smallDisk();
  const { config } = loadText(TEXT);
  if (!config) throw new Error('the configuration is refused');
  const start = (): Networks => new Networks({ stateDirectory: disk, config: () => config, onError: () => undefined });
  const add = (networks: Networks, count: number, net: number): Promise<unknown> =>
    networks.operator.add(
      { prefixes: Array.from({ length: count }, (_, i) => `10.${net}.${i >> 8}.${i & 255}`), tables: ['admins'] },
      'uid 0',
    );
  const networks = start();
  try {
    await add(networks, 10, 1);
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, 'filler'), Buffer.alloc((bavail - 1) * bsize));
    // More than the page that is left.
    for (let tries = 0; tries < 3; tries++)
      await expect(add(networks, 5000, 2)).rejects.toThrow(/nothing is changed: ENOSPC: no space left on device/);
    expect([networks.tables.size, networks.problems]).toEqual([10, [expect.stringContaining('changes cannot be written: ENOSPC')]]);
    rmSync(join(disk, 'filler'));
    await add(networks, 20, 3);
    expect([networks.tables.size, networks.problems]).toEqual([30, []]);
  } finally {
    await networks.close();
  }
  const again = start();
  const found = [again.tables.size, again.tables.memberships(prefix('10.2.0.0/32')).length, again.problems];
  await again.close();
  expect(found).toEqual([30, 0, []]);
});
