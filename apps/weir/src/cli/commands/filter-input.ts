import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { PACKET_SCHEME, parseScheme, type Scheme } from '@weir/filter/scheme';
import { CliError, EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { escapeControl } from '../render/escape.ts';

/** Octets that are read of an expression or a scheme. */
const MAX_INPUT = 1 << 20;

/** The expression of a command line; `-` is standard input. */
export async function readExpression(argument: string, io: Io): Promise<string> {
  return argument === '-' ? await readText(io.stdin, 'standard input') : argument;
}

/** The scheme in a file, or that of packets when there is none. */
export async function readScheme(file: string | undefined): Promise<Scheme> {
  if (file === undefined) return PACKET_SCHEME;
  const result = parseScheme(parseJson(await readText(createReadStream(file), file), file));
  if ('scheme' in result) return result.scheme;
  throw new CliError(EXIT.finding, `${file} is not a scheme`, result.problems.map(escapeControl));
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(EXIT.finding, `${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function readText(input: Readable, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of input) {
      const bytes = Buffer.from(chunk);
      total += bytes.length;
      if (total > MAX_INPUT) throw new CliError(EXIT.finding, `${name} is larger than ${MAX_INPUT} bytes`);
      chunks.push(bytes);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw new CliError(EXIT.finding, `${name} is not UTF-8`);
    }
    if (error instanceof Error && 'syscall' in error) throw new CliError(EXIT.error, `${name}: ${error.message}`);
    throw error;
  }
}
