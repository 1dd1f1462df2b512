import type { Readable } from 'node:stream';
import type { DescribeOptions } from '@weir/bgp/codec';
import type { ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
export async function decodeCapture(_i: Readable, _f: string, _d: DescribeOptions, _io: Io): Promise<ExitCode> {
  return 1;
}
