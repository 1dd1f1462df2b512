import type { Readable } from 'node:stream';
import { type CaptureEntry, type Endpoint, readMrt, readPcap } from '@weir/bgp/capture';
import { type DescribeOptions, describeMessage, sessionContext } from '@weir/bgp/codec';
import { DecodeError } from '@weir/wire/bytes';
import { printIp } from '@weir/wire/inet';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';

/** Bytes of a capture file: it is held in memory while it is read. */
const MAX_CAPTURE = 1024 * 1024 * 1024;

/**
 * The messages of a capture file as JSON lines, each with its time and its ends. What the options say holds where the file does not say otherwise. What is not a message, or broken,
 * goes to stderr; broken octets make the exit code 2.
 */
export async function decodeCapture(input: Readable, format: 'mrt' | 'pcap', options: DescribeOptions, io: Io): Promise<ExitCode> {
  const bytes = await readAll(input);
  const defaults = sessionContext({
    peerKind: options.session ?? 'ebgp',
    fourOctetAs: options.as4 ?? true,
    addPath: options.addPath ?? [],
    extendedNextHop: true,
  });
  try {
    return await print(format === 'mrt' ? readMrt(bytes, { defaults }) : readPcap(bytes, { defaults }), io);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new CliError(EXIT.finding, `not a ${format} file: ${error.message}`);
  }
}

async function print(entries: Iterable<CaptureEntry>, io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  for (const entry of entries) {
    if (io.signal.aborted) return EXIT.interrupted;
    const at = `offset ${entry.offset}`;
    switch (entry.kind) {
      case 'message': {
        const from = { time: time(entry.time), source: endpoint(entry.source), destination: endpoint(entry.destination) };
        const message = describeMessage(entry.bytes, entry.context);
        await io.out(`${JSON.stringify({ ...message, ...from, ...(entry.synthetic ? { synthetic: true } : {}) })}\n`);
        break;
      }
      case 'state-change':
        break;
      case 'unsupported':
        io.err(`${at}: not read: ${entry.what}\n`);
        break;
      case 'problem':
        io.err(`${at}: ${entry.message}\n`);
        code = EXIT.finding;
        break;
    }
  }
  return code;
}

function time(microseconds: number): string {
  const whole = new Date(Math.floor(microseconds / 1000)).toISOString();
  return `${whole.slice(0, -1)}${String(Math.floor(microseconds % 1000)).padStart(3, '0')}Z`;
}

function endpoint(end: Endpoint): string {
  const address = printIp(end.address);
  return end.port === undefined ? address : end.address.family === 6 ? `[${address}]:${end.port}` : `${address}:${end.port}`;
}

async function readAll(input: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    total += bytes.length;
    if (total > MAX_CAPTURE) throw new CliError(EXIT.error, `the file is larger than ${MAX_CAPTURE} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
