import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runCommand } from '../lab/index.ts';

/** A BPF file system of one test's own; what is attached from it has to be gone before the test is over. */
export async function mountBpf(): Promise<string> {
  const mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
  onTestFinished(async () => {
    await runCommand('umount', [mounted]);
    rmdirSync(mounted);
  });
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
  return mounted;
}
