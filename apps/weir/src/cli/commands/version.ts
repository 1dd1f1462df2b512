import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { version } from '../version.ts';

export async function printVersion(output: 'text' | 'json', io: Io): Promise<ExitCode> {
  const own = version();
  await io.out(
    output === 'json' ? `${JSON.stringify({ format_version: 1, version: own, node: process.versions.node })}\n` : `weir ${own}\n`,
  );
  return EXIT.ok;
}
