import type { ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
export async function decodeBgp(_file: string, _o: unknown, _io: Io): Promise<ExitCode> {
  return 1;
}
