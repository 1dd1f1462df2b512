// Capture files, changed: reading never throws but for a file that is no packet capture, and every message that comes out can be described.
import { readdirSync, readFileSync } from 'node:fs';
import { type CaptureEntry, readMrt, readPcap } from '@weir/bgp/capture';
import { describeMessage } from '@weir/bgp/codec';
import { DecodeError } from '@weir/wire/bytes';
import type { FuzzTarget } from './fuzz.ts';

const folder = new URL('../conformance/bgp/captures/', import.meta.url);

/** Entries that a file of this size can hold at most: each takes an octet or more. */
function read(entries: Iterable<CaptureEntry>, limit: number): void {
  let count = 0;
  for (const entry of entries) {
    if (++count > limit) throw new Error(`more than ${limit} entries`);
    if (entry.kind === 'message') describeMessage(entry.bytes, entry.context);
  }
}

export const target: FuzzTarget = {
  name: 'bgp-capture',
  corpus: () => readdirSync(folder).map((name) => new Uint8Array(readFileSync(new URL(name, folder)))),
  run(input) {
    read(readMrt(input), input.length + 16);
    try {
      read(readPcap(input), input.length + 16);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  },
};
