import type { Readable } from 'node:stream';
import { CliError, EXIT } from './exit.ts';

/** All that a stream holds, called `name` in messages. CliError where it cannot be read or has more than `most` octets. */
export async function readStream(input: Readable, name: string, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of input) {
      const bytes = Buffer.from(chunk);
      total += bytes.length;
      if (total > most) throw new CliError(EXIT.finding, `${name} is larger than ${most} bytes`);
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new CliError(EXIT.error, `${name}: ${error.message}`);
    throw error;
  }
  return Buffer.concat(chunks);
}
