import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { type DescribeOptions, describeMessage, type FamilyName, parseFamily } from '@weir/bgp/codec';
import { DecodeError, parseHex } from '@weir/wire/bytes';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';

export interface DecodeBgpOptions {
  readonly session: 'ebgp' | 'ibgp';
  readonly as4: boolean;
  readonly addPath: readonly string[];
  readonly format: 'hex' | 'mrt' | 'pcap';
}

/** Characters of one line of hex: a message of 65,535 octets with a separator after each. */
const MAX_LINE = 200_000;

/** One JSON object a line for each message. Lines that are not hex go to stderr and make the exit code 2; what is wrong with a message is in its object. */
export async function decodeBgp(file: string, options: DecodeBgpOptions, io: Io): Promise<ExitCode> {
  const describe: DescribeOptions = { session: options.session, as4: options.as4, addPath: options.addPath.map(familyName) };
  const input = file === '-' ? io.stdin : createReadStream(file);
  try {
    if (options.format === 'hex') return await decodeHex(input, describe, io);
    const { decodeCapture } = await import('./decode-capture.ts');
    return await decodeCapture(input, options.format, describe, io);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new CliError(EXIT.error, `${file}: ${error.message}`);
    throw error;
  }
}

function familyName(text: string): FamilyName {
  const found = parseFamily(text.replace('-', ' '));
  if (!found) throw new CliError(EXIT.usage, `--add-path ${text}: not an address family; write "ipv4 unicast" or ipv6-unicast`);
  return found;
}

async function decodeHex(input: Readable, options: DescribeOptions, io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  let number = 0;
  for await (const line of lines(input)) {
    if (io.signal.aborted) return EXIT.interrupted;
    number++;
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    try {
      await io.out(`${JSON.stringify(describeMessage(parseHex(text), options))}\n`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      io.err(`line ${number}: ${error.message}\n`);
      code = EXIT.finding;
    }
  }
  return code;
}

/** Lines of text; one that is too long is cut, which makes it a message that is too long as well. */
async function* lines(input: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of input) {
    const parts = (rest + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1'))).split('\n');
    rest = (parts.pop() ?? '').slice(0, MAX_LINE);
    yield* parts;
  }
  if (rest !== '') yield rest;
}
