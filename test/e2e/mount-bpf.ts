import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runCommand } from '../lab/index.ts';

/** A BPF file system of one test's own: mounted before the lab is made, so that it goes after what runs there. */
export async function mountBpf(): Promise<string> {
  const mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
  onTestFinished(async () => {
    await runCommand('umount', [mounted]);
    rmdirSync(mounted);
  });
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
  return mounted;
}
