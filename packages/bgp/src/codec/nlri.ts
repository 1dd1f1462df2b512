import { DecodeError, type Writer } from '@weir/wire/bytes';
import { type Prefix, prefixFromWords } from '@weir/wire/inet';
import type { NlriRun, UnicastFamily } from './types.ts';

/** NLRI that cannot be parsed to the end (RFC 7606 section 5.3); `offset` as in the buffer that was given. */
export class NlriError extends DecodeError {
  override readonly code: string = 'BGP_NLRI';

  constructor(message: string, offset: number) {
    super(message, offset, 'NLRI');
    this.name = 'NlriError';
  }
}

/**
 * Counts the prefixes in [start, end), checking that each length is possible and the last one ends at `end`.
 *
 *     [ path identifier, 4 octets, where add-path is on (RFC 7911) ] length in bits, 1 octet · ceil(length / 8) octets
 */
function countPrefixes(bytes: Uint8Array, start: number, end: number, maxBits: number, addPath: boolean): number {
  const skip = addPath ? 4 : 0;
  let at = start;
  let count = 0;
  while (at < end) {
    const lengthAt = at + skip;
    if (lengthAt >= end) throw new NlriError(`path identifier cut short, ${end - at} octets left`, at);
    const bits = bytes[lengthAt] as number;
    if (bits > maxBits) throw new NlriError(`prefix length ${bits}, at most ${maxBits}`, lengthAt);
    const next = lengthAt + 1 + ((bits + 7) >> 3);
    if (next > end) throw new NlriError(`prefix of ${bits} bits needs ${next - lengthAt - 1} octets, ${end - lengthAt - 1} left`, lengthAt);
    at = next;
    count++;
  }
  return count;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  );
}

/** IPv4 prefixes in [start, end) into columns; host bits that are set are cleared. Throws NlriError. */
export function decodePrefixes4(bytes: Uint8Array, start: number, end: number, addPath: boolean, family: UnicastFamily): NlriRun {
  const count = countPrefixes(bytes, start, end, 32, addPath);
  const words = new Uint32Array(count);
  const lengths = new Uint8Array(count);
  const pathIds = addPath ? new Uint32Array(count) : undefined;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (pathIds !== undefined) {
      pathIds[i] = word(bytes, at);
      at += 4;
    }
    const bits = bytes[at] as number;
    let w = 0;
    if (bits > 16) {
      w = ((bytes[at + 1] as number) << 24) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 8);
      if (bits > 24) {
        w |= bytes[at + 4] as number;
        at += 5;
      } else at += 4;
    } else if (bits > 8) {
      w = ((bytes[at + 1] as number) << 24) | ((bytes[at + 2] as number) << 16);
      at += 3;
    } else if (bits > 0) {
      w = (bytes[at + 1] as number) << 24;
      at += 2;
    } else at += 1;
    words[i] = bits === 0 ? 0 : w & (-1 << (32 - bits));
    lengths[i] = bits;
  }
  return { family, count, words, lengths, pathIds };
}

/** IPv6 prefixes in [start, end) into columns of four words; host bits that are set are cleared. Throws NlriError. */
export function decodePrefixes6(bytes: Uint8Array, start: number, end: number, addPath: boolean, family: UnicastFamily): NlriRun {
  const count = countPrefixes(bytes, start, end, 128, addPath);
  const words = new Uint32Array(count * 4);
  const lengths = new Uint8Array(count);
  const pathIds = addPath ? new Uint32Array(count) : undefined;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (pathIds !== undefined) {
      pathIds[i] = word(bytes, at);
      at += 4;
    }
    const bits = bytes[at++] as number;
    lengths[i] = bits;
    let left = (bits + 7) >> 3;
    let to = i * 4;
    while (left >= 4) {
      words[to++] = word(bytes, at);
      at += 4;
      left -= 4;
    }
    if (left > 0) {
      let w = (bytes[at] as number) << 24;
      if (left > 1) w |= (bytes[at + 1] as number) << 16;
      if (left > 2) w |= (bytes[at + 2] as number) << 8;
      words[to++] = w;
      at += left;
    }
    const partial = bits & 31;
    if (partial !== 0) words[to - 1] = (words[to - 1] as number) & (-1 << (32 - partial));
  }
  return { family, count, words, lengths, pathIds };
}

/** Octets that prefix `index` takes on the wire. */
export function prefixSize(run: NlriRun, index: number, addPath: boolean): number {
  return (addPath ? 5 : 1) + (((run.lengths[index] as number) + 7) >> 3);
}

function encodePrefix(w: Writer, run: NlriRun, index: number, stride: number, addPath: boolean): void {
  if (addPath) w.u32(run.pathIds?.[index] ?? 0);
  const bits = run.lengths[index] as number;
  w.u8(bits);
  const at = index * stride;
  for (let k = 0, left = (bits + 7) >> 3; left > 0; left--, k++) w.u8((run.words[at + (k >> 2)] as number) >>> (24 - 8 * (k & 3)));
}

/** Writes IPv4 prefix `index`; with `addPath` its path identifier first, 0 where the run has none. */
export function encodePrefix4(w: Writer, run: NlriRun, index: number, addPath: boolean): void {
  encodePrefix(w, run, index, 1, addPath);
}

/** As `encodePrefix4`, for IPv6. */
export function encodePrefix6(w: Writer, run: NlriRun, index: number, addPath: boolean): void {
  encodePrefix(w, run, index, 4, addPath);
}

export function prefixAt4(run: NlriRun, index: number): Prefix {
  return prefixFromWords(4, run.words[index] ?? 0, 0, 0, 0, run.lengths[index] ?? 0);
}

export function prefixAt6(run: NlriRun, index: number): Prefix {
  const { words } = run;
  const at = index * 4;
  return prefixFromWords(6, words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0, run.lengths[index] ?? 0);
}
