import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { PACKET_SCHEME, parseScheme, type Scheme } from '@weir/filter/scheme';
import { CliError, EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { readStream } from '../read-stream.ts';
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
  const bytes = await readStream(input, name, MAX_INPUT);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new CliError(EXIT.finding, `${name} is not UTF-8`);
    throw error;
  }
}
