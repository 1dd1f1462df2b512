import { Readable } from 'node:stream';
import type { Io } from './io.ts';

/** An Io in memory, for tests: what was written, and what stdin gives. */
export interface MemoryIo extends Io {
  readonly stdout: string;
  readonly stderr: string;
  abort(): void;
}

export function memoryIo(
  options: { readonly stdin?: string; readonly env?: { readonly [name: string]: string }; readonly terminal?: boolean } = {},
): MemoryIo {
  let stdout = '';
  let stderr = '';
  const controller = new AbortController();
  return {
    out: async (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    stdin: Readable.from([Buffer.from(options.stdin ?? '')]),
    outIsTerminal: options.terminal ?? false,
    errIsTerminal: options.terminal ?? false,
    columns: options.terminal ? 80 : 0,
    env: options.env ?? {},
    signal: controller.signal,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    abort: () => controller.abort(),
  };
}
